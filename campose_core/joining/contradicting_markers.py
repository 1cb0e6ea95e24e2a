"""Printed markers whose measured places, or whose size, the reconstruction contradicts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from campose_core.errors import GeometryError
from campose_core.geometry import Array, umeyama
from campose_core.joining.contradicting_pairs import largest_by_hand, odd_one_out

# A printer is a percent off, and a small marker's edge is seen to some; the white around a marker makes a quarter.
LARGEST_SIZE_OFF = 0.1


def marker_contradiction(source: Array, target: Array, numbers: Sequence[int], size_ratio: float) -> str | None:
    """Say what is wrong with the places of markers; None where they fit the reconstruction, and their size them.

    source, target (4 N, 3): the corners of the N markers in sfm, and in the map as place and size put them, metres.
    size_ratio: how much larger their size makes the map than their places do.
    """
    off = _off(source, target, np.arange(len(source), dtype=np.int64))
    largest = largest_by_hand(target)
    if off.max() > largest:
        said = f"the places of the markers contradict each other by up to {off.max():.2f} m"
        if len(numbers) > 2:
            rows, corners = np.arange(len(source), dtype=np.int64), (len(numbers), 4)
            without = [np.delete(rows, slice(4 * i, 4 * i + 4)) for i in range(len(numbers))]
            worst, apart, others = odd_one_out([_off(source, target, kept).reshape(corners) for kept in without])
            if others <= largest:
                return f"{said}; marker {numbers[worst]} is {apart:.2f} m from where the others put it"
        named = ", ".join(map(str, numbers))
        return f"{said} ({named}): numbers exchanged, a place of another frame, or a quaternion that is not x, y, z, w?"
    if abs(size_ratio - 1) > LARGEST_SIZE_OFF:
        return (
            f"size_m is {size_ratio:.2f} times what the places of the markers make of it: it is the edge of the black "
            "square, without the white around it"
        )
    return None


def _off(source: Array, target: Array, rows: NDArray[np.int64]) -> Array:
    """Return how far all pairs are off (N,), once those of `rows` are laid onto each other; infinite: they cannot."""
    try:
        fit = umeyama(source[rows], target[rows])
    except GeometryError:  # what is left lies on a line
        return np.full(len(source), np.inf)
    return np.asarray(np.linalg.norm(fit.transform(source) - target, axis=1))
