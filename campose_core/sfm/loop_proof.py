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

AROUND = 5  # keyframes before and after, which an image's place is told by
CLOSED_DEG = 8.0  # two right turns of two views, of learned features, are off by 1 to 3 together
SHOWN = 5  # pairs that are named

Place = tuple[int, int]  # number of the recording, and of the keyframe in it


def drop_unproven(database: Any, sequences: Sequence[Sequence[str]]) -> list[str]:
    """Delete the verified pairs that close a loop, or join two recordings, and that nothing around them confirms.

    database: pycolmap's, open. sequences: names of each recording's keyframes in time order. Returns a line about each.
    """
    place = {name: (s, i) for s, sequence in enumerate(sequences) for i, name in enumerate(sequence)}
    images = {image.image_id: image for image in database.read_all_images()}
    place_of = {image_id: place[image.name] for image_id, image in images.items()}
    pairs, turns = _verified(database), _turns(database, images)
    dropped: dict[tuple[int, int], str] = {}
    while found := _unproven(pairs - dropped.keys(), turns, place_of):  # what spoke for a pair may have gone itself
        dropped |= found
    for pair in dropped:
        database.delete_two_view_geometry(*pair)
    return [f"{images[a].name} and {images[b].name} look alike, but {why}" for (a, b), why in sorted(dropped.items())]


def _unproven(
    pairs: set[tuple[int, int]], turns: dict[tuple[int, int], Rotation], place: dict[int, Place]
) -> dict[tuple[int, int], str]:
    """Return which of the pairs to drop, and why."""
    partners: dict[int, set[int]] = defaultdict(set)
    for first, second in pairs & turns.keys():
        partners[first].add(second)
        partners[second].add(first)
    dropped = {}
    for first, second in pairs:
        if _near(place[first], place[second]):
            continue
        around = [
            third
            for third in partners[first] & partners[second]
            if _near(place[third], place[first]) or _near(place[third], place[second])
        ]
        told = (first, second) in turns
        closed = sum(told and _gap_deg(turns, first, third, second) < CLOSED_DEG for third in around)
        if closed == 0 or closed < len(around) - closed:
            against = f"{len(around) - closed} of {len(around)} neighbours contradict it"
            dropped[first, second] = against if around else "nothing confirms it"
    return dropped


def _near(one: Place, other: Place) -> bool:
    return one[0] == other[0] and abs(one[1] - other[1]) <= AROUND


def _verified(database: Any) -> set[tuple[int, int]]:
    pycolmap = load_pycolmap()
    pair_ids, geometries = database.read_two_view_geometries()
    return {
        pycolmap.pair_id_to_image_pair(pair_id)
        for pair_id, geometry in zip(pair_ids, geometries, strict=True)
        if len(geometry.inlier_matches)
    }


def _turns(database: Any, images: dict[int, Any]) -> dict[tuple[int, int], Rotation]:
    """Return second_from_first of the verified pairs that tell one, the lesser id first."""
    pycolmap = load_pycolmap()
    cameras = {image_id: database.read_camera(image.camera_id) for image_id, image in images.items()}
    points = {i: database.read_keypoints(i)[:, :2].astype(np.float64) for i in images}
    turns = {}
    for pair_id, geometry in zip(*database.read_two_view_geometries(), strict=True):
        a, b = pycolmap.pair_id_to_image_pair(pair_id)
        if not len(geometry.inlier_matches):
            continue
        if pycolmap.estimate_two_view_geometry_pose(cameras[a], points[a], cameras[b], points[b], geometry):
            turns[a, b] = Rotation.from_quat(geometry.cam2_from_cam1.rotation.quat)
    return turns


def _gap_deg(turns: dict[tuple[int, int], Rotation], first: int, third: int, second: int) -> float:
    """By how much first -> third -> second differs from first -> second."""

    def turn(a: int, b: int) -> Rotation:
        return turns[a, b] if (a, b) in turns else turns[b, a].inv()

    return float(np.degrees(rotation_angle(turn(first, second).inv() * turn(third, second) * turn(first, third))))
