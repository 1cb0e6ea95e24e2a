"""What the localizer decides by."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from campose_core.errors import LocalizationError
from campose_core.geometry import pose_error
from campose_core.localization.estimators.base import MAX_SIGMA_M
from campose_core.localization.prediction_watch import Bounds
from campose_core.motion.model import MotionOptions, UncertainPose
from campose_core.statistics import require_positive


@dataclass(frozen=True)
class LocalizerOptions:
    """How far a body moves between two images, and how much silence or confirmation decides.

    max_speed_mps, max_turn_rate_radps: bounds on the motion; a pose beyond them, and beyond three standard deviations
    of the two estimates plus tolerance_m, tolerance_rad (for what their covariance leaves out), is a jump.
    confirmations: so many consecutive estimates must agree before a jump, or the first pose of all, is believed.
    lost_after_misses, lost_after_s: so many images in a row, or so long, without a believed pose is LOST, where nothing
    measures how the body moves on; where odometry or an IMU does, it is LOST when the standard deviation in the worst
    direction passes lost_beyond_m or lost_beyond_deg, or the picture is gone for lost_after_s and the wheels stand.

    Raises:
        LocalizationError: a value that is not positive.
    """

    max_speed_mps: float = 2.0
    max_turn_rate_radps: float = math.pi
    tolerance_m: float = 0.1
    tolerance_rad: float = math.radians(3)
    confirmations: int = 3
    lost_after_misses: int = 15
    lost_after_s: float = 0.8
    lost_beyond_m: float = MAX_SIGMA_M
    lost_beyond_deg: float = 10.0

    def __post_init__(self) -> None:
        require_positive(LocalizationError, **vars(self))

    @property
    def motion(self) -> MotionOptions:
        """Return what they say of how a body moves."""
        return MotionOptions(self.max_speed_mps, self.max_turn_rate_radps)

    @property
    def bounds(self) -> Bounds:
        """Return what they say of when a prediction ends."""
        return Bounds(self.lost_beyond_m, self.lost_beyond_deg, self.lost_after_s)

    def in_reach(self, before: UncertainPose, after: UncertainPose, elapsed_s: float) -> bool:
        """Tell whether a body within the speed limits, seen with these uncertainties (3 sigma), explains both poses.

        elapsed_s: between them; 0 asks whether both are one place.
        """
        distance_m, angle = pose_error(after.pose, before.pose)
        variances = np.diagonal(before.covariance) + np.diagonal(after.covariance)
        distance_noise, angle_noise = 3.0 * np.sqrt(variances[:3].sum()), 3.0 * np.sqrt(variances[3:].sum())
        return bool(
            distance_m <= self.max_speed_mps * elapsed_s + distance_noise + self.tolerance_m
            and angle <= self.max_turn_rate_radps * elapsed_s + angle_noise + self.tolerance_rad
        )
