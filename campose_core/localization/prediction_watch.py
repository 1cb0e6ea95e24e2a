"""Whether a pose that was carried on without landmarks may still be given out: what speaks against it, and how much."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np

from campose_core.frame import Frame
from campose_core.geometry import Array, Pose
from campose_core.localization.picture_watch import Picture, PictureWatch

CHANGED_IMAGES = 2  # in a row that show another place: one may be a flash
CONTRADICTED_IMAGES, CONTRADICTED_S = 3, 1.0


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
    """For each image `recognized` or `doubt`."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all images."""
        self._pictures: dict[str, PictureWatch] = {}
        self._forgive()

    def _forgive(self) -> None:
        self._changed = 0
        self._gone_since_ns: int | None = None
        self._contradicted: deque[int] = deque(maxlen=CONTRADICTED_IMAGES)

    def recognized(self, frame: Frame, odom_from_base: Pose | None) -> None:
        """Take in an image whose landmarks are believed."""
        self._forgive()
        self._look(frame, odom_from_base, recognized=True)

    def doubt(
        self, frame: Frame, odom_from_base: Pose | None, covariance: Array, contradicted: bool, bounds: Bounds
    ) -> Doubt | None:
        """Say what speaks against a prediction for an image without believed landmarks; None where nothing does.

        covariance: (6, 6) of the prediction, about the map's axes. contradicted: landmarks were found, of elsewhere.
        """
        stamp_ns = frame.stamp_ns
        picture = self._look(frame, odom_from_base, recognized=False)
        self._changed = self._changed + 1 if picture is Picture.CHANGED else 0
        if picture is not Picture.GONE:
            self._gone_since_ns = None
        elif self._gone_since_ns is None:
            self._gone_since_ns = stamp_ns
        if self._changed:
            return Doubt("the wheels stand and the picture is of elsewhere", self._changed >= CHANGED_IMAGES)
        if contradicted:
            self._contradicted.append(stamp_ns)
            within_s = (stamp_ns - self._contradicted[0]) * 1e-9
            many = len(self._contradicted) == CONTRADICTED_IMAGES and within_s < CONTRADICTED_S
            return Doubt("landmarks contradict where the robot should be", many)
        if self._gone_since_ns is not None:
            # Nothing would tell of a robot that is carried meanwhile.
            is_long = (stamp_ns - self._gone_since_ns) * 1e-9 > bounds.gone_s
            return Doubt("the wheels stand and the picture shows nothing: dark, or covered", is_long)
        if not bounds.hold(covariance):
            sigma_m, sigma_deg = worst_sigmas(covariance)
            return Doubt(
                f"nothing was recognized until the place was known to {sigma_m:.2f} m and {sigma_deg:.1f} deg alone "
                f"(lost_beyond_m {bounds.sigma_m:g}, lost_beyond_deg {bounds.sigma_deg:g})",
                True,
            )
        return None

    def _look(self, frame: Frame, odom_from_base: Pose | None, recognized: bool) -> Picture:
        if odom_from_base is None:
            return Picture.AS_BEFORE
        watch = self._pictures.setdefault(frame.camera_frame, PictureWatch())
        return watch.look(frame.stamp_ns, frame.image, odom_from_base, recognized)


def worst_sigmas(covariance: Array) -> tuple[float, float]:
    """Return the standard deviations of a covariance (6, 6) in the worst directions: metres, degrees."""
    position, turn = (np.linalg.eigvalsh(covariance[part, part])[-1] for part in (slice(3), slice(3, 6)))
    return math.sqrt(max(position, 0.0)), math.degrees(math.sqrt(max(turn, 0.0)))
