"""An estimator over the frames of a recording."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from campose_core.camera import Camera
from campose_core.errors import CaptureError
from campose_core.evaluation.estimates import Estimates, FrameOutcome
from campose_core.frame import Frame, Recording
from campose_core.landmark_map.recording_cameras import RecordingCameras, cameras_of_recording
from campose_core.localization.estimators.base import PoseEstimator
from campose_core.localization.result import Status
from campose_core.progress import track
from campose_core.scene.scene import Scene


def localize_recording(
    scene: Scene, recording: Recording, estimator: PoseEstimator, camera: Camera | None = None
) -> Estimates:
    """Ask what `estimator` says of each frame by itself, without a localizer's memory.

    camera: the query camera; None takes the recording's, or estimates it where the recording knows none.

    Raises:
        CaptureError: the recording has no frames. LocalizationError: no intrinsics for its pictures, or those of
            pictures of another shape.
    """
    cameras = cameras_of_recording(scene, recording, camera)
    frames = frames_of(recording, cameras, f"localize with {estimator.name}")
    estimates = localize_frames(estimator, frames)
    return replace(estimates, cameras=tuple(cameras.all()), stamps=str(recording.describe().get("stamps", "")))


def frames_with_camera(
    scene: Scene, recording: Recording, camera: Camera | None, description: str
) -> Iterator[tuple[Frame, Camera]]:
    """Yield each frame with its intrinsics: `camera`, else the recording's, else estimated. description: of the bar.

    Raises:
        CaptureError: the recording has no frames. LocalizationError: no intrinsics for its pictures, or those of
            pictures of another shape.
    """
    yield from frames_of(recording, cameras_of_recording(scene, recording, camera), description)


def frames_of(recording: Recording, cameras: RecordingCameras, description: str) -> Iterator[tuple[Frame, Camera]]:
    """Yield each frame with its intrinsics, which are known by now. description: of the bar.

    Raises:
        CaptureError: the recording has no frames. LocalizationError: the intrinsics are of another shape.
    """
    count = 0
    for frame in track(recording.frames(None), description):
        yield frame, cameras.of(frame)
        count += 1
    if count == 0:
        raise CaptureError(f"{recording.name}: no frames to localize")


def localize_frames(estimator: PoseEstimator, frames: Iterable[tuple[Frame, Camera]]) -> Estimates:
    """Ask what `estimator` says of single frames with their cameras."""
    return Estimates(estimator.name, tuple(outcome_of(estimator, frame, camera) for frame, camera in frames))


def outcome_of(estimator: PoseEstimator, frame: Frame, camera: Camera) -> FrameOutcome:
    """Time one frame's estimate. An image that may show one of several places is not answered."""
    start = time.perf_counter()
    estimates = estimator.estimate(frame, camera)
    latency_ms = 1e3 * (time.perf_counter() - start)
    if len(estimates) != 1:
        return FrameOutcome(frame.stamp_ns, None, Status.LOST.value, latency_ms)
    map_from_cam, covariance = estimates[0].map_from_cam, estimates[0].covariance
    return FrameOutcome(frame.stamp_ns, map_from_cam, Status.TRACKING.value, latency_ms, covariance)
