"""Where the coverage has holes: passages seen from one side, parts of the floor with directions nobody looked in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from campose_core.doctor.coverage import FOUND, HEADINGS, LOST, Coverage, Forecast, level_cameras
from campose_core.doctor.passages import Passage, Rooms
from campose_core.floor import FloorMap
from campose_core.geometry import Array
from campose_core.landmark_map.landmarks import Landmarks

BEFORE_M = 0.5  # so far before a passage, a camera that is to drive through it must find itself
MIN_PLACES = 3  # of a gap
NOWHERE = 7  # of the eight directions: nobody was there
TOGETHER = 0.5  # of the places of the larger gap, for two in neighbouring directions to be one
BESIDE_M, BESIDE_DEG = 1.5, 45.0  # a keyframe this close to a gap's view has looked that way


class OneSided(NamedTuple):
    """A passage that a camera finds itself before on one side only; `heading` of the missing way through it."""

    passage: Passage
    heading: float


class Gap(NamedTuple):
    """Places (G, 2) at most of which a camera that looks in any of `headings` (indices of HEADINGS) would be lost.

    middle (2,): the place nearest to the middle. views: how many pairs of place and heading. looked: whether a keyframe
    looked most of these ways near by, so that it is landmarks that are missing and not a look.
    """

    places: Array
    middle: Array
    headings: tuple[int, ...]
    views: int
    looked: bool


def one_sided(passages: list[Passage], forecast: Forecast, landmarks: Landmarks) -> list[OneSided]:
    """List passages that could be driven through one way only; those that were never near are parts of larger gaps."""
    height = float(np.median(landmarks.frame_positions[:, 2]))
    found = []
    for passage in passages:
        ways = [passage.heading, passage.heading + np.pi]
        levels = []
        for way in ways:
            before = passage.place - BEFORE_M * np.array([np.cos(way), np.sin(way)])
            levels.append(int(forecast.level(np.append(before, height), level_cameras(landmarks, way))[1][0]))
        for way, there, back in zip(ways, levels, reversed(levels), strict=True):
            if there != FOUND and back == FOUND:
                found.append(OneSided(passage, float(np.arctan2(np.sin(way), np.cos(way)))))
    return found


def gaps(coverage: Coverage, landmarks: Landmarks, floor: FloorMap | None, rooms: Rooms | None) -> list[Gap]:
    """List connected parts of the floor, of one room each, that lack the same directions; the largest first."""
    room = np.zeros(len(coverage.places), dtype=np.int64)
    if floor is not None and rooms is not None and len(room):
        cells = floor.cell_of(coverage.places)
        room = rooms[cells[:, 0], cells[:, 1]].astype(np.int64)
    of_heading = [_parts(coverage, room, heading) for heading in range(len(HEADINGS))]
    parts = [(heading, places) for heading, found in enumerate(of_heading) for places in found]
    found = []
    for group in _in_neighbouring_directions(parts):
        rows = np.unique(np.concatenate([parts[i][1] for i in group]))
        views = sum(len(parts[i][1]) for i in group)
        most = max(len(parts[i][1]) for i in group)
        headings = tuple(sorted({parts[i][0] for i in group if len(parts[i][1]) >= TOGETHER * most}))
        places = coverage.places[rows]
        middle = places[np.argmin(np.linalg.norm(places - places.mean(axis=0), axis=1))]
        found.append(Gap(places, middle, headings, views, _looked(places, headings, landmarks)))
    return sorted(found, key=lambda gap: -gap.views)


def _parts(coverage: Coverage, room: NDArray[np.int64], heading: int) -> list[NDArray[np.intp]]:
    """Rows of the places without this heading, in connected parts of one room."""
    lost = np.flatnonzero(coverage.level[:, heading] == LOST)
    if len(lost) < MIN_PLACES:
        return []
    pairs = cKDTree(coverage.places[lost]).query_pairs(1.5 * coverage.step_m, output_type="ndarray").reshape(-1, 2)
    pairs = pairs[room[lost[pairs[:, 0]]] == room[lost[pairs[:, 1]]]]
    links = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(lost), len(lost)))
    count, part_of = connected_components(links, directed=False)
    parts = [lost[part_of == part] for part in range(count)]
    return [part for part in parts if len(part) >= MIN_PLACES]


def _in_neighbouring_directions(parts: list[tuple[int, NDArray[np.intp]]]) -> list[list[int]]:
    """Group parts that lie over each other and whose headings are neighbours."""
    pairs = []
    for a, (heading, places) in enumerate(parts):
        for b in range(a):
            other_heading, other_places = parts[b]
            turn = (heading - other_heading) % len(HEADINGS)
            common = len(np.intersect1d(places, other_places))
            if turn in (1, len(HEADINGS) - 1) and common >= TOGETHER * max(len(places), len(other_places)):
                pairs.append((a, b))
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    links = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(parts), len(parts)))
    count, group_of = connected_components(links, directed=False)
    return [np.flatnonzero(group_of == group).tolist() for group in range(count)] if parts else []


def _looked(places: Array, headings: tuple[int, ...], landmarks: Landmarks) -> bool:
    ahead = Rotation.from_quat(landmarks.frame_quats_xyzw).apply([0.0, 0.0, 1.0])
    yaw = np.arctan2(ahead[:, 1], ahead[:, 0])
    near = np.zeros((len(headings), len(places)), dtype=bool)
    for i, heading in enumerate(HEADINGS[list(headings)]):
        facing = np.abs((yaw - heading + np.pi) % (2 * np.pi) - np.pi) <= np.radians(BESIDE_DEG) / 2
        positions = landmarks.frame_positions[facing, :2]
        if len(positions):
            near[i] = cKDTree(positions).query(places)[0] <= BESIDE_M
    return bool(near.mean() > 0.5)
