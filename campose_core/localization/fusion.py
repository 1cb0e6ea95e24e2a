"""What images said of the body and how it moved, taken together: where it should be, and where it is.

Landmarks are exact by themselves and tell when the wheels slip; a network's poses are coarse, and odometry makes them
a steady path. So poses from landmarks are answers as they are, the others after fusion in the pose graph. But a few
landmarks beside somebody who fills the view tell less than the way since many were seen: then that is the answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from campose_core.bag.imu import ImuSamples
from campose_core.geometry import Pose, pose_difference
from campose_core.localization.estimators.base import Kind
from campose_core.localization.prediction_watch import worst_sigmas
from campose_core.motion.model import (
    MotionModel,
    MotionOptions,
    UncertainPose,
    compose,
    odometry_motion,
    standing_still,
)
from campose_core.motion.pose_graph import PoseGraph
from campose_core.motion.prediction import OdometryPrediction

BY_LANDMARKS = (Kind.TRACKED, Kind.RELOCALIZED)
# Over this way the errors of a network are alike: with a MapNet on the rendered floor, 0.25 m gave the least error, and
# 0.5 m covariances that held the truth.
CORRELATED_OVER_M = 0.4
SLIPPED = 3  # images in a row whose landmarks contradict it, however few they are
CONTRADICTION = 22.5  # squared, in standard deviations: the 99.9 % quantile of chi2 with six degrees of freedom


class Fusion:
    """Of one body: for each image `step`, then `seen` or `unseen`. motion: what predicts, a MotionModel by default."""

    def __init__(self, options: MotionOptions, motion: MotionModel | None = None) -> None:
        self._options = options
        self._motion = motion or MotionModel(options)
        self._graph = PoseGraph()
        self._prediction = OdometryPrediction(options)
        self._odometry: tuple[int, Pose] | None = None
        self._moved: UncertainPose | None = None
        self.forget()

    def take_options(self, options: MotionOptions) -> None:
        """Go on with other limits."""
        self._options = self._motion.options = self._prediction.options = options

    def take_imu(self, samples: ImuSamples) -> None:
        """Take in what an IMU measured since the last image."""
        self._motion.take_imu(samples)

    def forget(self) -> None:
        """Forget the place, not the odometry: that goes on."""
        self._motion.reset()
        self._graph.reset()
        self._prediction.forget()
        self._newest: UncertainPose | None = None
        self._contradictions = 0  # images in a row

    def step(
        self, stamp_ns: int, odom_from_base: Pose | None, way: Sequence[tuple[int, Pose]] = ()
    ) -> UncertainPose | None:
        """Predict map_from_base at the stamp of the next image; None where nothing is known.

        way: the odometry between the image before and this one, where that is long.
        """
        for passed_ns, odom_from_passed in way:
            self._prediction.step(passed_ns, odom_from_passed)
        self._prediction.step(stamp_ns, odom_from_base)
        if self._prediction.fault:
            odom_from_base = None
        before, self._odometry = self._odometry, None if odom_from_base is None else (stamp_ns, odom_from_base)
        self._moved = None
        if before is not None and odom_from_base is not None:
            elapsed_s = (stamp_ns - before[0]) * 1e-9
            self._moved = odometry_motion(elapsed_s, before[1], odom_from_base, self._options)
            if elapsed_s == 0:  # two cameras at once
                self._moved = standing_still(self._options)
        return self._motion.predict(stamp_ns, odom_from_base)

    @property
    def fault(self) -> str:
        """Say which of odometry and IMU contradicts the images and is not used, and the cure; empty where none does."""
        return "; ".join(filter(None, (self._prediction.fault, self._motion.fault)))

    @property
    def predicted(self) -> UncertainPose | None:
        """Return map_from_base at the stamp of the last step, as odometry or else an IMU measured it since the body was
        seen, with what that may be wrong by; None where neither did.
        """
        return self._prediction.pose or self._motion.measured()

    def unseen(self, stamp_ns: int) -> None:
        """Note that the image showed no place that is believed."""
        self._newest = self._graph.add(stamp_ns, None, self._moved)

    def seen(self, stamp_ns: int, seen: UncertainPose, kind: Kind, camera: str = "") -> UncertainPose:
        """Correct and return map_from_base at the stamp, given that the image of `camera` showed it at `seen`."""
        by_landmarks = kind in BY_LANDMARKS
        predicted = self._prediction.pose
        if by_landmarks and predicted is not None and self._holds(predicted, seen):
            self._newest = predicted
            self._graph.add(stamp_ns, predicted, self._moved)
            self._motion.believe(stamp_ns, *predicted, camera)
            return predicted
        if by_landmarks and self._contradicted_by(seen):
            self._moved = None
        fused = self._graph.add(stamp_ns, seen, self._moved, 0.0 if by_landmarks else CORRELATED_OVER_M) or seen
        self._newest = seen if by_landmarks else fused
        self._motion.believe(stamp_ns, *self._newest, camera)
        self._prediction.seen(stamp_ns, self._newest, by_landmarks)
        return self._newest

    def _holds(self, predicted: UncertainPose, seen: UncertainPose) -> bool:
        """Whether the prediction is known better than what landmarks show, in place and in turn, and may be right."""
        self._contradictions = self._contradictions + 1 if _contradict(predicted, seen) else 0
        pairs = zip(worst_sigmas(predicted.covariance), worst_sigmas(seen.covariance), strict=True)
        return self._contradictions < SLIPPED and all(ours < theirs for ours, theirs in pairs)

    def _contradicted_by(self, seen: UncertainPose) -> bool:
        """Whether the way to where landmarks see the body is not the one that odometry tells: wheels slip."""
        if self._moved is None or self._newest is None:
            return False
        expected = compose(self._newest, self._moved)
        return _contradict(expected, seen)


def _contradict(one: UncertainPose, other: UncertainPose) -> bool:
    error = pose_difference(one.pose, other.pose)
    return bool(error @ np.linalg.solve(one.covariance + other.covariance, error) > CONTRADICTION)
