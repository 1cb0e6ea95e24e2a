"""What the localizer decides about: an image with what is known at its stamp, and what an estimator saw in it."""

from __future__ import annotations

from typing import NamedTuple

from campose_core.camera import Camera
from campose_core.frame import Frame
from campose_core.geometry import Pose
from campose_core.localization.estimators.base import PoseEstimate
from campose_core.motion.model import UncertainPose


class Seen(NamedTuple):
    """An estimate, and what it says of map_from_base."""

    base: UncertainPose
    estimate: PoseEstimate

    @property
    def stamp_ns(self) -> int:
        """Return that of the image, nanoseconds."""
        return self.estimate.stamp_ns


class ImageSeen(NamedTuple):
    """A frame, its camera, the odometry at its stamp, and where the base should be: as it moved before, and as odometry
    or an IMU measured it.
    """

    frame: Frame
    camera: Camera
    odom_from_base: Pose | None
    expected: UncertainPose | None
    predicted: UncertainPose | None
