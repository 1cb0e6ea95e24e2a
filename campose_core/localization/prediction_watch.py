"""Whether a pose that was carried on without landmarks may still be given out: what speaks against it, and how much."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np

from campose_core.frame import Frame
from campose_core.geometry import Array, Pose
from campose_core.localization.picture_watch import Picture, PictureWatch
from campose_core.motion.model import UncertainPose

CHANGED_IMAGES = 2  # in a row that show another place: one may be a flash
CONTRADICTED_IMAGES, CONTRADICTED_S = 3, 1.0
# Of a robot that somebody may be carrying off, one standard deviation of each axis. Three of them are a brisk walk with
# it in the arms, 2 m/s, and a quarter turn in a second.
CARRIED_MPS, CARRIED_RADPS = 0.7, 0.5


class Bounds(NamedTuple):
    """Beyond which a place is not known: standard deviations, in the worst direction. gone_s: how long a picture may
    be gone while the wheels stand."""

    sigma_m: float
    sigma_deg: float
    gone_s: float

    def hold(self, covariance: Array) -> bool:
        """Tell whether a place of this covariance (6, 6) is known."""
        sigma_m, sigma_deg = worst_sigmas(covariance)
        return sigma_m <= self.sigma_m and sigma_deg <= self.sigma_deg


class Doubt(NamedTuple):
    """Why a prediction is not given out; is_lost: and is over."""

    reason: str
    is_lost: bool


class PredictionWatch:
    """For each image `recognized` or `judge`."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all images."""
        self._pictures: dict[str, PictureWatch] = {}
        self._forgive()

    def _forgive(self) -> None:
        self._changed = 0
        self._told_ns = 0  # when an image or the wheels last told that nobody carries the robot
        self._gone_since_ns: int | None = None
        self._contradicted: deque[int] = deque(maxlen=CONTRADICTED_IMAGES)

    def recognized(self, frame: Frame, odom_from_base: Pose | None) -> None:
        """Take in an image whose landmarks are believed."""
        self._forgive()
        self._told_ns = frame.stamp_ns
        self._look(frame, odom_from_base, recognized=True)

    def judge(
        self, frame: Frame, odom_from_base: Pose | None, predicted: UncertainPose, contradicted: bool, bounds: Bounds
    ) -> UncertainPose | Doubt:
        """Return a prediction as it may be given out for an image without believed landmarks, or what speaks against.

        predicted: map_from_base, which becomes less sure where nothing would tell of a robot that is carried off.
        contradicted: landmarks were found, of elsewhere.
        """
        stamp_ns = frame.stamp_ns
        picture = self._look(frame, odom_from_base, recognized=False)
        self._changed = self._changed + 1 if picture is Picture.CHANGED else 0
        if picture is not Picture.GONE:
            self._gone_since_ns = None
        elif self._gone_since_ns is None:
            self._gone_since_ns = stamp_ns
        if picture is Picture.AS_BEFORE:
            self._told_ns = stamp_ns
        if self._changed:
            return Doubt("the wheels stand and the picture is of elsewhere", self._changed >= CHANGED_IMAGES)
        if contradicted:
            self._contradicted.append(stamp_ns)
            within_s = (stamp_ns - self._contradicted[0]) * 1e-9
            many = len(self._contradicted) == CONTRADICTED_IMAGES and within_s < CONTRADICTED_S
            return Doubt("landmarks contradict where the robot should be", many)
        if self._gone_since_ns is not None:
            is_long = (stamp_ns - self._gone_since_ns) * 1e-9 > bounds.gone_s
            predicted = _perhaps_carried(predicted, (stamp_ns - self._told_ns) * 1e-9)
            if is_long or not bounds.hold(predicted.covariance):
                return Doubt("the wheels stand and the picture shows nothing: dark, or covered", is_long)
        elif not bounds.hold(predicted.covariance):
            sigma_m, sigma_deg = worst_sigmas(predicted.covariance)
            return Doubt(
                f"nothing was recognized until the place was known to {sigma_m:.2f} m and {sigma_deg:.1f} deg alone "
                f"(lost_beyond_m {bounds.sigma_m:g}, lost_beyond_deg {bounds.sigma_deg:g})",
                True,
            )
        return predicted

    def _look(self, frame: Frame, odom_from_base: Pose | None, recognized: bool) -> Picture:
        if odom_from_base is None:
            return Picture.AS_BEFORE
        watch = self._pictures.setdefault(frame.camera_frame, PictureWatch())
        return watch.look(frame.stamp_ns, frame.image, odom_from_base, recognized)


def _perhaps_carried(place: UncertainPose, seconds: float) -> UncertainPose:
    """Make a place as unsure as it is when somebody may have carried the robot off for so long."""
    variances = np.square([CARRIED_MPS * seconds] * 3 + [CARRIED_RADPS * seconds] * 3)
    return UncertainPose(place.pose, place.covariance + np.diag(variances))


def worst_sigmas(covariance: Array) -> tuple[float, float]:
    """Return the standard deviations of a covariance (6, 6) in the worst directions: metres, degrees."""
    position, turn = (np.linalg.eigvalsh(covariance[part, part])[-1] for part in (slice(3), slice(3, 6)))
    return math.sqrt(max(position, 0.0)), math.degrees(math.sqrt(max(turn, 0.0)))
