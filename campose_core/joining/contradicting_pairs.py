"""Point pairs by hand that no similarity fits: which of them is wrong, or that the axes are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from campose_core.errors import GeometryError
from campose_core.geometry import Array, Similarity, umeyama

# What hands do: a click is a pixel or two off, a tape measure a few centimetres; in metres and of the points' spread.
MAX_OFF_M, MAX_OFF_SHARE = 0.15, 0.02
# The fit follows a wrong one of three or four pairs, so that less of its error is left; from so many on most is.
ENOUGH = 5
# By how much the mirror image must fit better, and what measured pairs are off anyway: those of a walk lie nearly in a
# plane, of which the mirror image fits, too.
MIRROR_TIMES, NOISE_M = 5.0, 0.03


def largest_by_hand(target: Array) -> float:
    """Return by how much pairs that were measured by hand at `target` (N, D), metres, may be off from each other."""
    return max(MAX_OFF_M, MAX_OFF_SHARE * float(np.linalg.norm(np.ptp(target, axis=0))))


def contradiction(source: Array, target: Array, names: Sequence[str]) -> str | None:
    """Say what is wrong with pairs (N, 3) and (N, 3), metres; None where `target_from_source` fits them all.

    names: of each pair, for people.

    Raises:
        GeometryError: fewer than three pairs, or all on one line.
    """
    off = float(_off(umeyama(source, target), source, target).max())
    if len(source) > 3 and off > NOISE_M:
        mirrored = target * [-1.0, 1.0, 1.0]
        if _off(umeyama(source, mirrored), source, mirrored).max() * MIRROR_TIMES < off:
            return "the points fit only as a mirror image: left-handed coordinates, or two axes swapped?"
    if off <= largest_by_hand(target) * min(1.0, (len(source) - 1) / (ENOUGH - 1)):
        return None
    said = f"the point pairs contradict each other by up to {off:.2f} m"
    if len(source) == 3:
        return f"{said}: one of the three is wrong; a fourth would show which ({', '.join(names)})"
    worst, apart, others = odd_one_out([_off(_without(i, source, target), source, target) for i in range(len(source))])
    said += f"; {names[worst]} is {apart:.2f} m from where the others put it"
    if others <= largest_by_hand(target):
        return said
    return f"{said}, and without it they are off by up to {others:.2f} m: others are wrong, too, or the map is bent"


def _off(fit: Similarity, source: Array, target: Array) -> Array:
    return np.asarray(np.linalg.norm(fit.transform(source) - target, axis=1))


def _without(pair: int, source: Array, target: Array) -> Similarity:
    """Fit the others; all of them, where the others are on one line."""
    kept = np.delete(np.arange(len(source)), pair)
    try:
        return umeyama(source[kept], target[kept])
    except GeometryError:
        return umeyama(source, target)


def odd_one_out(offs: Sequence[Array]) -> tuple[int, float, float]:
    """Find what the others agree best without, how far they put it from where it says, and by how much they are off.

    offs: for each, how far all of them (N, ...) are off once the others are laid onto each other.
    """
    found = [(float(np.delete(off, i, axis=0).max()), i) for i, off in enumerate(offs)]
    others, worst = min(found)
    return worst, float(offs[worst][worst].mean()), others
