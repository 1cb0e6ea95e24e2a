"""How well a network does on frames it was not trained on: in metres, in degrees, and as a covariance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from campose_core.geometry import Array, Pose, pose_difference

# With fewer residuals only the diagonal is kept. Neighbouring frames err alike: the correlations of 36 and of 54 test
# frames made a later drive's errors 3.1 and 1.7 times as large, squared and normalised, as they should be; the
# diagonals alone 0.6 and 0.9 times.
FRAMES_FOR_CORRELATIONS = 300


@dataclass(frozen=True, eq=False)
class Residuals:
    """vectors (N, 6): x, y, z error in metres and the turn (rx, ry, rz) in radians, about the map's fixed axes."""

    vectors: Array

    @classmethod
    def of(cls, estimates: Sequence[Pose], references: Sequence[Pose]) -> Residuals:
        rows = [pose_difference(e, r) for e, r in zip(estimates, references, strict=True)]
        return cls(np.array(rows).reshape(-1, 6))

    @property
    def median_m(self) -> float:
        return float(np.median(np.linalg.norm(self.vectors[:, :3], axis=1)))

    @property
    def median_deg(self) -> float:
        return float(np.degrees(np.median(np.linalg.norm(self.vectors[:, 3:], axis=1))))

    @property
    def score(self) -> float:
        """What the best checkpoint has least of: metres, where a radian counts as the metre it moves a point ahead."""
        return self.median_m + float(np.radians(self.median_deg))

    def covariance(self) -> Array:
        """Mean of e e^T (6, 6): spread and bias together, since the user of an estimate suffers both."""
        second_moment = self.vectors.T @ self.vectors / len(self.vectors)
        if len(self.vectors) < FRAMES_FOR_CORRELATIONS:
            second_moment = np.diag(np.diag(second_moment))
        return np.asarray(second_moment)
