"""Whether a level plane is the floor that a camera was carried over: a table that was filmed is level, too."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull, Delaunay, QhullError

from campose_core.geometry import Array
from campose_core.mapping.alignment.level import level_rotation
from campose_core.mapping.landmarks import Landmarks
from campose_core.mapping.surfaces_seen import MIN_VIEWS

# Shares of the median distance that landmarks are seen from.
ON_FLOOR, FARTHEST = 0.03, 3.0
# Of the landmarks that can be trusted, those below the plane: none but errors and reflections under a floor (0.8 % in a
# kitchen, 4 % under the polished floor of a lobby), what stands around it under a table (23 %).
MOST_BELOW = 0.05
# Of the keyframes, those with the plane below them: nobody stands on a table (0 % of a desk; 23 % and 55 % of these
# two floors, of which little was seen, and all of a floor that was walked through both ways).
LEAST_ABOVE = 0.1
OUTERMOST = 97  # percentile of the landmarks on a plane, from their middle: the others may lie on something else


def is_stood_on(landmarks: Landmarks, up: Array, height: float) -> bool:
    """Whether the plane at `height` along the unit vector `up` (3,) is lower than all else, and cameras were above it.

    Scale plays no part: all is measured by the median distance that landmarks are seen from.
    """
    cameras, seen = landmarks.frame_positions[landmarks.observed_by], landmarks.xyz[landmarks.observed]
    distance = np.linalg.norm(seen - cameras, axis=1)
    depth = float(np.median(distance)) if len(distance) else 0.0
    nearest = np.full(len(landmarks.xyz), np.inf)
    np.minimum.at(nearest, landmarks.observed, distance)
    views = np.bincount(landmarks.observed, minlength=len(landmarks.xyz))
    trusted = landmarks.xyz[(views >= MIN_VIEWS) & (nearest < FARTHEST * depth)]
    above = trusted @ up - height
    if not len(above) or np.mean(above < -ON_FLOOR * depth) > MOST_BELOW:
        return False
    level_from_sfm = level_rotation(up)
    on_plane = level_from_sfm.apply(trusted[np.abs(above) < ON_FLOOR * depth])[:, :2]
    feet = level_from_sfm.apply(landmarks.frame_positions)[:, :2]
    return bool(np.mean(_inside(on_plane, feet)) >= LEAST_ABOVE)


def _inside(points: Array, asked: Array) -> Array:
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
