"""A floor map from the recording itself: landmarks stand in the way, lines of sight and the walked path are free.

What a robot drives through must be free from the ground up. A line of sight over a table says nothing of the floor
below it, so that only its part below knee height counts; what nobody saw stays unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from campose_core.errors import FloorError
from campose_core.floor import FREE, OCCUPIED, UNKNOWN, FloorMap
from campose_core.geometry import Array
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.levelling import level
from campose_core.landmark_map.planes import MIN_VIEWS

Grid = NDArray[np.float64]

RESOLUTION = 0.05  # metres per cell
GROUND_M, KNEE_M, ROBOT_M = 0.06, 0.35, 1.0  # above the floor: landmarks on it, low sight lines, what is in the way
CAMERA_HEIGHTS_M = (0.1, 2.5)
MARGIN_M = 0.5
FARTHEST = 3.0  # in median viewing distances: landmarks that were only seen from farther away are too uncertain
MAX_SIGHTS = 300_000
MIN_SIGHTS, MIN_STANDING = 2.0, 2.0  # sight lines through, and landmarks in, a cell and half of those beside it
OUTVOTED = 1.0  # sight lines that pass a cell, for each that ends there: so many go through no wall
GAP_M = 0.15  # of the free floor between sight lines, closed
MAX_CELLS = 16_000_000  # 200 m by 200 m: minutes of work, and few recordings walk so far
JUMP_M = 1.0  # two frames farther apart were not walked between


@dataclass(frozen=True, eq=False)
class _Canvas:
    """The cells of the map to be: its corner (x, y) and shape (rows, cols)."""

    corner: Array
    shape: tuple[int, int]

    def count(self, xy: Array) -> Grid:
        """How many points (N, 2) lie in each cell."""
        row, column, _ = self._cells_of(xy)
        flat = row * self.shape[1] + column
        return np.bincount(flat, minlength=self.shape[0] * self.shape[1]).reshape(self.shape).astype(np.float64)

    def look_up(self, cells: NDArray[np.bool_], xy: Array) -> NDArray[np.bool_]:
        """Return the cell of each point (N, 2); False beyond the map."""
        row, column, inside = self._cells_of(xy)
        found = np.zeros(len(xy), dtype=bool)
        found[inside] = cells[row, column]
        return found

    def _cells_of(self, xy: Array) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Return the rows and columns of the points that are on the map, and which of the points (N,) these are."""
        column, row = np.floor((xy - self.corner) / RESOLUTION).astype(np.int64).T
        inside = (row >= 0) & (row < self.shape[0]) & (column >= 0) & (column < self.shape[1])
        return row[inside], column[inside], inside


def floor_from_landmarks(
    landmarks: Landmarks, paths: Sequence[Array], radius_m: float, floor_z: float | None = None
) -> FloorMap:
    """Make a map of free, occupied and unknown cells of 5 cm.

    landmarks: in the map frame (metres, z up). paths: one (N, 2) for each recording, where the camera was carried; the
    floor `radius_m` around it is free. floor_z: where the floor is known to be; None takes the one that was seen.

    Raises:
        FloorError: the landmarks are not metric and level, nobody walked, or the map would have too many cells.
    """
    floor_z = _floor_height(landmarks) if floor_z is None else floor_z
    walked_points = np.concatenate([*(_filled_in(path) for path in paths), np.empty((0, 2))])
    if len(walked_points) == 0:
        raise FloorError("no frame has a pose in the map: nobody walked there, so that nothing is known to be free")
    cameras, seen = landmarks.frame_positions[landmarks.observed_by], landmarks.xyz[landmarks.observed]
    distance = np.linalg.norm(seen - cameras, axis=1)
    nearest = np.full(len(landmarks.xyz), np.inf)
    np.minimum.at(nearest, landmarks.observed, distance)
    views = np.bincount(landmarks.observed, minlength=len(landmarks.xyz))
    trusted = (views >= MIN_VIEWS) & (nearest < FARTHEST * float(np.median(distance)))
    height = landmarks.xyz[:, 2] - floor_z
    standing = trusted & (height > GROUND_M) & (height < ROBOT_M)
    canvas = _canvas_around(np.vstack([walked_points, landmarks.xyz[standing, :2]]))

    low = trusted[landmarks.observed] & (seen[:, 2] - floor_z < KNEE_M)
    sights = _low_sights(canvas, cameras[low], seen[low], floor_z)
    ground = canvas.count(landmarks.xyz[trusted & (np.abs(height) <= GROUND_M), :2])
    in_the_way = canvas.count(landmarks.xyz[standing, :2])
    support = in_the_way + 0.5 * (ndimage.uniform_filter(in_the_way, 3, mode="constant") * 9 - in_the_way)
    ending = canvas.count(seen[standing[landmarks.observed], :2])
    occupied = (in_the_way > 0) & (support >= MIN_STANDING) & (sights < OUTVOTED * ending)
    # What lies behind something is seen over it or in a mirror.
    barrier = occupied | ndimage.binary_closing(occupied, np.ones((3, 3), dtype=bool))
    sights = _low_sights(canvas, cameras[low], seen[low], floor_z, barrier)
    walked = ndimage.distance_transform_edt(canvas.count(walked_points) == 0) * RESOLUTION <= radius_m + RESOLUTION
    free = walked | ((sights + MIN_SIGHTS * (ground > 0) >= MIN_SIGHTS) & ~occupied)
    free = _without_gaps(free, occupied & ~walked)
    # Single lines of sight to false landmarks behind a wall are no floor.
    free = _connected(walked | ndimage.binary_opening(free, np.ones((3, 3), dtype=bool)), walked)
    cells = np.where(free, FREE, np.where(occupied & ~walked, OCCUPIED, UNKNOWN)).astype(np.int8)
    return FloorMap(cells, RESOLUTION, (float(canvas.corner[0]), float(canvas.corner[1]), 0.0))


