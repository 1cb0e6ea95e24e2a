"""How high above the floor a camera was carried, in the units of its map: where a floor was seen that it stood over.

A floor is what lies lowest, open to above, and below the cameras. A table that was filmed is level, too; but nobody
stands on it, and what is around it lies lower.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, Delaunay, QhullError, cKDTree

from campose_core.alignment.solvers.level import level_rotation
from campose_core.geometry import Array
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.planes import MIN_VIEWS

# Lengths are shares of the median distance that landmarks are seen from.
FARTHEST = 2.0  # a landmark that was not seen from nearer says little of heights
NEIGHBOURS = 1.0  # keyframes this near tell at which height the camera was carried here: a map may bend, or have steps
SLAB = 0.03  # half of the thickness of a floor: errors of the level and of landmarks
STEP = 0.01
BESIDE = 0.05  # a landmark with others above it, no farther aside than this, is part of a wall or of a thing
# Of the landmarks, and at least so many, that lie open in the slab of a floor: 2.4 % in a kitchen, 4 % in a rendered
# room; between the walls of a room without a floor there are none.
OPEN_SHARE, MIN_OPEN = 0.01, 20
# Of the landmarks, those below the floor: none but errors and reflections (1 % in the kitchen); what stands around it,
# below a table (23 %).
MAX_BELOW = 0.05
# Of the keyframes, those with the floor below them: 0 % of a desk; 29 % in the kitchen, of whose floor little was seen.
MIN_ABOVE = 0.1
OUTERMOST = 97  # percentile of the landmarks of a floor, from their middle: the others may lie on something else


def carried_height(landmarks: Landmarks, up: Array) -> float | None:
    """Measure the median height of the cameras above the floor, in units of the map.

    None where no floor was seen that they stood over. up: (3,), unit.
    """
    cameras, seen = landmarks.frame_positions[landmarks.observed_by], landmarks.xyz[landmarks.observed]
    distance = np.linalg.norm(seen - cameras, axis=1)
    depth = float(np.median(distance)) if len(distance) else 0.0
    if not depth > 0.0:
        return None
    level_from_sfm = level_rotation(up)
    feet = level_from_sfm.apply(landmarks.frame_positions) / depth
    points = level_from_sfm.apply(landmarks.xyz) / depth
    views = np.bincount(landmarks.observed, minlength=len(points))
    carried = np.bincount(landmarks.observed, _heights_around(feet)[landmarks.observed_by], minlength=len(points))
    points[:, 2] -= carried / np.maximum(views, 1)
    nearest = np.full(len(points), np.inf)
    np.minimum.at(nearest, landmarks.observed, distance / depth)
    points = points[(views >= MIN_VIEWS) & (nearest < FARTHEST)]
    floor = _lowest_open(points)
    if floor is None or np.mean(points[:, 2] < floor - SLAB) > MAX_BELOW:
        return None
    on_floor = points[np.abs(points[:, 2] - floor) < SLAB, :2]
    return -floor * depth if np.mean(_inside(on_floor, feet[:, :2])) >= MIN_ABOVE else None


def _heights_around(feet: Array) -> Array:
    """Return the median height (F,) of the cameras around each of the cameras `feet` (F, 3)."""
    near = cKDTree(feet[:, :2]).query_ball_point(feet[:, :2], NEIGHBOURS)
    return np.array([np.median(feet[rows, 2]) for rows in near])


def _lowest_open(points: Array) -> float | None:
    """Find the height of the lowest level on which enough points (N, 3) lie that have no other above them.

    Below the cameras at height 0; None where they do not lie on a level, but at all heights from some on.
    """
    below = points[points[:, 2] < 0.0]
    heights = np.sort(below[_open(below), 2])
    least = max(MIN_OPEN, round(OPEN_SHARE * len(points)))
    if len(heights) < least:
        return None
    middles = np.arange(heights[0], 0.0, STEP)
    counts = _within(heights, middles)
    enough = np.flatnonzero(counts >= least)
    if not len(enough):
        return None
    slab = round(2 * SLAB / STEP)
    peak = enough[0] + int(np.argmax(counts[enough[0] : enough[0] + slab + 1]))
    if counts[peak : peak + 2 * slab + 1].min() > counts[peak] / 2:
        return None
    return float(np.median(heights[np.abs(heights - middles[peak]) < SLAB]))


def _within(heights: Array, middles: Array) -> NDArray[np.int64]:
    """How many of the sorted heights lie in the slab around each middle."""
    return np.asarray(np.searchsorted(heights, middles + SLAB) - np.searchsorted(heights, middles - SLAB))


def _open(points: Array) -> NDArray[np.bool_]:
    """Which points (N, 3) have no other above them, beyond the thickness of a floor."""
    if not len(points):
        return np.zeros(0, dtype=bool)
    tree = cKDTree(points[:, :2])
    pairs = tree.query_pairs(BESIDE, output_type="ndarray")
    higher = points[pairs[:, 1], 2] - points[pairs[:, 0], 2]
    is_open = np.ones(len(points), dtype=bool)
    is_open[pairs[higher > 2 * SLAB, 0]] = False
    is_open[pairs[higher < -2 * SLAB, 1]] = False
    return is_open


def _inside(points: Array, asked: Array) -> NDArray[np.bool_]:
    """Which of `asked` (N, 2) lie among `points` (M, 2): within their convex hull, but for the outermost of them."""
    if len(points) < 3:
        return np.zeros(len(asked), dtype=bool)
    off = np.linalg.norm(points - np.median(points, axis=0), axis=1)
    points = points[off <= np.percentile(off, OUTERMOST)]
    try:
        corners = points[ConvexHull(points).vertices]
        return np.asarray(Delaunay(corners).find_simplex(asked) >= 0)
    except QhullError:  # fewer than three of them, or all on a line
        return np.zeros(len(asked), dtype=bool)
