"""Frames of one recording put apart where their lens switches, by the focal length that each of them tells."""

from __future__ import annotations

import numpy as np

from campose_core.geometry import Array
from campose_core.statistics import robust_sigma

SWITCH = 0.04  # the least change of the logarithm that is a switch of the lens, and no noise
SWITCH_SPREADS = 4.0  # of the frames about their stretch
MIN_STRETCH = 3  # frames


def stretches_of(log_focal: Array) -> list[list[int]]:
    """Return rows of the frames by one focal length each, one after the other in time. log_focal (N,): of each."""
    return _split(log_focal, list(range(len(log_focal))))


def _split(values: Array, rows: list[int]) -> list[list[int]]:
    if not rows:
        return []
    x, best = values[rows], None
    for k in range(MIN_STRETCH, len(rows) - MIN_STRETCH + 1):
        before, after = np.median(x[:k]), np.median(x[k:])
        apart = np.concatenate([x[:k] - before, x[k:] - after])
        cost = float(np.abs(apart).sum())
        if best is None or cost < best[0]:
            nearer = np.abs(apart) < 0.5 * abs(after - before)
            clear = min(nearer[:k].mean(), nearer[k:].mean()) > 0.75
            switched = clear and abs(after - before) > max(SWITCH, SWITCH_SPREADS * robust_sigma(apart))
            best = cost, k, switched
    if best is None or not best[2]:
        return [rows]
    return _split(values, rows[: best[1]]) + _split(values, rows[best[1] :])
