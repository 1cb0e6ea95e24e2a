"""What loops are worth: how far a walk drifts until it is back at a place, from neighbour to neighbour and in the map.

The rotations between neighbouring keyframes, from their matches alone, are multiplied along the walk; where two
images far apart in it show the same place, their own matches say what the product should be. Lengths cannot be
chained so: two images give none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose, rotation_angle
from campose_core.joining.components import MIN_EXPLAINED, explained_pairs
from campose_core.joining.loop_proof import places_of
from campose_core.landmark_map.two_view_turn import two_view_turn

MIN_APART = 20  # keyframes, to call two images of one place a loop
# Of the way between them: a map that holds has bent by less where the walk is back (rotations aside, a street of 300 m
# by 0.5 %, walks through buildings by a few percent).
MAX_BEND = 0.3


@dataclass(frozen=True)
class LoopDrift:
    """chained_deg, map_deg: medians over the loops of the rotation by which the chain of neighbours and the map miss
    what a pair itself says; None without loops."""

    loops: int
    chained_deg: float | None = None
    map_deg: float | None = None


def comes_back(poses: Mapping[str, Pose], sequences: Sequence[Sequence[str]]) -> bool:
    """Return whether a walk may have been at one place twice, however much its map bends.

    Where it cannot have, no matching finds a loop. Of several recordings nobody knows. poses: world_from_cam of the
    keyframes by name. sequences: see `loop_drift`.
    """
    if len(sequences) != 1:
        return True
    places = np.array([poses[name].translation for name in sequences[0] if name in poses])
    along = np.cumsum(np.linalg.norm(np.diff(places, axis=0), axis=1))
    for first in range(len(places) - MIN_APART):
        way = along[first + MIN_APART - 1 :] - (along[first - 1] if first else 0.0)
        if (np.linalg.norm(places[first + MIN_APART :] - places[first], axis=1) < MAX_BEND * way).any():
            return True
    return False


def loop_drift(model: Any, database: Any, sequences: Sequence[Sequence[str]]) -> LoopDrift:
    """Measure the drift over the loops of a pycolmap Reconstruction; `database`: the open one that it was made from.

    sequences: names of each recording's keyframes in the order of time.
    """
    images = {model.image(i).name: model.image(i) for i in model.reg_image_ids()}
    place = places_of(sequences)
    chains = [_chained(sequence, images, database) for sequence in sequences]
    chained, mapped = [], []
    for pair in explained_pairs(model, database):
        (s, i), (t, j) = place.get(pair.first, (-1, 0)), place.get(pair.second, (-2, 0))
        if s != t or abs(i - j) < MIN_APART or pair.common < MIN_EXPLAINED:
            continue
        chain, section = chains[s]
        measured = _relative(images[pair.first], images[pair.second], database)
        if section[i] != section[j] or measured is None:
            continue
        second_from_first = [images[n].cam_from_world().rotation.quat for n in (pair.second, pair.first)]
        in_map = Rotation.from_quat(second_from_first[0]) * Rotation.from_quat(second_from_first[1]).inv()
        chained.append(_degrees(measured, chain[j] * chain[i].inv()))
        mapped.append(_degrees(measured, in_map))
    if not chained:
        return LoopDrift(0)
    return LoopDrift(len(chained), float(np.median(chained)), float(np.median(mapped)))


def _chained(sequence: Sequence[str], images: dict[str, Any], database: Any) -> tuple[list[Rotation], list[int]]:
    """cam_from_first by neighbours alone, and the number of the section without a break that each keyframe is in."""
    chain, section = [Rotation.identity()], [0]
    for before, after in pairwise(sequence):
        both = before in images and after in images
        after_from_before = _relative(images[before], images[after], database) if both else None
        chain.append(chain[-1] if after_from_before is None else after_from_before * chain[-1])
        section.append(section[-1] + (after_from_before is None))
    return chain, section


def _relative(first: Any, second: Any, database: Any) -> Rotation | None:
    """second_from_first by the verified matches of two images; None where they have none."""
    if not database.exists_two_view_geometry(first.image_id, second.image_id):
        return None
    points = [np.array([p.xy for p in image.points2D]) for image in (first, second)]
    geometry = database.read_two_view_geometry(first.image_id, second.image_id)
    return two_view_turn((first.camera, second.camera), (points[0], points[1]), geometry)


def _degrees(one: Rotation, other: Rotation) -> float:
    return float(np.degrees(rotation_angle(one.inv() * other)))
