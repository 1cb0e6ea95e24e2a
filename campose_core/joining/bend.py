"""A map beside positions that are known from elsewhere: what is a bend of it, what their noise, and which are wild."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from campose_core.geometry import Array
from campose_core.statistics import robust_sigma

MIN_ALONG = 10  # positions, to tell a bend from noise
AROUND = 5  # images on either side, whose offset is alike where a map is bent
PER_AXIS = 0.65  # standard deviation on each of three axes, for a median distance of 1: 1 / sqrt(chi2.ppf(0.5, 3))
OF_A_WALK = 20  # of these a bend may have two periods: 5 on either side from 100 on
# Of the numbers of a similarity, to an axis. A map that was put straight follows in its shape too: of two streets, with
# 0.3 m and 1 m of noise, as if by 1 to 9 numbers more.
RIGID, SHAPE = 3.0, 9.0
WILD = 4.0  # standard deviations from these, for a position that is none


def noise_along(offsets: Array, least: float) -> tuple[float, NDArray[np.bool_]]:
    """Tell noise (standard deviation on an axis) from what is alike in neighbours; and which positions are wild (N,).

    offsets: (N, 3) of a map from the positions, in time order. least: what is no noise yet.
    """
    off = offsets - _alike(offsets, AROUND)
    wild = np.linalg.norm(off, axis=1) > WILD * np.sqrt(3.0) * max(robust_sigma(off), least)
    return _noise(offsets), wild


def bend_along(offsets: Array, followed: float = RIGID) -> float:
    """Measure a bend: the median length of what is alike in neighbours, less what noise leaves in it, and what noise
    leaves open of where the whole lies.

    offsets: (N, 3) of a map from positions, or from orientations as rotation vectors, in time order; noise may be many
    times the bend. Few of them are compared with fewer neighbours, over which a bend is still straight. followed: how
    many numbers to an axis were chosen by these positions, and so followed their noise.
    """
    around, variance = min(AROUND, len(offsets) // OF_A_WALK), (_noise(offsets) / PER_AXIS) ** 2
    alike = np.median(np.linalg.norm(_alike(offsets, around), axis=1)) ** 2
    left = variance * (np.pi / 2.0 / (2 * around + 1) if around else 1.0)  # pi / 2: of a median
    return float(np.sqrt(max(alike - left, 0.0) + followed * variance / len(offsets)))


def _alike(offsets: Array, around: int) -> Array:
    windows = [offsets[max(0, row - around) : row + around + 1] for row in range(len(offsets))]
    return np.array([np.median(window, axis=0) for window in windows])


def _noise(offsets: Array) -> float:
    # The second difference of a bend is next to nothing, that of noise has 1 + 4 + 1 times its variance.
    return robust_sigma(np.diff(offsets, 2, axis=0)) / np.sqrt(6.0)
