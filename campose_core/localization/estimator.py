"""What every localizer answers with, whatever it is built on."""

from typing import NamedTuple, Protocol

from campose_core.camera import Camera
from campose_core.capture.frame import Frame
from campose_core.geometry import Array, Pose


class PoseEstimate(NamedTuple):
    """Where the camera was when the frame was taken.

    covariance: (6, 6) over (x, y, z, rx, ry, rz), fixed map axes, metres and radians.
    support: how many observations agree with the pose (PnP inliers; 1 for a network or a retrieved image).
    """

    stamp_ns: int
    map_from_cam: Pose
    covariance: Array
    support: int


class PoseEstimator(Protocol):
    """One way of turning an image into a pose."""

    name: str

    def estimate(self, frame: Frame, camera: Camera) -> PoseEstimate | None:
        """The pose of the camera with intrinsics `camera`, or None: no pose is an answer, a guess is not."""
        ...
