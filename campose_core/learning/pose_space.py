"""The numbers a pose network learns to predict, and the way back to poses.

Position: metres in the map frame. Rotation: the logarithm of a unit quaternion (MapNet, Brahmbhatt et al., CVPR 2018,
eq. 2) of `map_from_body`, where the body is the camera turned by a constant rotation such that the mean attitude of
the training frames is zero. q and -q are the same rotation but have two logarithms: with the mean attitude at zero
`geometry.log_quat`, which picks the hemisphere w >= 0, jumps only 180 degrees away from it, and a robot that turns on a
level floor moves along the third number alone. The loss accepts the other logarithm as well (see losses.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.errors import LearningError
from campose_core.geometry import Array, Pose, exp_quat, log_quat

# A camera on a robot keeps its height: a spread of zero must not divide.
MIN_SPREAD_M = 0.01


@dataclass(frozen=True, eq=False)
class PoseSpace:
    """position_mean, position_std (3,) metres; body_from_cam: the constant turn."""

    position_mean: Array
    position_std: Array
    body_from_cam: Rotation

    @classmethod
    def of(cls, poses: Sequence[Pose]) -> PoseSpace:
        """From the training poses map_from_cam.

        Raises:
            LearningError: fewer than two poses.
        """
        if len(poses) < 2:
            raise LearningError(f"a network needs at least two frames to learn from, got {len(poses)}")
        positions = np.array([pose.translation for pose in poses])
        mean_rotation = Rotation.from_quat(np.array([pose.quat_xyzw for pose in poses])).mean()
        return cls(positions.mean(0), np.maximum(positions.std(0), MIN_SPREAD_M), mean_rotation)

    def encode(self, poses: Sequence[Pose]) -> tuple[Array, Array]:
        """Poses map_from_cam -> positions (N, 3) and log quaternions of map_from_body (N, 3)."""
        positions = np.array([pose.translation for pose in poses]).reshape(-1, 3)
        map_from_cam = Rotation.from_quat(np.array([pose.quat_xyzw for pose in poses]).reshape(-1, 4))
        return positions, log_quat(map_from_cam * self.body_from_cam.inv())

    def decode(self, positions: Array, logqs: Array) -> list[Pose]:
        """The inverse of `encode`."""
        map_from_cam = exp_quat(logqs) * self.body_from_cam
        return [Pose(rotation, position) for rotation, position in zip(map_from_cam, positions, strict=True)]
