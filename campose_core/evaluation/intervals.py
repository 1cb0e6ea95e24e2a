"""How far the numbers of one recording may be from those of the next: a bootstrap over stretches.

Errors of neighbouring frames are alike, so that frames are no independent trials; stretches of some seconds nearly are.
Künsch, "The jackknife and the bootstrap for general stationary observations", 1989, with blocks that do not overlap.
The same numbers come out every time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.evaluation.frame_errors import FrameErrors
from campose_core.evaluation.measures import ERRORS, PERCENTILES, shares
from campose_core.geometry import Array
from campose_core.trajectory import Stamps

STRETCH_S, SHORTEST_S = 5.0, 1.0
LEAST, MOST = 8, 100  # stretches: fewer say nothing of how they vary, more only take time
RESAMPLES = 1000
LEVEL = 0.95
# Steps of a percentile's rank: of more frames than these, neighbours in rank are taken together.
RANKS = 1000
GAP_S = 1.0


class Interval(NamedTuple):
    """Between which values a number lies with a probability of 95 %."""

    low: float
    high: float


def stretches(stamps_ns: Stamps) -> NDArray[np.intp] | None:
    """Return the number of the stretch (N,) that each frame is in, from 0; None where there are too few.

    A stretch is 5 s long, shorter (down to 1 s) in a recording that would have fewer than 8, longer in one that would
    have more than 100. It ends where the recording has a gap.
    """
    seconds = (stamps_ns - stamps_ns[0]) * 1e-9
    steps = np.diff(seconds, prepend=0.0)
    after_gap = gaps(stamps_ns)
    recorded_s = float(np.delete(steps, after_gap).sum())
    length_s = max(np.clip(recorded_s / LEAST, SHORTEST_S, STRETCH_S), recorded_s / MOST)
    piece = np.searchsorted(after_gap, np.arange(len(steps)), side="right")
    starts = np.flatnonzero(np.diff(piece, prepend=-1))
    within = np.floor((seconds - seconds[starts][piece]) / length_s * (1 - 1e-9))
    label = np.cumsum(np.diff(piece * 1e9 + within, prepend=-1.0) != 0) - 1
    return label if label[-1] + 1 >= LEAST else None


def gaps(stamps_ns: Stamps) -> NDArray[np.intp]:
    """Return the frames before which the recording has a gap: a second, or five of its usual steps."""
    steps_s = np.diff(stamps_ns) * 1e-9
    usual_s = float(np.median(steps_s)) if len(steps_s) else 0.0
    return np.flatnonzero(steps_s > max(GAP_S, 5 * usual_s)) + 1


def resamples(stretch: NDArray[np.intp], seed: int = 0) -> Array:
    """Draw how often each stretch counts (RESAMPLES, stretches): as many as there are, with replacement."""
    count = int(stretch[-1]) + 1
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    return drawn.astype(np.float64)


def resampled(errors: FrameErrors, stretch: NDArray[np.intp], drawn: Array) -> dict[str, Array]:
    """Return each share and percentile (RESAMPLES,) of the resamples, by its name."""
    total = drawn @ np.bincount(stretch)
    found = {name: (drawn @ np.bincount(stretch, weights=counted)) / total for name, counted in shares(errors).items()}
    for kind in ERRORS:
        values = _percentiles(getattr(errors, kind), stretch, drawn)
        found |= {f"{kind}.{name}": column for name, column in zip(PERCENTILES, values, strict=True)}
    return found


def intervals(errors: FrameErrors) -> dict[str, Interval]:
    """Return the interval of each share and percentile, by its name; none where the recording is too short.

    A share that is 0 or 1 in all stretches is so in all resamples too: its other end is then what as many independent
    stretches leave open, 1 - 0.05^(1 / n), the exact binomial bound (3 / n is its rule of thumb).
    """
    stretch = stretches(errors.stamps_ns)
    if stretch is None:
        return {}
    drawn = resamples(stretch)
    found = {name: interval_of(values) for name, values in resampled(errors, stretch, drawn).items()}
    open_share = 1 - (1 - LEVEL) ** (1 / drawn.shape[1])
    for name, counted in shares(errors).items():
        if not counted.any():
            found[name] = Interval(0.0, open_share)
        elif counted.all():
            found[name] = Interval(1 - open_share, 1.0)
    return found


def interval_of(values: Array) -> Interval:
    """Return the middle 95 % of resampled values (RESAMPLES,), of which some may be infinite."""
    ordered, outside = np.sort(values), (1 - LEVEL) / 2
    low, high = (round(share * (len(ordered) - 1)) for share in (outside, 1 - outside))
    return Interval(float(ordered[low]), float(ordered[high]))


def to_dict(found: Mapping[str, Interval]) -> dict[str, list[float | None]]:
    """Return intervals for JSON, which has no infinity: an infinite end is None."""
    return {name: [value if np.isfinite(value) else None for value in ends] for name, ends in found.items()}


def _percentiles(errors: Array, stretch: NDArray[np.intp], drawn: Array) -> list[Array]:
    """Return the PERCENTILES (RESAMPLES,) of each resample: the first error that such a share of its frames stays
    within. errors (N,).

    Frames are counted by stretch and by rank among all, so that a resample is a product of matrices.
    """
    order = np.argsort(errors, kind="stable")
    ordered, count = errors[order], len(order)
    ranks = min(count, RANKS)
    rank = np.arange(count) * ranks // count
    table = np.bincount(stretch[order] * ranks + rank, minlength=drawn.shape[1] * ranks)
    below = drawn.astype(np.float32) @ np.cumsum(table.reshape(-1, ranks), axis=1).astype(np.float32)
    last_of_rank = np.searchsorted(rank, np.arange(ranks), side="right") - 1
    found = []
    for share in PERCENTILES.values():
        reached = np.count_nonzero(below < share * below[:, -1:], axis=1)
        found.append(np.asarray(ordered[last_of_rank[np.minimum(reached, ranks - 1)]]))
    return found
