"""An estimator over the frames of a recording."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from itertools import islice

from campose_core.camera import Camera
from campose_core.errors import CaptureError
from campose_core.evaluation.estimates import Estimates, FrameOutcome
from campose_core.frame import Frame, Recording
from campose_core.landmark_map.intrinsics import camera_of_image, cameras_of_shape, scene_camera
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.pnp import LandmarkMatcher, solve_pnp
from campose_core.localization.estimators.base import PoseEstimator
from campose_core.localization.result import Status
from campose_core.progress import track
from campose_core.scene import Scene

log = logging.getLogger(__name__)

# Frames by which one of several cameras of a scene is chosen: each so many of the first.
SAMPLE_EVERY, SAMPLE_AMONG = 5, 60


def localize_recording(
    scene: Scene, recording: Recording, estimator: PoseEstimator, camera: Camera | None = None
) -> Estimates:
    """Ask what `estimator` says of each frame by itself, without a localizer's memory.

    camera: the query camera; None takes the recording's, or the scene's where the recording knows none.

    Raises:
        CaptureError: the recording has no frames. LocalizationError: no intrinsics for its pictures, or those of
            pictures of another shape.
    """
    return localize_frames(estimator, frames_with_camera(scene, recording, camera, f"localize with {estimator.name}"))


def frames_with_camera(
    scene: Scene, recording: Recording, camera: Camera | None, description: str
) -> Iterator[tuple[Frame, Camera]]:
    """Yield each frame with its intrinsics: `camera`, else the recording's, else the scene's. description: of the bar.

    Raises:
        CaptureError: the recording has no frames. LocalizationError: no intrinsics for its pictures, or those of
            pictures of another shape.
    """
    known, count = camera or recording.camera, 0
    for frame in track(recording.frames(None), description):
        height, width = frame.image.shape[:2]
        known = known or _camera_that_fits(scene, recording, width, height)
        yield frame, camera_of_image(frame, known)
        count += 1
    if count == 0:
        raise CaptureError(f"{recording.name}: no frames to localize")


def _camera_that_fits(scene: Scene, recording: Recording, width: int, height: int) -> Camera:
    """Choose the scene's camera for a recording without intrinsics; of several the one by which most landmarks agree.

    Raises:
        LocalizationError: the scene has none of that shape, or several and no frame of the sample is found by any.
    """
    candidates = cameras_of_shape(scene, width, height)
    if len(candidates) < 2:
        return scene_camera(scene, width, height)
    landmarks = Landmarks.load(scene.sfm_dir / "landmarks.npz")
    extract, match = landmarks.extractor(), LandmarkMatcher(landmarks)
    agreeing = dict.fromkeys(candidates, 0)
    for frame in islice(recording.frames(None), 0, SAMPLE_AMONG, SAMPLE_EVERY):
        features = extract(frame.image)
        seen, shown = match(features)
        for camera in candidates:
            found = solve_pnp(features.pixels[seen], landmarks.xyz[shown], camera)
            agreeing[camera] += 0 if found is None else len(found.inliers)
    best = max(candidates, key=agreeing.__getitem__)
    if not agreeing[best]:
        return scene_camera(scene, width, height)
    log.info(f"{recording.name} has no intrinsics: the camera of {candidates[best]} fits most landmarks")
    return best


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
