"""Pieces of a reconstruction put into one frame: by images that two of them share, or by odometry across the gap.

Nothing that comes later sees whether a joint is right, since no image holds it: so it has to prove itself, or the
pieces stay pieces. A map without a room says that it does not know the room; a map with the room in a wrong place
answers there, and is sure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from campose_core.errors import AlignmentError, GeometryError
from campose_core.geometry import Pose, Similarity, positions_of, rotation_angle
from campose_core.joining.odometry_joint import Turns, by_odometry
from campose_core.joining.robust_similarity import align_to_poses

Poses = Mapping[str, Pose]
MIN_SHARED = 3
# Of the images that two pieces share, medians: beside the RMS width of where they were taken, and of rotations. Parts
# of the kitchen that were mapped each by itself: 3 to 73 shared images lie 0.1 to 3 % / 0.01 to 0.8 deg off (three of
# the last ones 8 %); other images under the same names 7 % or 2 deg, and mostly far more.
MAX_SHARED_OFF, MAX_SHARED_DEG = 0.05, 1.5


class Joined(NamedTuple):
    """world_from_cam by image name, in the frame of the first piece; how each further piece came in, and what is left.

    by: one of `shared` and `odometry` for each piece that was joined. refused: of pieces that are left although images
    or odometry could have placed them, which and why, a line each.
    """

    world_from_cam: dict[str, Pose]
    by: list[str]
    left: list[Poses]
    refused: list[str]


def join(pieces: Sequence[Poses], odometry: Poses, sequences: Sequence[Sequence[str]], seen: Turns) -> Joined:
    """Bring what can be placed, and proves to be, into the frame of the first piece.

    odometry: odom_from_cam by image name, where it is known, metres. sequences: image names of each recording in the
    order of time. seen: what pairs of images outside of the pieces say of turns, see `seen_turns`.
    """
    whole, left, by = dict(pieces[0]), list(pieces[1:]), list[str]()
    progress, refused = True, list[str]()
    while progress:
        progress, refused = False, []
        for piece in left:
            try:
                how, whole_from_piece = "shared", _by_shared_images(whole, piece)
                if whole_from_piece is None:
                    how, whole_from_piece = "odometry", by_odometry(whole, piece, odometry, sequences, seen)
            except AlignmentError as error:
                refused.append(f"{len(piece)} keyframes {min(piece)} .. {max(piece)}: {error}")
                continue
            if whole_from_piece is None:
                continue
            placed = {name: whole_from_piece.transform_pose(pose) for name, pose in piece.items()}
            whole, left, progress = {**placed, **whole}, [other for other in left if other is not piece], True
            by.append(how)
            break
    return Joined(whole, by, left, refused)


def _by_shared_images(whole: Poses, piece: Poses) -> Similarity | None:
    """Return None where too few are shared, or all from one place.

    Raises:
        AlignmentError: they lie otherwise in one than in the other, so that one of them is wrong.
    """
    names = sorted(whole.keys() & piece.keys())
    if len(names) < MIN_SHARED:
        return None
    known = [whole[name] for name in names]
    try:
        whole_from_piece = align_to_poses([piece[name] for name in names], known).map_from_sfm
    except AlignmentError:  # taken from one place: they give no scale
        return None
    except GeometryError as error:  # one is the other's mirror image
        raise AlignmentError(f"the {len(names)} images that it shares lie otherwise in it: {error}") from error
    places = positions_of(known)
    placed = [whole_from_piece.transform_pose(piece[name]) for name in names]
    off = np.median([np.linalg.norm(one.translation - place) for one, place in zip(placed, places, strict=True)])
    share = float(off / np.sqrt(np.mean(np.sum((places - places.mean(axis=0)) ** 2, axis=1))))
    turns = [rotation_angle(a.rotation.inv() * b.rotation) for a, b in zip(placed, known, strict=True)]
    turn_deg = float(np.degrees(np.median(turns)))
    if share > MAX_SHARED_OFF or turn_deg > MAX_SHARED_DEG:
        raise AlignmentError(
            f"the {len(names)} images that it shares lie otherwise in it, by {share:.0%} of their spread and "
            f"{turn_deg:.1f} deg"
        )
    return whole_from_piece
