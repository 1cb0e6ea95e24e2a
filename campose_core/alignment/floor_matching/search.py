"""All places of an outline on a floor map, coarsely: each scale and heading is an image, slid over the map by FFT."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import distance_transform_edt, gaussian_filter, gaussian_filter1d

from campose_core.alignment.floor_matching.outline import Outline
from campose_core.floor import FloorMap
from campose_core.geometry import Array

CELLS_A_SIDE = 160  # of the coarse map, unless its own cells are larger
COARSEST_FIRST_M = 0.1
BAND, KEPT_IN_BAND = 1.6, 5  # of the scales within such a factor so many places are kept
PER_IMAGE = 3
EVERY_DEG = 5.0  # headings to try where neither the scene nor the map has straight walls
FREE_WEIGHT, PATH_WEIGHT = 0.6, 0.6  # beside 1 for the walls


class Candidate(NamedTuple):
    """map_from_level on the plan: metres per unit, radians, metres."""

    scale: float
    yaw: float
    x: float
    y: float

    @classmethod
    def from_vector(cls, vector: Array) -> Candidate:
        """Make one of numbers (4,), as `vector` gives them."""
        return cls(math.exp(vector[0]), *(float(v) for v in vector[1:]))

    def vector(self) -> Array:
        """Return the numbers (4,) that a search moves: log scale, radians, metres."""
        return np.array([math.log(self.scale), self.yaw, self.x, self.y])

    def transform(self, xy: Array) -> Array:
        """Move points (N, 2) of the outline onto the plan, metres."""
        return self.scale * turned(xy, self.yaw) + (self.x, self.y)

    def apart(self, other: Candidate, xy: Array) -> float:
        """Return by how much the two move the points (N, 2) of a scene apart, root mean square, metres."""
        return float(np.sqrt(np.mean(np.sum((self.transform(xy) - other.transform(xy)) ** 2, axis=1))))


def turned(xy: Array, yaw: float) -> Array:
    """Turn points (N, 2) counterclockwise by `yaw`, radians."""
    cos, sin = math.cos(yaw), math.sin(yaw)
    return np.asarray(xy @ np.array([[cos, sin], [-sin, cos]]))


def search(seen: Outline, floor: FloorMap, scales: Array) -> list[Candidate]:
    """List the most promising places, best first.

    The score of a place: how near walls are to walls (exp of the squared distance), and which share of the floor that
    was seen through and walked on is free. All places of one scale and heading at once are a correlation of images.
    """
    cell = max(floor.resolution, COARSEST_FIRST_M, max(floor.shape) * floor.resolution / CELLS_A_SIDE)
    near, free = _coarse_images(floor, cell)
    found: list[tuple[float, Candidate]] = []
    for scale in scales:
        for yaw in _headings(seen, floor):
            # In the grid of the map, whose origin may be turned.
            turn = yaw - floor.origin[2]
            walls, open_floor, path = (scale * turned(part, turn) / cell for part in (seen.walls, seen.free, seen.path))
            corner = np.floor(np.vstack([walls, open_floor, path]).min(axis=0))
            size = np.ceil(np.vstack([walls, open_floor, path]).max(axis=0) - corner).astype(int) + 1
            if (size > 3 * max(near.shape)).any():
                continue
            shape = tuple(fft.next_fast_len(int(a + b), real=True) for a, b in zip(near.shape, size[::-1], strict=True))
            wall_image = _image(walls - corner, seen.wall_weights / seen.wall_weights.sum(), shape)
            free_image = _image(open_floor - corner, np.full(len(open_floor), FREE_WEIGHT / len(open_floor)), shape)
            free_image += _image(path - corner, np.full(len(path), PATH_WEIGHT / len(path)), shape)
            spectrum = fft.rfft2(near, shape) * np.conj(fft.rfft2(wall_image))
            spectrum += fft.rfft2(free, shape) * np.conj(fft.rfft2(free_image))
            score = fft.irfft2(spectrum, shape)
            for index in _peaks(score):
                row, column = np.unravel_index(index, shape)
                shift = np.array([column, row], dtype=float)
                # Shifts beyond the map are negative ones.
                shift -= np.where(shift >= np.array(near.shape[::-1]), shape[::-1], 0)
                x, y = turned((shift - corner) * cell, floor.origin[2]) + floor.origin[:2]
                found.append((float(score[row, column]), Candidate(float(scale), yaw, float(x), float(y))))
    found.sort(key=lambda one: -one[0])
    kept: list[Candidate] = []
    room = np.full(round(math.log(scales[-1] / scales[0]) / math.log(BAND)) + 1, KEPT_IN_BAND)
    for _, candidate in found:
        band = int(math.log(candidate.scale / scales[0]) / math.log(BAND) + 0.5)
        if room[band] > 0 and all(candidate.apart(other, seen.walls) > 4 * cell for other in kept):
            kept.append(candidate)
            room[band] -= 1
    return kept


def _coarse_images(floor: FloorMap, cell: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How near a wall is, and how free a cell is, both 0 to 1, in cells of `cell` metres from the map's corner."""
    step = cell / floor.resolution
    rows, columns = (math.ceil(side / step) for side in floor.shape)
    distance = distance_transform_edt(~floor.occupied) * floor.resolution
    near = np.exp(-0.5 * (distance / (1.5 * cell)) ** 2)
    free = np.where(floor.free, 1.0, np.where(floor.occupied, 0.0, 0.3))
    index_row, index_column = np.arange(floor.shape[0]) / step, np.arange(floor.shape[1]) / step
    flat = (index_row.astype(int)[:, None] * columns + index_column.astype(int)[None]).ravel()
    count = np.maximum(np.bincount(flat, minlength=rows * columns), 1)

    def averaged(values: Array) -> NDArray[np.float32]:
        return (np.bincount(flat, values.ravel(), rows * columns) / count).reshape(rows, columns).astype(np.float32)

    return averaged(near), averaged(free)


