"""Rooms and the narrow passages between them, from the walkable part of a floor map."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from campose_core.geometry import Array
from campose_core.walkable import WalkableMap

PASSAGE_M = 1.2  # what is wider belongs to a room
MIN_CORE_M2 = 0.2  # of the inner part of a room, farther than half of PASSAGE_M from everything

Rooms = NDArray[np.int32]


class Passage(NamedTuple):
    """A narrow place between two rooms: where (2,), metres in the map frame; heading of the way through it from the
    first room to the second, radians; its free width in metres."""

    place: Array
    heading: float
    width_m: float
    rooms: tuple[int, int]


def rooms_of(walkable: WalkableMap) -> Rooms:
    """Return the number (rows, cols) of the room that each walkable cell belongs to, 0 where it is not walkable.

    A room grows from its wide inner part until it meets another (the brush fire of a Voronoi diagram).
    """
    floor = walkable.floor
    width = 2 * _to_solid(walkable) * floor.resolution
    cores, count = ndimage.label((width >= PASSAGE_M) & walkable.walkable)
    sizes = np.bincount(cores.ravel(), minlength=count + 1) * floor.resolution**2
    sizes[0] = 0
    large = np.flatnonzero(sizes >= MIN_CORE_M2)
    number = np.zeros(count + 1, dtype=np.int32)
    number[large] = np.arange(1, len(large) + 1)
    rooms = number[cores]
    if not len(large):
        return walkable.walkable.astype(np.int32)
    while True:
        grown = ndimage.grey_dilation(rooms, footprint=ndimage.generate_binary_structure(2, 1))
        new = (rooms == 0) & walkable.walkable & (grown > 0)
        if not new.any():
            return np.asarray(rooms, dtype=np.int32)
        rooms = np.where(new, grown, rooms)


def passages_of(walkable: WalkableMap, rooms: Rooms) -> list[Passage]:
    """List the narrow places where two rooms meet."""
    floor, to_solid = walkable.floor, _to_solid(walkable)
    edges = np.concatenate([_edges(rooms, down, right) for down, right in ((0, 1), (1, 0))])
    found = []
    for pair in np.unique(edges[:, 4:], axis=0):
        of_pair = edges[(edges[:, 4:] == pair).all(axis=1)]
        border = np.zeros(rooms.shape, dtype=bool)
        border[of_pair[:, 0], of_pair[:, 1]] = True
        parts, count = ndimage.label(border, np.ones((3, 3)))
        for part in range(1, count + 1):
            own = of_pair[parts[of_pair[:, 0], of_pair[:, 1]] == part]
            width = 2 * float(to_solid[own[:, 0], own[:, 1]].max()) * floor.resolution
            first, second = floor.centre_of(own[:, :2]), floor.centre_of(own[:, 2:4])
            across = (second - first).sum(axis=0)
            if width <= PASSAGE_M + 2 * floor.resolution and np.hypot(*across) > 0:
                place = (first + second).mean(axis=0) / 2
                heading = float(np.arctan2(across[1], across[0]))
                found.append(Passage(place, heading, width, (int(pair[0]), int(pair[1]))))
    return found


def _to_solid(walkable: WalkableMap) -> Array:
    """Cells from each cell to the nearest that is not free."""
    return np.asarray(ndimage.distance_transform_edt(np.pad(walkable.floor.free, 1))[1:-1, 1:-1] - 0.5)


def _edges(rooms: Rooms, down: int, right: int) -> NDArray[np.int64]:
    """(E, 6): cell (row, column) in the room of the lower number, its neighbour in the other, and the two rooms."""
    rows, columns = rooms.shape
    here, there = rooms[: rows - down, : columns - right], rooms[down:, right:]
    cells = np.argwhere((here != there) & (here > 0) & (there > 0))
    beside = cells + np.array([down, right])
    pairs = np.stack([rooms[tuple(cells.T)], rooms[tuple(beside.T)]], axis=1)
    swap = pairs[:, 0] > pairs[:, 1]
    first, second = np.where(swap[:, None], beside, cells), np.where(swap[:, None], cells, beside)
    return np.hstack([first, second, np.sort(pairs, axis=1)])
