"""What stands in the way of a look, told from the floor map and from what the keyframes have seen.

An occupied cell may be a wall or a table: the floor map does not say. A cell that keyframes have looked across is none
that hides anything.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from campose_core.floor import FloorMap
from campose_core.floorplan.fit import cells_hit
from campose_core.geometry import Array
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.snap_targets import Mask
from campose_core.statistics import evenly_spaced

RAYS = 360  # bearings around a place
SURFACE_M = 0.3  # landmarks lie on what hides others, and errors of map and plan add to that
REACH = 3.0  # of the distances that landmarks are seen from: nothing is recognized from farther away
LOOKED_ACROSS = 5  # times, by keyframes: a wrong landmark behind a wall makes no window
SAMPLED_LOOKS = 60_000


class LinesOfSight:
    """Which points a camera at some place can see, in plan.

    floor: in the map frame, as the landmarks whose observations show what can be looked across.
    """

    def __init__(self, floor: FloorMap, landmarks: Landmarks) -> None:
        self._floor = floor
        self.walls: Mask = floor.occupied & (looked_across(floor, landmarks) < LOOKED_ACROSS)
        sight = landmarks.sights
        reach = REACH * float(np.percentile(np.linalg.norm(sight, axis=1), 95)) / floor.resolution if len(sight) else 0
        self._steps = np.arange(0.5, max(1.0, min(np.hypot(*floor.shape), reach)))  # in cells
        bearings = 2 * np.pi * np.arange(RAYS) / RAYS - floor.origin[2]
        along = np.stack([np.cos(bearings), np.sin(bearings)], axis=-1)
        self._rays = self._steps[:, None, None] * along  # (samples, RAYS, 2) = (column, row)

    @staticmethod
    def reached(points: Array, position: Array, free: Array) -> Mask:
        """Tell whether no wall stands between `position` (2 or 3,) and each of the points (N, 2 or 3), metres.

        free (RAYS,): from `free_distance` of the position.
        """
        offset = points[:, :2] - position[:2]
        at = _ray(np.arctan2(offset[:, 1], offset[:, 0]))
        # The farthest of three neighbouring rays: the edge of a doorway must not hide what is beside it.
        farthest = np.maximum(np.maximum(free[at], free[(at + 1) % RAYS]), free[at - 1])
        return np.asarray(np.hypot(*offset.T) <= farthest + SURFACE_M)

    @staticmethod
    def towards(bearings: Array, free: Array) -> Array:
        """Return metres (B,) to the nearest wall at the bearings (B,), radians about z; free as in `reached`."""
        return np.asarray(free[_ray(bearings)])

    def between(self, first: Array, second: Array) -> bool:
        """Tell whether a wall stands between two places (2 or 3,), metres."""
        way = second[:2] - first[:2]
        enters, leaves = on_map(self._floor, first[None, :2], way[None])
        if leaves[0] < enters[0]:
            return False
        samples = 2 + int((leaves[0] - enters[0]) * np.linalg.norm(way) / self._floor.resolution)
        points = np.linspace(first[:2] + enters[0] * way, first[:2] + leaves[0] * way, samples)
        return bool(cells_hit(self.walls, self._floor, points).any())

    def free_distance(self, position: Array) -> Array:
        """Return metres (RAYS,) to the nearest wall at the bearings 2 pi i / RAYS about z; inf where there is none."""
        rows, columns = self.walls.shape
        cells = np.floor(self._floor.grid_of(position[:2]) + self._rays).astype(np.int32)
        column, row = cells[..., 0], cells[..., 1]
        outside = (column < 0) | (column >= columns) | (row < 0) | (row >= rows)
        hit = self.walls[np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)] & ~outside
        return np.where(hit.any(axis=0), self._steps[hit.argmax(axis=0)] * self._floor.resolution, np.inf)


def looked_across(floor: FloorMap, landmarks: Landmarks) -> NDArray[np.int64]:
    """Count how often (rows, cols) keyframes saw a landmark across each cell; a sample of their looks."""
    pick = evenly_spaced(len(landmarks.observed), SAMPLED_LOOKS)
    start = landmarks.frame_positions[landmarks.observed_by[pick], :2]
    offset = landmarks.xyz[landmarks.observed[pick], :2] - start
    length = np.maximum(np.hypot(*offset.T), 1e-9)
    enters, leaves = on_map(floor, start, offset) * length  # a landmark may be a thousand kilometres away
    ends = np.minimum(np.maximum(length - SURFACE_M, 0), leaves)
    counts = np.zeros(floor.occupancy.size, dtype=np.int64)
    columns = floor.shape[1]
    for step in np.arange(0.5 * floor.resolution, float((ends - enters).max(initial=0)), floor.resolution):
        going = enters + step < ends
        cells = floor.cell_of(start[going] + offset[going] * ((enters[going] + step) / length[going])[:, None])
        cells = cells[floor.contains(cells)]
        counts += np.bincount(cells[:, 0] * columns + cells[:, 1], minlength=counts.size)
    return counts.reshape(floor.shape)


def on_map(floor: FloorMap, start: Array, way: Array) -> Array:
    """Return from which to which part (2, N) of their ways (N, 2) from `start` (N, 2), metres, lines are on the map.

    Parts are 0 to 1; of a line that never is, the second is less than the first. Liang and Barsky, "A new concept and
    method for line clipping", ACM TOG 1984.
    """
    begin = floor.grid_of(start)
    along = floor.grid_of(start + way) - begin
    with np.errstate(divide="ignore", invalid="ignore"):
        borders = np.stack([-begin, np.array(floor.shape[::-1]) - begin]) / along
    enters, leaves = np.fmax.reduce(borders.min(axis=0), axis=-1), np.fmin.reduce(borders.max(axis=0), axis=-1)
    return np.stack([np.fmax(enters, 0.0), np.fmin(leaves, 1.0)])


def _ray(bearings: Array) -> NDArray[np.int64]:
    return np.asarray(np.round(bearings / (2 * np.pi) * RAYS).astype(np.int64) % RAYS)