def _image(grid_xy: Array, weights: Array, shape: tuple[int, ...]) -> NDArray[np.float32]:
    column, row = grid_xy.astype(np.int64).T
    return np.bincount(row * shape[1] + column, weights, shape[0] * shape[1]).reshape(shape).astype(np.float32)


def _peaks(score: NDArray[np.float32]) -> NDArray[np.int64]:
    flat = score.ravel()
    best = np.argpartition(flat, -40)[-40:]
    best = best[np.argsort(-flat[best])]
    kept: list[int] = []
    for index in best:
        row, column = divmod(int(index), score.shape[1])
        if all(max(abs(row - k // score.shape[1]), abs(column - k % score.shape[1])) > 4 for k in kept):
            kept.append(int(index))
        if len(kept) == PER_IMAGE:
            break
    return np.array(kept)


def _headings(seen: Outline, floor: FloorMap) -> list[float]:
    """List turns that bring the directions the scene's walls face onto those of the map's walls, radians.

    Histograms of both over the full circle are correlated: straight walls give sharp peaks, four of them where all
    walls are square to each other; round ones give none, and then every few degrees are tried.
    """
    occupied = gaussian_filter(floor.occupied.astype(float), 1.5)
    d_row, d_column = np.gradient(occupied)
    edge = np.hypot(d_row, d_column)
    strong = (edge > 0.3 * edge.max()) & ~floor.occupied
    faces = np.arctan2(-d_row[strong], -d_column[strong]) + floor.origin[2]  # a wall faces away from what is solid
    of_map, of_scene = _circle(faces, edge[strong]), _circle(seen.headings, seen.wall_weights)
    agreement = np.fft.irfft(np.fft.rfft(of_map) * np.conj(np.fft.rfft(of_scene)), 720)
    low, high = float(np.median(agreement)), float(agreement.max())
    if high < 1.5 * low:
        return [float(v) for v in np.radians(np.arange(0.0, 360.0, EVERY_DEG))]
    peak = (agreement >= np.roll(agreement, 1)) & (agreement > np.roll(agreement, -1))
    peaks = np.flatnonzero(peak & (agreement > low + 0.4 * (high - low)))
    return [float(np.radians(i / 2)) for i in peaks[np.argsort(-agreement[peaks])][:12]]


def _circle(radians: Array, weights: Array) -> Array:
    """Make a histogram over half degrees, smoothed by 2 degrees."""
    bins = np.round(np.degrees(radians) * 2).astype(np.int64) % 720
    return np.asarray(gaussian_filter1d(np.bincount(bins, weights, 720), 4, mode="wrap"))
