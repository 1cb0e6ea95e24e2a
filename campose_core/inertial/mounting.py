"""The IMU of a bag, and where it sits beside the camera."""

from __future__ import annotations

from pathlib import Path

from campose_core.bag.clock import AS_RECORDED, BagClock
from campose_core.bag.imu import ImuSamples, read_imu
from campose_core.bag.tf import read_tf
from campose_core.errors import CaptureError
from campose_core.geometry import Pose
from campose_core.inertial.error_state_filter import check_force


def mounted_imu(
    path: Path, topic: str | None, camera_frame: str, clock: BagClock = AS_RECORDED, at_most: int | None = None
) -> tuple[ImuSamples, Pose]:
    """Read the samples on the topic (None: the only one), and cam_from_imu by the static transforms of the bag.

    clock: of the bag's images. at_most: so many samples, from the start.

    Raises:
        CaptureError: no such topic, samples in another unit or without gravity, or no such transforms.
    """
    samples = read_imu(path, topic, clock, at_most)
    check_force(samples, str(path))
    if samples.frame_id == camera_frame:
        return samples, Pose.identity()
    tree = read_tf(path)
    cam_from_imu = tree.mounting(camera_frame, samples.frame_id)
    if cam_from_imu is None:
        raise CaptureError(
            f"{path}: no static transforms connect the camera ({camera_frame}) and the IMU ({samples.frame_id}): "
            "record /tf_static"
        )
    return samples, cam_from_imu
