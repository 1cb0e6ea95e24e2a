"""What a levelled reconstruction shows on a floor plan: wall points, floor that was seen through, and the path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from campose_core.errors import AlignmentError
from campose_core.geometry import Array
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.planes import surface_points

UPRIGHT_SLOPE = 0.3  # z of a wall's normal, at most
CELL = 0.015  # of the viewing distance: landmarks in one such square of the plan are one wall point
SIGHT_CELL = 0.04
MAX_SIGHTS = 40_000
MIN_WALL_POINTS = 50
FLAT_ENOUGH = 0.5  # looser than for levelling: an image frame or a shelf is a wall here


@dataclass(frozen=True, eq=False)
class Outline:
    """In the units of the landmarks, z up.

    walls (N, 2), their headings (N,) in radians (which way the wall faces) and wall_weights (N,); free (M, 2): places
    that lines of sight pass over; path (K, 2) of the cameras; floor: height or None; camera_height: the median one;
    depth: the median viewing distance; first_heading: of the first camera's view, radians.
    """

    walls: Array
    headings: Array
    wall_weights: Array
    free: Array
    path: Array
    floor: float | None
    camera_height: float
    depth: float
    first_heading: float


def outline(levelled: Landmarks, floor: float | None) -> Outline:
    """Trace the outline of landmarks whose z is up; floor: its height in their units, if known.

    Raises:
        AlignmentError: hardly any landmark lies on an upright surface.
    """
    points = surface_points(levelled, FLAT_ENOUGH)
    upright = np.abs(points.normals[:, 2]) < UPRIGHT_SLOPE
    if floor is not None:
        upright &= points.xyz[:, 2] > floor + 0.02 * points.depth
    xy, normals = points.xyz[upright, :2], points.normals[upright, :2]
    walls, headings, weights = _merged(xy, np.arctan2(normals[:, 1], normals[:, 0]), CELL * points.depth)
    if len(walls) < MIN_WALL_POINTS:
        raise AlignmentError(f"only {len(walls)} wall points were reconstructed: record the walls too")
    view = Rotation.from_quat(levelled.frame_quats_xyzw[0]).apply([0.0, 0.0, 1.0])
    return Outline(
        walls, headings, weights, _seen_through(levelled, walls, points.depth), levelled.frame_positions[:, :2],
        floor, float(np.median(levelled.frame_positions[:, 2])), points.depth, float(np.arctan2(view[1], view[0])),
    )  # fmt: skip


def _merged(xy: Array, headings: Array, cell: float) -> tuple[Array, Array, Array]:
    """One point for the landmarks in a square that face the same way, so that texture does not outvote length."""
    facing = np.floor(headings / (np.pi / 4) + 0.5).astype(np.int64) % 8
    keys = _numbered(np.floor(xy / cell).astype(np.int64)) * 8 + facing
    _, index, count = np.unique(keys, return_inverse=True, return_counts=True)

    def mean(values: Array) -> Array:
        return np.asarray(np.bincount(index, values) / count)

    heading = np.arctan2(mean(np.sin(headings)), mean(np.cos(headings)))
    kept = count >= 2
    return np.column_stack([mean(xy[:, 0]), mean(xy[:, 1])])[kept], heading[kept], np.sqrt(np.minimum(count, 9))[kept]


def _seen_through(levelled: Landmarks, walls: Array, depth: float) -> Array:
    """Centres of the squares that several lines of sight to landmarks at most as high as the camera cross."""
    cameras, seen = levelled.frame_positions[levelled.observed_by], levelled.xyz[levelled.observed]
    chosen = np.flatnonzero((seen[:, 2] < cameras[:, 2]) & (np.linalg.norm(seen - cameras, axis=1) < 3 * depth))
    if len(chosen) > MAX_SIGHTS:
        chosen = np.random.default_rng(0).choice(chosen, MAX_SIGHTS, replace=False)
    cell = SIGHT_CELL * depth
    start, way = cameras[chosen, :2], seen[chosen, :2] - cameras[chosen, :2]
    keys = []
    for share in np.linspace(0.05, 0.9, 60):
        keys.append(np.floor((start + share * way) / cell).astype(np.int64))
    crossed = np.concatenate(keys)
    _, first, count = np.unique(_numbered(crossed), return_index=True, return_counts=True)
    centres = (crossed[first[count >= 3]] + 0.5) * cell
    if len(centres) == 0:
        return levelled.frame_positions[:, :2]
    apart, _ = cKDTree(walls).query(centres)
    return np.asarray(centres[apart > 1.5 * cell])


def _numbered(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number for each cell (N, 2): sorting numbers is many times faster than sorting rows."""
    if len(cells) == 0:
        return np.zeros(0, dtype=np.int64)
    low, high = cells.min(axis=0), cells.max(axis=0)
    return np.asarray((cells[:, 0] - low[0]) * (high[1] - low[1] + 1) + cells[:, 1] - low[1])
