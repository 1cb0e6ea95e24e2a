"""Whether a floor map shows the place that was recorded, and there: what cameras and landmarks say of it."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from campose_core.floor import FREE, FREE_UP_TO, OCCUPIED_FROM, FloorMap
from campose_core.geometry import Array
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.snap_targets import NO_CELL, Mask, snap_targets

WALL_BAND_M = (0.3, 1.8)  # heights at which landmarks lie on what a floor map shows
ON_WALL_M = 0.15
FEWEST = 60  # landmarks that say anything
MOST_CELLS = 50_000_000  # around the landmarks: beyond that nothing is said
# A camera in a hand also is above tables, and tables are on no lidar map: of a map of elsewhere hardly a tenth of the
# landmarks lies on walls, of the right one half and more.
LEAST_FREE, LEAST_ON_WALLS, LEAST_SNAPPED, MOST_FORBIDDEN = 0.7, 0.3, 0.5, 0.5


def doubts_of_fit(
    floor: FloorMap,
    walkable: Mask,
    max_snap_m: float,
    landmarks: Landmarks,
    given: bool,
    out: Mask | None = None,
) -> list[str]:
    """Say what speaks against a floor map, each in words.

    walkable, max_snap_m: cells (rows, cols) of `floor` to which poses snap, and how far. landmarks: in the map frame,
    of a known scale. given: the map was not made from these landmarks. out: cells that a keep-out mask forbids.
    """
    free, on_walls = share_on_free_floor(landmarks, floor), share_on_walls(landmarks, floor)
    said = []
    if given and free < LEAST_FREE:
        said.append(f"{1 - free:.0%} of the keyframes stand where the floor map is not free")
    if given and on_walls is not None and on_walls < LEAST_ON_WALLS:
        said.append(f"only {on_walls:.0%} of the landmarks at wall height lie on walls of the floor map")
    if said:
        return [f"{' and '.join(said)}: is it the map of this floor, in metres, and in the frame of the alignment?"]
    forbidden = 0.0 if out is None else float(np.mean(cells_hit(out, floor, landmarks.frame_positions[:, :2])))
    if forbidden > MOST_FORBIDDEN:
        return [f"{forbidden:.0%} of the keyframes stand where the keep-out mask forbids it: is it inverted (negate)?"]
    snapped = _share_in_reach(landmarks, floor, walkable, max_snap_m)
    if snapped is not None and snapped < LEAST_SNAPPED:
        return [
            f"{1 - snapped:.0%} of the keyframes have nothing walkable in reach, so poses there are not snapped. Only "
            "the largest connected part of what is free and wide enough for the radius is walkable: leave nothing free "
            "outside of the building, or give a smaller --radius"
        ]
    return []


def share_on_free_floor(landmarks: Landmarks, floor: FloorMap) -> float:
    """Return the share of the keyframes that stand where the floor map is free."""
    cells = floor.cell_of(landmarks.frame_positions[:, :2])
    cells = cells[floor.contains(cells)]  # the map may have as many as fill the memory: it is looked up, not compared
    values = floor.occupancy[cells[:, 0], cells[:, 1]]
    return float(np.sum((values >= FREE) & (values <= FREE_UP_TO)) / len(landmarks.frame_positions))


def share_on_walls(landmarks: Landmarks, floor: FloorMap) -> float | None:
    """Of the landmarks at the height of walls and furniture that lie on the floor map, those beside occupied cells.

    None where nothing tells: hardly any of them, no walls, or a map that is too fine.
    """
    height = landmarks.xyz[:, 2]
    band = landmarks.xyz[(height > WALL_BAND_M[0]) & (height < WALL_BAND_M[1]), :2]
    cells = floor.cell_of(band)
    cells = cells[floor.contains(cells)]
    cells = cells[floor.occupancy[cells[:, 0], cells[:, 1]] >= 0]
    if len(cells) < FEWEST:
        return None
    # Of a large map only what lies around them.
    margin = math.ceil(ON_WALL_M / floor.resolution) + 1
    first = np.maximum(cells.min(axis=0) - margin, 0)
    last = cells.max(axis=0) + margin + 1
    around = floor.occupancy[first[0] : last[0], first[1] : last[1]]
    if around.size > MOST_CELLS or floor.occupancy.max() < OCCUPIED_FROM:
        return None
    occupied = around >= OCCUPIED_FROM
    if not occupied.any():
        return 0.0
    near = ndimage.distance_transform_edt(~occupied) * floor.resolution <= ON_WALL_M
    return float(np.mean(near[cells[:, 0] - first[0], cells[:, 1] - first[1]]))


def _share_in_reach(landmarks: Landmarks, floor: FloorMap, walkable: Mask, max_snap_m: float) -> float | None:
    """Return the share of the keyframes from which walkable floor is in reach and in sight; None: on too fine a map."""
    reach = max_snap_m / floor.resolution
    cells = floor.cell_of(landmarks.frame_positions[:, :2])
    cells = cells[floor.contains(cells)]
    if not len(cells):
        return 0.0
    first = np.maximum(cells.min(axis=0) - math.ceil(reach), 0)
    last = cells.max(axis=0) + math.ceil(reach) + 1
    around = floor.occupancy[first[0] : last[0], first[1] : last[1]]
    if around.size > MOST_CELLS:
        return None
    solid = np.pad((around < FREE) | (around > FREE_UP_TO), 2, constant_values=True)
    target = snap_targets(solid, np.pad(walkable[first[0] : last[0], first[1] : last[1]], 2), reach)
    rows, columns = (cells - first + 2).T
    return float(np.sum(target[rows, columns] != NO_CELL) / len(landmarks.frame_positions))


def cells_hit(mask: Mask, floor: FloorMap, points: Array) -> Mask:
    """Tell whether each of the points (N, 2), metres, lies in a cell of `mask` (rows, cols); False beyond the map."""
    cells = floor.cell_of(points)
    inside = floor.contains(cells)
    hit = np.zeros(len(points), dtype=bool)
    hit[inside] = mask[cells[inside, 0], cells[inside, 1]]
    return hit
