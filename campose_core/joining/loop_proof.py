"""A loop must prove itself: two places that look alike are not one place.

Images of one place, far apart in time, have neighbours that show the place as well. A pair is believed where the
triangles through it and a neighbour of either image close: the turn from the one to the neighbour, and on to the other,
is the turn that the pair itself tells (Zach et al., "Disambiguating visual relations using loop constraints", CVPR
2010). A pair without any such triangle has nothing that speaks for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.geometry import rotation_angle
from campose_core.landmark_map.colmap import load_pycolmap
from campose_core.landmark_map.two_view_turn import two_view_turn

NEIGHBOURS = 5  # keyframes before and after, which an image's place is told by
CLOSED_DEG = 8.0  # two right turns of two views, of learned features, are off by 1 to 3 together

Turns = dict[tuple[int, int], Rotation | None]  # second_from_first of verified pairs, the lesser id first
Place = tuple[int, int]  # number of the recording, and of the keyframe in it


def drop_unproven(database: Any, sequences: Sequence[Sequence[str]]) -> list[str]:
    """Delete the verified pairs that close a loop, or join two recordings, and that nothing around them confirms.

    database: pycolmap's, open. sequences: names of each recording's keyframes in time order. Returns a line about each.
    """
    place = places_of(sequences)
    images = {image.image_id: image for image in database.read_all_images()}
    place_of = {image_id: place[image.name] for image_id, image in images.items()}
    turns = _turns(database, images)
    dropped: dict[tuple[int, int], str] = {}
    while found := _unproven(turns, place_of):  # again: what spoke for a pair may have gone itself
        dropped |= found
        turns = {pair: turn for pair, turn in turns.items() if pair not in dropped}
    for pair in dropped:
        database.delete_two_view_geometry(*pair)
    return [f"{images[a].name} and {images[b].name} look alike, but {why}" for (a, b), why in sorted(dropped.items())]


def drop_loops(database: Any, sequences: Sequence[Sequence[str]]) -> None:
    """Delete all verified pairs that close a loop, or join two recordings, whatever speaks for them."""
    place = places_of(sequences)
    names = {image.image_id: image.name for image in database.read_all_images()}
    pycolmap = load_pycolmap()
    for pair_id in database.read_two_view_geometries()[0]:
        first, second = pycolmap.pair_id_to_image_pair(pair_id)
        if not _near(place[names[first]], place[names[second]]):
            database.delete_two_view_geometry(first, second)


def places_of(sequences: Sequence[Sequence[str]]) -> dict[str, Place]:
    """Return the place of each keyframe by its name; sequences: names of each recording's in time order."""
    return {name: (s, i) for s, sequence in enumerate(sequences) for i, name in enumerate(sequence)}


def _unproven(turns: Turns, place: dict[int, Place]) -> dict[tuple[int, int], str]:
    """Return which of the pairs to drop, and why."""
    known = {pair: turn for pair, turn in turns.items() if turn is not None}
    known |= {(second, first): turn.inv() for (first, second), turn in known.items()}
    partners: dict[int, set[int]] = defaultdict(set)
    for one, other in known:
        partners[one].add(other)
    dropped = {}
    for first, second in turns:
        if _near(place[first], place[second]):
            continue
        around = [
            third
            for third in partners[first] & partners[second]
            if _near(place[third], place[first]) or _near(place[third], place[second])
        ]
        told = (first, second) in known
        closed = sum(told and _gap_deg(known, first, third, second) < CLOSED_DEG for third in around)
        if closed == 0 or closed < len(around) - closed:
            against = f"{len(around) - closed} of {len(around)} neighbours contradict it"
            dropped[first, second] = against if around else "nothing confirms it"
    return dropped


def _near(one: Place, other: Place) -> bool:
    return one[0] == other[0] and abs(one[1] - other[1]) <= NEIGHBOURS


def _turns(database: Any, images: dict[int, Any]) -> Turns:
    pycolmap = load_pycolmap()
    cameras = {image_id: database.read_camera(image.camera_id) for image_id, image in images.items()}
    points = {i: database.read_keypoints(i)[:, :2].astype(np.float64) for i in images}
    turns = {}
    for pair_id, geometry in zip(*database.read_two_view_geometries(), strict=True):
        a, b = pycolmap.pair_id_to_image_pair(pair_id)
        if len(geometry.inlier_matches):
            turns[a, b] = two_view_turn((cameras[a], cameras[b]), (points[a], points[b]), geometry)
    return turns


def _gap_deg(turns: dict[tuple[int, int], Rotation], first: int, third: int, second: int) -> float:
    """By how much first -> third -> second differs from first -> second."""
    around = turns[third, second] * turns[first, third]
    return float(np.degrees(rotation_angle(turns[first, second].inv() * around)))
