"""The pose of a body by matches of which most may be wrong: RANSAC over triples.

Fischler and Bolles, "Random sample consensus", 1981, scored as by Torr and Zisserman, "MLESAC", 2000 (MSAC): three
matches of one camera give a few poses, and of all poses the one counts by which the matches of all cameras are least
off, each by its bound at most. What agrees with a pose of three noisy matches refines it before it is judged (Chum,
Matas and Kittler, "Locally optimized RANSAC", 2003).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from campose_core.geometry import Array, Pose
from campose_core.landmark_map.pose_refinement import offsets_of, refined_pose
from campose_core.landmark_map.sightings import Sightings
from campose_core.landmark_map.three_points import poses_of_three

CONFIDENCE = 0.9999  # that one triple without a wrong match was among those tried
BATCHES = (32, 96, 256)  # triples at once; then as many as the last
LEAST_AGREEING = 8  # matches, to refine a pose of three of them


class _Scored(NamedTuple):
    """A body_from_world, its cost, and how many matches agree with it."""

    pose: Pose
    cost: float
    agreeing: int


def searched_pose(seen: Sightings, min_ratio: float) -> Pose | None:
    """Find a body_from_world that explains many matches; None where no camera has three, or no triple is any use.

    min_ratio: of right matches; with fewer of them the search may miss the pose, and it ends sooner.
    """
    groups = [rows for view in np.unique(seen.view) if len(rows := np.flatnonzero(seen.view == view)) >= 3]
    if not groups:
        return None
    generator = np.random.default_rng(0)
    best: Pose | None = None
    least, wanted, tried = np.inf, _trials(min_ratio), 0
    for size in _batches():
        triples = np.concatenate([_triples(rows, len(rows) / len(seen.rows) * size, generator) for rows in groups])
        rotations, translations = _poses(seen, triples)
        if len(rotations):
            costs, counts = _scores(seen, rotations, translations)
            row = int(np.argmin(costs))
            pose = Pose(Rotation.from_matrix(rotations[row]), translations[row])
            found = _refined(seen, _Scored(pose, float(costs[row]), int(counts[row])))
            if found.cost < least:
                least, best = found.cost, found.pose
                wanted = _trials(max(min_ratio, found.agreeing / len(seen.rows)))
        tried += size
        if tried >= wanted:
            return best
    raise AssertionError("batches have no end")


def _batches() -> Iterator[int]:
    yield from BATCHES
    while True:
        yield BATCHES[-1]


def _trials(ratio: float) -> float:
    return float(np.log(1 - CONFIDENCE) / np.log(max(1 - ratio**3, 1e-12)))


def _triples(rows: NDArray[np.intp], count: float, generator: np.random.Generator) -> NDArray[np.intp]:
    """Draw triples (K, 3) of different rows."""
    size, count = len(rows), int(np.ceil(count))
    first, second, third = (generator.integers(low, high, count) for low, high in ((0, size), (1, size), (1, size - 1)))
    third += third >= second
    return rows[np.stack([first, first + second, first + third], axis=1) % size]


def _poses(seen: Sightings, triples: NDArray[np.intp]) -> tuple[Array, Array]:
    """body_from_world of triples (K, 3) of one camera each: rotations (M, 3, 3) and translations (M, 3)."""
    rotations, translations, triple = poses_of_three(seen.bearings.T[triples], seen.xyz.T[triples])
    return rotations, translations + seen.seats.T[triples[triple, 0]]


def _refined(seen: Sightings, found: _Scored) -> _Scored:
    """Refine a pose by what agrees with it; as it is where that is no better."""
    if found.agreeing < LEAST_AGREEING:
        return found
    refined = refined_pose(seen.only(seen.agreeing(offsets_of(seen, found.pose))), found.pose)
    if refined is None:
        return found
    there = refined.body_from_world
    (cost,), (agreeing,) = _scores(seen, there.rotation.as_matrix()[None], there.translation[None])
    return _Scored(there, float(cost), int(agreeing)) if cost < found.cost else found


def _scores(seen: Sightings, rotations: Array, translations: Array) -> tuple[Array, Array]:
    """Cost of each pose (M,), and how many matches agree with it (M,)."""
    # Of as many poses as a cache holds the points of.
    points = rotations @ seen.xyz + translations[:, :, None] - seen.seats
    depth = np.einsum("in,min->mn", seen.bearings, points)
    x, y = np.einsum("kin,min->kmn", seen.by_point, points)
    # |A p|^2 < (bound b . p)^2, without a division
    bound = seen.max_error_px * np.maximum(depth, 0.0)
    share = np.divide(x * x + y * y, bound * bound, out=np.ones_like(depth), where=bound > 0)
    costs = (np.minimum(share, 1.0)).sum(axis=1)
    return costs, (share < 1.0).sum(axis=1)
