"""How a kind of error is spread over all frames."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from campose_core.geometry import Array


class Spread(NamedTuple):
    """Over all frames, unanswered ones as inf."""

    median: float
    mean: float
    p75: float
    p90: float
    p95: float
    p99: float

    @classmethod
    def of(cls, errors: Array) -> Spread:
        """Sum up the errors (N,), of which some may be inf."""
        ordered = np.sort(errors)
        p75, p90, p95, p99 = (_percentile(ordered, share) for share in (0.75, 0.9, 0.95, 0.99))
        return cls(float(np.median(ordered)), float(ordered.mean()), p75, p90, p95, p99)

    def to_dict(self) -> dict[str, float | None]:
        """Return the fields for JSON, which has no infinity: an infinite error is None."""
        return {name: finite(value) for name, value in self._asdict().items()}


def finite(value: float) -> float | None:
    """Return a number for JSON, None where it is infinite."""
    return value if math.isfinite(value) else None


def _percentile(ordered: Array, share: float) -> float:
    """Return the linear percentile, without inf - inf."""
    place = share * (len(ordered) - 1)
    low, high = float(ordered[math.floor(place)]), float(ordered[math.ceil(place)])
    return high if math.isinf(high) else low + (high - low) * (place - math.floor(place))
