"""Poses in the map as nav_msgs/Odometry: with the speed of the base, out of each pose and the one before."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from campose_core.geometry import Array
from campose_core.localization.options import LocalizerOptions
from campose_core.localization.result import LocalizationResult
from campose_core.motion.model import UncertainPose

MAX_GAP_S = 0.5  # what lies between two poses farther apart is no speed of now


class Twist(NamedTuple):
    """Speeds (3,) of the base in its own frame, m/s and rad/s, and the covariance (6, 6) of both."""

    linear: Array
    angular: Array
    covariance: Array


class TwistOfPoses:
    """Takes results in order, and tells the twist at each pose that has another one shortly before it."""

    def __init__(self) -> None:
        self._before: tuple[int, UncertainPose] | None = None

    def take(self, result: LocalizationResult, options: LocalizerOptions) -> Twist | None:
        """Return the mean twist since the pose before; None where that is too long ago, there is none, or one body
        within the limits of `options` cannot have moved so: it was carried, or the localizer was mistaken before.
        """
        if result.map_from_base is None or result.covariance is None:
            self._before = None
            return None
        # What the whole map is wrong by moves nobody.
        covariance = result.covariance if result.within_map_covariance is None else result.within_map_covariance
        here = UncertainPose(result.map_from_base, covariance)
        before, self._before = self._before, (result.stamp_ns, here)
        if before is None or not 0 < result.stamp_ns - before[0] <= MAX_GAP_S * 1e9:
            return None
        duration_s, there = (result.stamp_ns - before[0]) * 1e-9, before[1]
        if not options.in_reach(there, here, duration_s):
            return None
        base_from_map = here.pose.rotation.inv()
        moved = here.pose.translation - there.pose.translation
        turned = there.pose.rotation.inv() * here.pose.rotation
        to_base = np.kron(np.eye(2), base_from_map.as_matrix())
        # Both poses are wrong independently: each is of its own image.
        spread = to_base @ (here.covariance + there.covariance) @ to_base.T / duration_s**2
        return Twist(base_from_map.apply(moved) / duration_s, turned.as_rotvec() / duration_s, spread)


def odometry_message(
    ros: Any, frame_id: str, child: str, result: LocalizationResult, covariance: Array, twist: Twist
) -> Any:
    """Build the Odometry of an answered result. ros: `RosMessages`; covariance (6, 6): of its pose."""
    assert result.map_from_base is not None, "answered"
    message = ros.odometry(frame_id, child, result.stamp_ns, result.map_from_base, twist.linear, twist.angular)
    message.pose.covariance = np.asarray(covariance, dtype=np.float64).reshape(36)
    message.twist.covariance = twist.covariance.reshape(36)
    return message
