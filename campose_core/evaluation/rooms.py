"""The rooms of a floor map: pieces of free floor that doors connect.

Morphological segmentation (Bormann et al., "Room segmentation: survey, implementation, and analysis", ICRA 2016): what
is left of the free floor where doors are too narrow to pass is a room each; the rest goes to the nearest of them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from campose_core.floor import FloorMap
from campose_core.geometry import Array

HALF_DOOR_M = 0.6  # doors up to 1.2 m close
LEAST_M2 = 1.0  # of a room's middle; smaller ones are niches of another


class Rooms(NamedTuple):
    """label (rows, columns) of each cell of a floor map: the number of its room from 1, 0 where none is near.

    centres (R, 2): a point inside each room, metres in the map frame.
    """

    floor: FloorMap
    label: NDArray[np.intp]
    centres: Array

    def at(self, xy: Array) -> NDArray[np.intp]:
        """Return the room number of each position (N, 2), 0 outside of all."""
        cells = self.floor.cell_of(xy)
        inside = self.floor.contains(cells)
        found = np.zeros(len(xy), dtype=np.intp)
        found[inside] = self.label[tuple(cells[inside].T)]
        return found


def find_rooms(floor: FloorMap) -> Rooms | None:
    """Divide a floor map into rooms, numbered by size; None where it has no room as wide as two doors."""
    free = np.pad(np.asarray(floor.free), 1)
    clear_m = ndimage.distance_transform_edt(free)[1:-1, 1:-1] * floor.resolution
    cores, count = ndimage.label(clear_m > HALF_DOOR_M)
    sizes = np.bincount(cores.ravel(), minlength=count + 1)[1:] * floor.resolution**2
    kept = np.flatnonzero(sizes >= LEAST_M2)[np.argsort(-sizes[sizes >= LEAST_M2], kind="stable")] + 1
    if not len(kept):
        return None
    number = np.zeros(count + 1, dtype=np.intp)
    number[kept] = np.arange(1, len(kept) + 1)
    cores = number[cores]
    _, (row, column) = ndimage.distance_transform_edt(cores == 0, return_indices=True)
    label = cores[row, column]
    label[~np.asarray(floor.free)] = 0
    widest = [
        np.unravel_index(np.argmax(np.where(cores == i, clear_m, -1)), cores.shape) for i in range(1, 1 + len(kept))
    ]
    return Rooms(floor, label, floor.centre_of(np.array(widest)))
