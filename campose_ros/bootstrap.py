"""The moment to tell AMCL where to start: the robot stands still, and is sure of its place."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.geometry import Array, Pose, pose_error
from campose_core.localization.result import LocalizationResult, Status

# AMCL takes the pose for one of now: a robot that moves is elsewhere when it comes.
STILL_S, STILL_M, STILL_RAD = 1.0, 0.05, math.radians(3)
# A fifth of the spread that AMCL starts with by itself (0.5 m, 0.26 rad).
SURE_M, SURE_RAD = 0.1, 0.05
JUMP_M = 1.0  # beyond what max_speed_mps explains: the robot was carried
PLANAR = [0, 1, 5]  # x, y, yaw of (x, y, z, rx, ry, rz)


class StartingPose(NamedTuple):
    """A place on the floor: at height 0, upright. covariance: (6, 6), variances of x, y and yaw alone."""

    stamp_ns: int
    map_from_base: Pose
    covariance: Array


class Bootstrap:
    """One starting pose each time that TRACKING is gained, after a jump, and for whoever begins to listen."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._told = 0  # listeners
        self._last: tuple[int, Pose] | None = None
        self._recent: deque[tuple[int, Pose]] = deque()

    def take(
        self, result: LocalizationResult, odom_from_base: Pose | None, max_speed_mps: float, *, listeners: int
    ) -> StartingPose | None:
        """Decide what to tell after this image: mostly nothing. Odometry, if any, says whether the robot moves.

        listeners: how many there are; without any it is kept.
        """
        if result.status is Status.PREDICTED:
            return None
        if result.status is not Status.TRACKING:
            self._forget()
            return None
        # AMCL is told a place in the map: what the whole map is wrong by says nothing of it.
        covariance = result.within_map_covariance if result.within_map_covariance is not None else result.covariance
        if result.map_from_base is None or covariance is None or result.on_floor is None:
            return None
        if self._jumped(result.stamp_ns, result.map_from_base, max_speed_mps):
            self._forget()
        self._last = result.stamp_ns, result.map_from_base
        still = self._stands_still(result.stamp_ns, odom_from_base or result.map_from_base)
        self._told = min(self._told, listeners)
        if self._told == listeners or not still or not is_sure(covariance):
            return None
        self._told = listeners
        return StartingPose(result.stamp_ns, upright(result.on_floor), planar(covariance))

    def _jumped(self, stamp_ns: int, map_from_base: Pose, max_speed_mps: float) -> bool:
        if self._last is None:
            return False
        last_ns, last = self._last
        return pose_error(map_from_base, last)[0] > JUMP_M + max_speed_mps * (stamp_ns - last_ns) * 1e-9

    def _stands_still(self, stamp_ns: int, pose: Pose) -> bool:
        """Whether the poses of the last STILL_S, and one before them, are all here."""
        self._recent.append((stamp_ns, pose))
        long_ago_ns = stamp_ns - int(STILL_S * 1e9)
        while len(self._recent) > 1 and self._recent[1][0] <= long_ago_ns:
            self._recent.popleft()
        if self._recent[0][0] > long_ago_ns:
            return False
        moved = (pose_error(pose, before) for _, before in self._recent)
        return all(distance_m <= STILL_M and angle <= STILL_RAD for distance_m, angle in moved)


def is_sure(covariance: Array) -> bool:
    """Tell whether place and heading on the floor are known well enough to start from; covariance: (6, 6)."""
    return bool(np.linalg.eigvalsh(covariance[:2, :2])[-1] <= SURE_M**2 and covariance[5, 5] <= SURE_RAD**2)


def upright(map_from_base: Pose) -> Pose:
    """Return the same place and heading, at height 0 and without tilt."""
    x, y, _ = map_from_base.translation
    forward = map_from_base.rotation.as_matrix()[:, 0]
    return Pose(Rotation.from_euler("z", math.atan2(forward[1], forward[0])), np.array([x, y, 0.0]))


def planar(covariance: Array) -> Array:
    """Keep the variances of x, y and yaw of a covariance (6, 6), in metres and radians.

    No correlations: Nav2 takes a message with a negative element for malformed (nav2_util/validate_messages.hpp).
    """
    kept = np.zeros((6, 6))
    kept[PLANAR, PLANAR] = covariance[PLANAR, PLANAR]
    return kept
