"""How the camera turned from image to image by their matches alone, where no piece of a reconstruction says it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.joining.loop_proof import places_of
from campose_core.landmark_map.colmap import load_pycolmap
from campose_core.landmark_map.two_view_turn import MIN_INLIER_MATCHES, two_view_turn

MAX_APART = 15  # frames


def seen_turns(
    database: Any, sequences: Sequence[Sequence[str]], piece_of: dict[str, int]
) -> dict[tuple[str, str], Rotation]:
    """Find first_from_second of verified pairs, first before second in one recording, that no piece has both of.

    database: an open one. piece_of: number of the piece of each image that is in one.
    """
    pycolmap = load_pycolmap()
    place = places_of(sequences)
    images = {image.image_id: image for image in database.read_all_images() if image.name in place}
    found = {}
    for pair_id, geometry in zip(*database.read_two_view_geometries(), strict=True):
        ids = pycolmap.pair_id_to_image_pair(pair_id)
        if not all(i in images for i in ids) or len(geometry.inlier_matches) < MIN_INLIER_MATCHES:
            continue
        names = [images[i].name for i in ids]
        (s, i), (t, j) = (place[name] for name in names)
        if s != t or abs(i - j) > MAX_APART or (names[0] in piece_of and piece_of[names[0]] == piece_of.get(names[1])):
            continue
        cameras = [database.read_camera(images[i].camera_id) for i in ids]
        points = [database.read_keypoints(i)[:, :2].astype(np.float64) for i in ids]
        turn = two_view_turn((cameras[0], cameras[1]), (points[0], points[1]), geometry)
        if turn is not None:
            found[(names[0], names[1]) if i < j else (names[1], names[0])] = turn.inv() if i < j else turn
    return found
