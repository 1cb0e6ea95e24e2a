"""The node's own Localizer over a recording, as fast as it goes: same images, same poses, every time."""

from __future__ import annotations

from pathlib import Path

from campose_core.camera import Camera
from campose_core.capture.frame import Recording
from campose_core.evaluation.estimates import Estimates, FrameOutcome, write_estimates
from campose_core.evaluation.run import frames_with_camera
from campose_core.geometry import Array, Pose
from campose_core.localization.localizer import LocalizationResult, Localizer
from campose_core.scene import Scene
from campose_core.trajectory import Trajectory


def replay(
    scene: Scene,
    recording: Recording,
    localizer: Localizer,
    camera: Camera | None = None,
    odometry: Trajectory | None = None,
) -> list[LocalizationResult]:
    """One result per frame, in time order. odometry: odom_from_base, as the node would hear it.

    Raises:
        CaptureError: the recording has no frames. LocalizationError: no intrinsics for its pictures.
    """
    frames = frames_with_camera(scene, recording, camera, "replay")
    return [
        localizer.localize(frame, known, odom_from_base=None if odometry is None else odometry.at(frame.stamp_ns))
        for frame, known in frames
    ]


def write_replay(folder: Path, results: list[LocalizationResult]) -> Estimates:
    """pose_raw.tum (as estimated) and pose.tum (snapped to walkable floor), poses of the base; returns the former.

    The covariance is that of the pose as estimated; a snapped pose has none.
    """
    raw = Estimates("pose_raw", tuple(_outcome(one, one.map_from_base, one.covariance) for one in results))
    write_estimates(folder / "pose_raw.tum", raw)
    write_estimates(folder / "pose.tum", Estimates("pose", tuple(_outcome(one, one.on_floor, None) for one in results)))
    return raw


def _outcome(result: LocalizationResult, pose: Pose | None, covariance: Array | None) -> FrameOutcome:
    return FrameOutcome(result.stamp_ns, pose, result.status.value, 1e3 * result.latency_s, covariance)