def _floor_height(landmarks: Landmarks) -> float:
    """z of the floor: the lowest large level plane, or 0 where none was seen."""
    levelled = level(landmarks)
    tilt = float(np.degrees(np.arccos(np.clip(levelled.up[2], -1, 1))))
    if tilt > 10:
        raise FloorError(f"the scene lies {tilt:.0f} degrees out of level: align it anew before making a floor map")
    floor_z = 0.0 if levelled.floor is None else levelled.floor
    above = float(np.median(landmarks.frame_positions[:, 2])) - floor_z
    if not CAMERA_HEIGHTS_M[0] <= above <= CAMERA_HEIGHTS_M[1]:
        raise FloorError(
            f"the cameras would be {above:.2f} m above the floor: is the scene aligned in metres, with "
            "z = 0 on the floor?"
        )
    return floor_z


def _filled_in(path: Array) -> Array:
    """Points of a path at most half a cell apart; where it jumps, nothing is filled in."""
    parts = [path[:1]]
    for start, end in pairwise(path):
        length = float(np.linalg.norm(end - start))
        steps = 1 if length > JUMP_M else max(1, round(2 * length / RESOLUTION))
        parts.append(start + np.linspace(0, 1, steps + 1)[1:, None] * (end - start))
    return np.concatenate(parts)


def _canvas_around(xy: Array) -> _Canvas:
    low, high = xy.min(axis=0) - MARGIN_M, xy.max(axis=0) + MARGIN_M
    corner = np.floor(low / RESOLUTION) * RESOLUTION
    wide, deep = (high - corner).tolist()
    if wide * deep > MAX_CELLS * RESOLUTION**2:
        raise FloorError(
            f"the floor would be {wide:.0f} m by {deep:.0f} m, too large to be drawn from a recording: is the scale "
            "right? (a floor map of your own: `campose floor --map`)"
        )
    columns, rows = np.ceil((high - corner) / RESOLUTION).astype(int)
    return _Canvas(corner, (int(rows), int(columns)))


def _low_sights(
    canvas: _Canvas, cameras: Array, seen: Array, floor_z: float, occupied: NDArray[np.bool_] | None = None
) -> Grid:
    """How many lines of sight cross each cell below knee height, up to a cell before the landmark they end at, or up to
    the first occupied cell."""
    if len(seen) > MAX_SIGHTS:
        chosen = np.random.default_rng(0).choice(len(seen), MAX_SIGHTS, replace=False)
        cameras, seen = cameras[chosen], seen[chosen]
    drop = np.maximum(cameras[:, 2] - seen[:, 2], 1e-9)
    start = np.clip((cameras[:, 2] - floor_z - KNEE_M) / drop, 0.0, 1.0)  # where it sinks below the knee
    length = np.linalg.norm(seen[:, :2] - cameras[:, :2], axis=1)
    end = 1.0 - 1.5 * RESOLUTION / np.maximum(length, 1e-9)
    total = np.zeros(canvas.shape)
    longest = int(np.ceil(np.max((end - start) * length, initial=0.0) / RESOLUTION))
    for step in range(longest):
        share = start + step * RESOLUTION / np.maximum(length, 1e-9)
        there = np.flatnonzero(share <= end)
        points = cameras[there, :2] + share[there, None] * (seen - cameras)[there, :2]
        if occupied is not None:
            stopped = canvas.look_up(occupied, points)
            end[there[stopped]] = -1.0
            points = points[~stopped]
        total += canvas.count(points)
    return total


def _without_gaps(free: NDArray[np.bool_], occupied: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Free floor with the gaps between lines of sight closed, but for what is occupied."""
    wide = round(GAP_M / RESOLUTION) | 1
    closed = ndimage.binary_closing(np.pad(free, wide), np.ones((wide, wide), dtype=bool))[wide:-wide, wide:-wide]
    return np.asarray((free | closed) & ~occupied)


def _connected(free: NDArray[np.bool_], walked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the parts of the free floor that the path touches."""
    parts, count = ndimage.label(free)
    touched = np.zeros(count + 1, dtype=bool)
    touched[np.unique(parts[walked & free])] = True
    touched[0] = False
    return np.asarray(touched[parts])
