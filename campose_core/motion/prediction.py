"""Where a body is by its odometry while nothing is recognized: from where it was last seen, and how sure that is."""

from __future__ import annotations

import numpy as np

from campose_core.geometry import Pose, covariance_at_lever
from campose_core.motion.drift import LONGEST_S, OdometryDrift, Way
from campose_core.motion.model import MotionOptions, UncertainPose, odometry_motion
from campose_core.motion.odometry_check import OdometryCheck

LONGEST_STEP_S = 2.0  # between two poses of the odometry: of more, the way is not known, only its ends


class OdometryPrediction:
    """For each image: `step`, then `seen` if the body was; `pose` is where it should be. After a pause, a `step` first
    for the odometry on the way.

    Odometry that jumps ends a prediction until the body is seen again; one that is missing at an image does not. One
    that goes otherwise than landmarks show predicts nothing. What it has shown of itself stays over `forget`.
    """

    def __init__(self, options: MotionOptions) -> None:
        self.options = options
        self.drift, self._check = OdometryDrift(), OdometryCheck()
        self._odometry: tuple[int, Pose] | None = None
        self.forget()

    def forget(self) -> None:
        """Forget the place, not the odometry."""
        self._seen: UncertainPose | None = None
        self._way = Way.none()
        self._learning: tuple[int, UncertainPose, Way] | None = None
        self._is_current = False

    @property
    def fault(self) -> str:
        """Say why the odometry is not used, and the cure; empty where it is."""
        return self._check.fault

    @property
    def pose(self) -> UncertainPose | None:
        """Return map_from_base at the stamp of the last step; None where there was no odometry, or no use in
        it, or nothing before."""
        if self._seen is None or not self._is_current or self.fault:
            return None
        start = self._seen
        end = start.pose * self._way.start_from_now
        to_map = np.kron(np.eye(2), start.pose.rotation.as_matrix())
        carried = covariance_at_lever(start.covariance, end.translation - start.pose.translation)
        drifted = to_map @ self.drift.covariance(self._way) @ to_map.T
        return UncertainPose(end, carried + drifted)

    def step(self, stamp_ns: int, odom_from_base: Pose | None) -> None:
        """Go on to the stamp of an image, or of a place on the way to it, with the odometry there."""
        self._is_current = odom_from_base is not None
        if odom_from_base is None:
            return
        before, self._odometry = self._odometry, (stamp_ns, odom_from_base)
        if before is None or self._seen is None:
            return
        elapsed_s = (stamp_ns - before[0]) * 1e-9
        if elapsed_s == 0:  # two cameras at once
            return
        if elapsed_s > LONGEST_STEP_S:
            self.forget()
            return
        moved = odometry_motion(elapsed_s, before[1], odom_from_base, self.options)
        self._check.step(self.options, jumps=moved is None)
        if moved is None:
            self.forget()
            return
        self._way = self._way.extended(moved.pose, self.drift.options)
        if self._learning is not None:
            since_ns, seen, way = self._learning
            self._learning = since_ns, seen, way.extended(moved.pose, self.drift.options)

    def seen(self, stamp_ns: int, map_from_base: UncertainPose, by_landmarks: bool) -> None:
        """Begin anew where the body was seen; landmarks tell also how the odometry did so far."""
        has_odometry = self._odometry is not None and self._odometry[0] == stamp_ns
        self._seen, self._way = (map_from_base if has_odometry else None), Way.none()
        if not has_odometry:
            self._learning = None
        elif by_landmarks:
            self._learn(stamp_ns, map_from_base)

    def _learn(self, stamp_ns: int, now: UncertainPose) -> None:
        if self._learning is not None:
            since_ns, start, way = self._learning
            tells = self._check.way(way, start, now)
            if not tells and (stamp_ns - since_ns) * 1e-9 < LONGEST_S:
                return
            if way.tells_drift():
                self.drift.learn(way, start, now)
        self._learning = stamp_ns, now, Way.none()
