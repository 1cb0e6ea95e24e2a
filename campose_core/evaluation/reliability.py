"""Whether covariances hold: how often the truth lies in the ellipsoid that should hold it half of the time, and so on.

The squared Mahalanobis distance e' C^-1 e of an error e with the covariance C follows the chi-squared distribution with
as many degrees of freedom as e has components: 6 for the pose, 3 for the position or the rotation alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaincinv

from campose_core.geometry import Array
from campose_core.statistics import squared_mahalanobis

LEVELS = (0.5, 0.9, 0.99)
PARTS = {"pose": slice(0, 6), "position": slice(0, 3), "rotation": slice(3, 6)}


class PartReliability(NamedTuple):
    """coverage: by level (`50 %`), which share of the errors lies in that ellipsoid. error_ratio: the median error in
    standard deviations over what it should be: 1 is right, 2 twice too sure, 0.5 half as sure as it could be."""

    coverage: dict[str, float]
    error_ratio: float


class Reliability(NamedTuple):
    """Of the answered frames that have a covariance and a reference; parts: by the names of PARTS."""

    frames: int
    parts: dict[str, PartReliability]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON, those of each part under its name."""
        return {"frames": self.frames, **{name: part._asdict() for name, part in self.parts.items()}}


def squared_distances(errors: Array, covariances: Array) -> Array:
    """Compute squared Mahalanobis distances (N, 3), a column for each of PARTS, of errors (N, 6).

    covariances: (N, 6, 6), over (x, y, z, rx, ry, rz) in metres and radians, as the errors.
    """
    return np.column_stack(
        [squared_mahalanobis(errors[:, part], covariances[:, part, part]) for part in PARTS.values()]
    )


def reliability(distances: Array) -> Reliability | None:
    """Judge squared distances (N, 3), a column for each of PARTS, NaN where unknown; None when none is known."""
    known = distances[np.isfinite(distances).all(axis=1)]
    if not len(known):
        return None
    parts = {}
    for (name, part), squared in zip(PARTS.items(), known.T, strict=True):
        size = part.stop - part.start
        coverage = {level_name(level): float(np.mean(squared <= chi2_quantile(level, size))) for level in LEVELS}
        parts[name] = PartReliability(coverage, float(np.sqrt(np.median(squared) / chi2_quantile(0.5, size))))
    return Reliability(len(known), parts)


def chi2_quantile(share: float, freedoms: int) -> float:
    """Return what chi-squared stays below with a probability: scipy.stats, which has it too, takes 0.3 s to import."""
    return float(2 * gammaincinv(freedoms / 2, share))


def level_name(level: float) -> str:
    """Name a probability as tables and JSON do: `50 %`."""
    return f"{100 * level:.0f} %"
