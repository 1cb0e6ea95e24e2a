"""Whether an IMU tells the way that images show: tried again and again on a while of it without a look.

From one image to the next even an IMU in another unit, or of another place on the body, is hardly off: what it says is
put right before it can be. Without images it is metres off in a second, and says that it knows the place.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from campose_core.bag.imu import ImuSamples
from campose_core.geometry import pose_difference
from campose_core.inertial.error_state_filter import ImuNoise, ImuState, advance
from campose_core.motion.model import UncertainPose

TRIED_S = 1.5
# The last ones, of which the second worst counts: one may end where a place was mistaken. Half a minute of them, since
# where a robot drives straight on, an IMU that is turned about the vertical is right.
TRIALS = 20
DIMENSIONS = 6
WRONG = 25.0  # five standard deviations: another unit, another place on the body, or broken
# Of the last poses, so many that the filter contradicted: of a right IMU, none; of one of noise beyond its data sheet,
# 13 % at 4 Hz; of one mounted 20 degrees off, 34 to 49 %.
POSES, CONTRADICTED = 20, 6


class ImuCheck:
    """Told of each pose that is believed. What it found stays over `forget`; another thread may read it.

    inflation: by how much variances without images are too small, 1 where they are not. is_wrong: what the IMU says is
    of no use.
    """

    def __init__(self, noise: ImuNoise) -> None:
        self.inflation, self.is_wrong = 1.0, False
        self._noise = noise
        self._squared: deque[float] = deque(maxlen=TRIALS)
        self._contradicted: deque[bool] = deque(maxlen=POSES)
        self._blind: ImuState | None = None
        self._since_ns = 0

    def forget(self) -> None:
        """Forget where the body was."""
        self._blind = None

    def take(self, samples: ImuSamples, state: ImuState, seen: UncertainPose, *, contradicted: bool) -> None:
        """Take in where the IMU was seen (map_from_imu), and the filter's state with that in it.

        contradicted: the filter was so far off that it began anew.
        """
        self._contradicted.append(contradicted)
        moved = None if self._blind is None else advance(self._blind, samples, state.stamp_ns, self._noise)
        self._blind = None if moved is None else moved[0]
        if self._blind is not None and state.stamp_ns - self._since_ns >= TRIED_S * 1e9:
            error = pose_difference(seen.pose, self._blind.pose)
            spread = self._blind.pose_covariance + seen.covariance
            self._squared.append(float(error @ np.linalg.solve(spread, error)) / DIMENSIONS)
            self._blind = None
        if self._blind is None:
            self._blind, self._since_ns = state, state.stamp_ns
        self.inflation = max([1.0, *sorted(self._squared)[-2:][:1]])
        self.is_wrong = self.inflation > WRONG or sum(self._contradicted) >= CONTRADICTED
