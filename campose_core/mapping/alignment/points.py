"""`map_from_sfm` from point pairs: all of them where a person chose them, those that agree where a sensor did."""

from __future__ import annotations

import numpy as np

from campose_core.errors import AlignmentError, GeometryError
from campose_core.geometry import Array, Similarity, umeyama
from campose_core.scene import Alignment

RANSAC_TRIALS = 500


def align_to_points(points_sfm: Array, points_map: Array) -> Alignment:
    """`map_from_sfm` from three or more point pairs (N, 3): Umeyama's SVD on all of them, as a person chose them.

    Raises:
        AlignmentError: fewer than three pairs, or all on one line.
    """
    similarity = umeyama_or_advice(points_sfm, points_map)
    residual = np.linalg.norm(similarity.transform(points_sfm) - points_map, axis=1)
    return Alignment(
        similarity,
        "point pairs",
        {"pairs": float(len(residual)), "median_m": float(np.median(residual)), "max_m": float(residual.max())},
    )


def robust_umeyama(source: Array, target: Array) -> Similarity:
    """Umeyama on the pairs that agree: RANSAC over triples by median residual, then trimmed refits.

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
    try:
        return umeyama(source, target)
    except GeometryError as error:
        raise AlignmentError(f"{error} (a turn in the path, or a point pair off the line)") from error
