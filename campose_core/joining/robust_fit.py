"""One similarity out of pairs of points, some of which are wild; and the rotation that most agree on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from campose_core.errors import AlignmentError, GeometryError
from campose_core.geometry import Array, Similarity, rotation_angle, umeyama

RANSAC_TRIALS = 500


def robust_umeyama(source: Array, target: Array) -> Similarity:
    """Find `target_from_source` by Umeyama on the pairs (N, 3) that agree.

    RANSAC over triples by median residual, then trimmed refits.

    Raises:
        AlignmentError: the points lie on one line.
    """
    generator = np.random.default_rng(0)
    best, best_median = None, np.inf
    for _ in range(min(RANSAC_TRIALS, 20 * len(source))):
        triple = generator.choice(len(source), 3, replace=False)
        try:
            candidate = umeyama(source[triple], target[triple])
        except GeometryError:
            continue
        median = float(np.median(np.linalg.norm(candidate.transform(source) - target, axis=1)))
        if median < best_median:
            best, best_median = candidate, median
    if best is None:
        return umeyama_or_advice(source, target)
    for _ in range(10):
        residual = np.linalg.norm(best.transform(source) - target, axis=1)
        agreeing = residual <= max(3.0 * float(np.median(residual)), 1e-9)
        best = umeyama_or_advice(source[agreeing], target[agreeing])
    return best


def umeyama_or_advice(source: Array, target: Array) -> Similarity:
    """Find `target_from_source` by Umeyama on all pairs (N, 3), with a refusal that tells a person what to change.

    Raises:
        AlignmentError: fewer than three pairs, or all on one line.
    """
    try:
        return umeyama(source, target)
    except GeometryError as error:
        raise AlignmentError(f"{error} (a turn in the path, or a point pair off the line)") from error


def median_rotation(rotations: Rotation) -> Rotation:
    """Return the rotation with the smallest summed angle to a sample of the others."""
    step = max(1, len(rotations) // 100)
    sample = rotations[::step]
    totals: NDArray[np.float64] = np.array([rotation_angle(candidate.inv() * sample).sum() for candidate in sample])
    return sample[int(np.argmin(totals))]
