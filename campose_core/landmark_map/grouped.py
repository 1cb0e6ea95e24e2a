"""The index over observations: which landmarks a keyframe sees, and which keyframes see a landmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Grouped:
    """Values by key in one flat array (CSR): the values of key k are values[starts[k] : starts[k + 1]].

    keys, values (K,): pairs in any order; those of one key keep theirs. count: of keys, 0 .. count - 1.
    """

    def __init__(self, keys: NDArray[np.integer], values: NDArray[np.integer], count: int) -> None:
        self._values = values[np.argsort(keys, kind="stable")]
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=count))])

    def __len__(self) -> int:
        return len(self._starts) - 1

    def counts(self, keys: NDArray[np.integer]) -> NDArray[np.intp]:
        """Return how many values (M,) each of these keys (M,) has."""
        return np.asarray(self._starts[keys + 1] - self._starts[keys])

    def of(self, keys: Sequence[int] | NDArray[np.integer]) -> NDArray[Any]:
        """Return the values of all these keys, one after the other."""
        rows = np.asarray(keys, dtype=np.intp)
        lengths = self.counts(rows)
        offsets = np.cumsum(lengths) - lengths
        return self._values[np.arange(lengths.sum()) + np.repeat(self._starts[rows] - offsets, lengths)]
