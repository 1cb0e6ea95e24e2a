"""Pieces of a reconstruction put into one frame: by images that two of them share, or by odometry across the gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.errors import AlignmentError
from campose_core.geometry import Pose, Similarity
from campose_core.robust_similarity import align_to_poses

Poses = Mapping[str, Pose]
MIN_SHARED = 3
BORDER_FRAMES = 3  # on either side of a gap, over which its odometry is averaged
LONGEST_GAP_FRAMES = 15  # between two pieces, for odometry to say where the second lies


class Joined(NamedTuple):
    """world_from_cam by image name, in the frame of the first piece; how each further piece came in, and what is left.

    by: one of `shared` and `odometry` for each piece that was joined.
    """

    world_from_cam: dict[str, Pose]
    by: list[str]
    left: list[Poses]


def join(pieces: Sequence[Poses], odometry: Poses, sequences: Sequence[Sequence[str]]) -> Joined:
    """Bring what can be placed into the frame of the first piece.

    odometry: odom_from_cam by image name, where it is known, metres. sequences: image names of each recording in the
    order of time.
    """
    whole, left, by = dict(pieces[0]), list(pieces[1:]), list[str]()
    progress = True
    while progress:
        progress = False
        for piece in left:
            how, whole_from_piece = "shared", _by_shared_images(whole, piece)
            if whole_from_piece is None:
                how, whole_from_piece = "odometry", _by_odometry(whole, piece, odometry, sequences)
            if whole_from_piece is None:
                continue
            placed = {name: whole_from_piece.transform_pose(pose) for name, pose in piece.items()}
            whole, left, progress = {**placed, **whole}, [other for other in left if other is not piece], True
            by.append(how)
            break
    return Joined(whole, by, left)


def _by_shared_images(whole: Poses, piece: Poses) -> Similarity | None:
    names = sorted(whole.keys() & piece.keys())
    if len(names) < MIN_SHARED:
        return None
    try:
        return align_to_poses([piece[name] for name in names], [whole[name] for name in names]).map_from_sfm
    except AlignmentError:  # taken from one place: they give no scale
        return None


def _by_odometry(whole: Poses, piece: Poses, odometry: Poses, sequences: Sequence[Sequence[str]]) -> Similarity | None:
    """Scale and size by the odometry within each, place by the odometry across the gaps between them.

    Odometry drifts little over the second that a gap takes, whatever it has drifted before.
    """
    whole_scale, piece_scale = _metres_per_unit(whole, odometry), _metres_per_unit(piece, odometry)
    borders = [pair for sequence in sequences for pair in _borders(whole, piece, odometry, sequence)]
    if whole_scale is None or piece_scale is None or not borders:
        return None
    rotations, found, own = [], [], []
    for known, new in borders:
        known_from_new = odometry[known].inverse() * odometry[new]
        expected = whole[known] * Pose(known_from_new.rotation, known_from_new.translation / whole_scale)
        rotations.append(expected.rotation * piece[new].rotation.inv())
        found.append(expected.translation)
        own.append(piece[new].translation)
    rotation = Rotation.concatenate(rotations).mean()
    scale = piece_scale / whole_scale
    translation = np.mean(np.array(found) - scale * rotation.apply(np.array(own)), axis=0)
    return Similarity(scale, rotation, translation)


def _metres_per_unit(piece: Poses, odometry: Poses) -> float | None:
    names = sorted(piece.keys() & odometry.keys())
    try:
        return align_to_poses([piece[name] for name in names], [odometry[name] for name in names]).map_from_sfm.scale
    except AlignmentError:  # too few, or the robot stood
        return None


def _borders(whole: Poses, piece: Poses, odometry: Poses, sequence: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs (of the whole, of the piece) on the two sides of each gap of one recording."""
    place = {name: index for index, name in enumerate(sequence)}
    names = [name for name in sequence if name in odometry and (name in whole or name in piece)]
    pairs = []
    for at, (before, after) in enumerate(pairwise(names)):
        is_gap = (before in whole) != (after in whole)
        if not is_gap or place[after] - place[before] > LONGEST_GAP_FRAMES:
            continue
        beside = names[max(0, at + 1 - BORDER_FRAMES) : at + 1], names[at + 1 : at + 1 + BORDER_FRAMES]
        known, new = beside if before in whole else beside[::-1]
        pairs += [(a, b) for a in known if a in whole for b in new if b in piece and b not in whole]
    return pairs
