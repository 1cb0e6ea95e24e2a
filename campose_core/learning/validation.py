"""How well a network does on frames it was not trained on: in metres, in degrees, and as a covariance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from campose_core.errors import LearningError
from campose_core.geometry import FARTHEST_M, Array, Pose, pose_difference
from campose_core.learning.losses import PoseNumbers
from campose_core.learning.model import is_finite, to_poses

# With fewer residuals (a frame and its views give five) only the diagonal is kept. Neighbouring frames err alike: the
# correlations of 36 and of 54 test frames made a later drive's errors 3.1 and 1.7 times as large, squared and
# normalised, as they should be; the diagonals alone 0.6 and 0.9 times.
RESIDUALS_FOR_CORRELATIONS = 1500
# How much of the spread that the network predicts is believed: none of it, its root, all of it.
EXPONENTS = (0.0, 0.5, 1.0)


@dataclass(frozen=True, eq=False)
class Calibration:
    """From what a network says of its error to a covariance, found on frames it was not trained on.

    covariance (6, 6): mean of e e^T of the residuals e (x, y, z in metres, turn rx, ry, rz in radians, about the map's
    fixed axes), each divided by its predicted spread to the power `exponent`.
    """

    covariance: Array
    exponent: float

    def of(self, log_spread: ArrayLike) -> Array:
        """Return the covariance (6, 6) of an estimate with this predicted spread (2,): log metres, log radians."""
        scale = np.repeat(np.exp(self.exponent * np.asarray(log_spread, dtype=np.float64)), 3)
        return np.asarray(self.covariance * np.outer(scale, scale))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a checkpoint stores them."""
        return {"covariance": [[float(v) for v in row] for row in self.covariance], "exponent": self.exponent}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Calibration:
        """Read what `to_dict` wrote; raises LearningError where this calibrates nothing."""
        covariance, exponent = np.array(fields["covariance"], dtype=np.float64), float(fields["exponent"])
        fits = covariance.shape == (6, 6) and bool((np.abs(covariance) <= FARTHEST_M**2).all())
        fits = fits and np.allclose(covariance, covariance.T) and np.linalg.eigvalsh(covariance)[0] >= -1e-9
        if not fits or exponent not in EXPONENTS:
            raise LearningError(f"the covariance is not 6x6 and one, or the exponent {exponent} none of {EXPONENTS}")
        return cls(covariance, exponent)


@dataclass(frozen=True, eq=False)
class Residuals:
    """vectors (N, 6): x, y, z error in metres and the turn (rx, ry, rz) in radians, about the map's fixed axes.
    log_spread (N, 2): what the network expected, log metres and log radians."""

    vectors: Array
    log_spread: Array

    @classmethod
    def of(cls, predicted: PoseNumbers, references: Sequence[Pose], when: str) -> Residuals:
        """Measure predictions [N] against the references (N,); `when` says after what.

        Raises:
            LearningError: a prediction is no number.
        """
        if not is_finite(predicted):
            raise LearningError(f"the network predicts no number {when}: lower the learning_rate")
        rows = [pose_difference(e, r) for e, r in zip(to_poses(predicted), references, strict=True)]
        assert predicted.log_spread is not None
        spread = predicted.log_spread.detach().cpu().double().numpy()
        return cls(np.array(rows).reshape(-1, 6), spread)

    @property
    def median_m(self) -> float:
        """Return the median distance, metres."""
        return float(np.median(np.linalg.norm(self.vectors[:, :3], axis=1)))

    @property
    def median_deg(self) -> float:
        """Return the median turn, degrees."""
        return float(np.degrees(np.median(np.linalg.norm(self.vectors[:, 3:], axis=1))))

    @property
    def score(self) -> float:
        """Return what the best checkpoint has least of: metres, a radian being the metre it moves a point ahead."""
        return self.median_m + float(np.radians(self.median_deg))

    def calibration(self) -> Calibration:
        """Choose the one of EXPONENTS under which these residuals are likeliest, each judged by the others' covariance.

        The covariance holds spread and bias together, since the user of an estimate suffers both.
        """
        return max((self.calibrated(exponent) for exponent in EXPONENTS), key=self._likelihood)

    def _normalised(self, exponent: float) -> Array:
        return self.vectors / np.repeat(np.exp(exponent * self.log_spread), 3, axis=1)

    def calibrated(self, exponent: float) -> Calibration:
        """Measure the covariance that these residuals show, given how much of the spread is believed."""
        normalised = self._normalised(exponent)
        second_moment = normalised.T @ normalised / len(normalised)
        if len(normalised) < RESIDUALS_FOR_CORRELATIONS:
            second_moment = np.diag(np.diag(second_moment))
        return Calibration(np.asarray(second_moment), exponent)

    def _likelihood(self, calibration: Calibration) -> float:
        """Mean log likelihood of the residuals, up to a constant, with one variance for each of the six."""
        variance = np.maximum(np.diag(calibration.covariance), 1e-12)
        normalised = self._normalised(calibration.exponent)
        size = 3.0 * calibration.exponent * self.log_spread.sum(axis=1)
        return float(np.mean(-0.5 * (normalised**2 / variance).sum(axis=1) - size) - 0.5 * np.log(variance).sum())
