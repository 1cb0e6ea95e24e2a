"""A piece of a reconstruction placed beside another by odometry across the gaps between them, where that can be proved.

Proved is what both pieces confirm of the odometry, as a whole and beside the gap; that within the gap it moves like it
did where it was confirmed, and turns as pairs of images do that match; and that several gaps between the same two
pieces say the same. What is left is a wrong turn at usual speed in an only gap that no image sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.errors import AlignmentError
from campose_core.geometry import Array, Pose, Similarity, pose_error, positions_of, rotation_angle
from campose_core.joining.odometry_proof import MAX_SHARE, MAX_TURN_OFF_DEG, MIN_WAY_M, Agreement, agreement

Poses = Mapping[str, Pose]
Turns = Mapping[tuple[str, str], Rotation]  # first_from_second by (first, second), in the order of time
BORDER_FRAMES = 3  # on either side of a gap, over which its odometry is averaged
LONGEST_GAP_FRAMES = 15  # between two pieces, for odometry to say where the second lies
SHORTEST_WAY_FRAMES = 6  # over which odometry is compared: less is noise of single poses
# The fastest frame of odometry within a gap, beside the fastest that a piece has confirmed: beyond that it jumps, or
# nobody knows what it is worth at such a speed.
MAX_FASTER = 2.0
# Turns in a gap by pairs of images, which are few and weak there, or they would have held it: where three or more are
# across each frame that counts, all stretches of 4 to 14 frames of the kitchen lie within 3 deg of the truth, and of
# three hurried, blurred walks (95 to 140 deg/s) within 5 to 16; where one is enough, within 36.
MIN_SEEN, MAX_SEEN_OFF_DEG = 3, 20.0


class Gap(NamedTuple):
    """Where a recording goes from one piece to the other.

    frames: of the recording; before, after: their rows on the two sides. known, new: names beside it, of the whole and
    of the piece.
    """

    frames: Sequence[str]
    before: int
    after: int
    known: list[str]
    new: list[str]

    @property
    def way_frames(self) -> int:
        """Return how many frames its odometry bridges, from the middle of one border to that of the other."""
        return max(self.after - self.before + BORDER_FRAMES - 1, SHORTEST_WAY_FRAMES)

    @property
    def where(self) -> str:
        """Name it in a text."""
        return f"across {self.frames[self.before]} .. {self.frames[self.after]}"

    @property
    def beside(self) -> Sequence[str]:
        """Return the frames within two such ways on either side."""
        return self.frames[max(0, self.before - 2 * self.way_frames) : self.after + 2 * self.way_frames + 1]


class Bridge(NamedTuple):
    """What one gap says: the rotation and scale of `whole_from_piece`, and two points (3,) that coincide, one of the
    piece and one in the whole; metres of its way, and metres per unit of the whole."""

    rotation: Rotation
    scale: float
    own: Array
    found: Array
    way_m: float
    whole_scale: float


def by_odometry(
    whole: Poses, piece: Poses, odometry: Poses, sequences: Sequence[Sequence[str]], seen: Turns
) -> Similarity | None:
    """Find `whole_from_piece`: scale by the odometry within each, place by the odometry across the gaps between them.

    Odometry drifts little over the second that a gap takes, whatever it has drifted before. Returns None where no gap
    is short enough for that. seen: see `seen_turns`.

    Raises:
        AlignmentError: odometry is not worth it by what either piece has seen, or the gaps contradict each other.
    """
    bridges, objections = list[Bridge](), list[AlignmentError]()
    for gap in [gap for frames in sequences for gap in _gaps(whole, piece, odometry, frames)]:
        try:
            _check_seen(gap, odometry, seen)
            bridges.append(_bridge(gap, whole, piece, odometry))
        except AlignmentError as error:
            objections.append(error)
    if not bridges:
        if objections:
            raise objections[0]
        return None
    rotation = Rotation.concatenate([bridge.rotation for bridge in bridges]).mean()
    scale = float(np.mean([bridge.scale for bridge in bridges]))
    shifts = np.array([bridge.found - scale * rotation.apply(bridge.own) for bridge in bridges])
    whole_from_piece = Similarity(scale, rotation, shifts.mean(axis=0))
    _check_they_agree(bridges, whole_from_piece)
    return whole_from_piece


def _gaps(whole: Poses, piece: Poses, odometry: Poses, frames: Sequence[str]) -> list[Gap]:
    rows = [row for row, name in enumerate(frames) if name in odometry and (name in whole or name in piece)]
    gaps = []
    for at, (before, after) in enumerate(pairwise(rows)):
        is_gap = (frames[before] in whole) != (frames[after] in whole)
        if not is_gap or after - before > LONGEST_GAP_FRAMES:
            continue
        sides = rows[max(0, at + 1 - BORDER_FRAMES) : at + 1], rows[at + 1 : at + 1 + BORDER_FRAMES]
        known, new = sides if frames[before] in whole else sides[::-1]
        gaps.append(Gap(frames, before, after, [frames[row] for row in known if frames[row] in whole],
                        [frames[row] for row in new if frames[row] not in whole]))  # fmt: skip
    return gaps


def _bridge(gap: Gap, whole: Poses, piece: Poses, odometry: Poses) -> Bridge:
    """Average over the border what the gap's odometry says.

    Raises:
        AlignmentError: it is not proved.
    """
    in_whole, in_piece = (_confirmed(gap, poses, odometry) for poses in (whole, piece))
    _check_speed(gap, whole, piece, odometry)
    rotations, found, ways_m = [], [], []
    for known, new in [(known, new) for known in gap.known for new in gap.new]:
        known_from_new = odometry[known].inverse() * odometry[new]
        expected = whole[known] * Pose(known_from_new.rotation, known_from_new.translation / in_whole.scale)
        rotations.append(expected.rotation * piece[new].rotation.inv())
        found.append(expected.translation)
        ways_m.append(float(np.linalg.norm(known_from_new.translation)))
    way_m = float(np.mean(ways_m))
    off_m = max(in_whole.way_off, in_piece.way_off) * way_m
    size_m = way_m + min(in_whole.scale * _size(whole), in_piece.scale * _size(piece))
    if off_m > MAX_SHARE * size_m:
        raise AlignmentError(f"{gap.where} odometry is good to {off_m:.2f} m, too little for a piece of {size_m:.2f} m")
    own = np.mean([piece[new].translation for new in gap.new], axis=0)
    rotation, scale = Rotation.concatenate(rotations).mean(), in_piece.scale / in_whole.scale
    return Bridge(rotation, scale, own, np.mean(found, axis=0), way_m, in_whole.scale)


def _confirmed(gap: Gap, poses: Poses, odometry: Poses) -> Agreement:
    """Compare odometry with all that these poses saw in the recording, and again beside the gap: it may slip there.

    Raises:
        AlignmentError: they disagree, or too little is known to say.
    """
    in_all = agreement(poses, odometry, gap.frames, gap.way_frames)
    for found in (in_all, agreement(poses, odometry, gap.beside, gap.way_frames)):
        if objection := found.objection():
            raise AlignmentError(f"{gap.where} {objection}")
    return in_all


def _check_speed(gap: Gap, whole: Poses, piece: Poses, odometry: Poses) -> None:
    """Raise AlignmentError where odometry moves faster in the gap than it ever did where it was confirmed."""
    across = [name for name in gap.frames[gap.before : gap.after + 1] if name in odometry]
    seen = [name for name in gap.frames if name in odometry and (name in whole or name in piece)]
    row = {name: at for at, name in enumerate(gap.frames)}
    confirmed = [(a, b) for a, b in pairwise(seen) if (a in whole) == (b in whole)]
    slow, fast = (
        np.max([np.array(pose_error(odometry[a], odometry[b])) / (row[b] - row[a]) for a, b in pairs], axis=0)
        for pairs in (confirmed, list(pairwise(across)))
    )
    turn_deg, confirmed_deg = np.degrees([fast[1], slow[1]])
    if turn_deg > MAX_FASTER * confirmed_deg + MAX_TURN_OFF_DEG:
        raise AlignmentError(
            f"{gap.where} odometry turns by {turn_deg:.1f} deg a frame, while the pieces confirm {confirmed_deg:.1f}"
        )
    if fast[0] > MAX_FASTER * slow[0] + MIN_WAY_M:
        raise AlignmentError(
            f"{gap.where} odometry moves by {fast[0]:.2f} m a frame, while the pieces confirm {slow[0]:.2f}"
        )


def _check_seen(gap: Gap, odometry: Poses, seen: Turns) -> None:
    """Raise AlignmentError where pairs of images across the gap, or parts of it, saw the camera turn otherwise.

    A pair's turn differs from odometry's by a vector in the axes of odometry, of which each frame between the two has
    an equal share; of a frame the median pair across it counts, and frames that few pairs are across count as right.
    """
    row = {name: at for at, name in enumerate(gap.frames)}
    first, last = gap.before - BORDER_FRAMES, gap.after + BORDER_FRAMES
    off = []
    for (a, b), a_from_b in seen.items():
        if a in odometry and b in odometry and first <= row.get(a, -1) < row.get(b, -1) <= last:
            turn = odometry[a].rotation * a_from_b * odometry[b].rotation.inv()
            off.append((row[a], row[b], turn.as_rotvec(degrees=True) / (row[b] - row[a])))
    total = np.zeros(3)
    for at in range(gap.before, gap.after):
        across = [share for start, end, share in off if start <= at < end]
        if len(across) >= MIN_SEEN:
            total += np.median(across, axis=0)
    if (off_deg := float(np.linalg.norm(total))) > MAX_SEEN_OFF_DEG:
        raise AlignmentError(f"{gap.where} odometry turns otherwise than the images in the gap, by {off_deg:.0f} deg")


def _check_they_agree(bridges: Sequence[Bridge], whole_from_piece: Similarity) -> None:
    """Raise AlignmentError where several gaps put the piece to different places."""
    apart = max(float(np.linalg.norm(one.found - other.found)) for one in bridges for other in bridges)
    for bridge in bridges:
        off_deg = float(np.degrees(rotation_angle(bridge.rotation.inv() * whole_from_piece.rotation)))
        off_m = bridge.whole_scale * float(np.linalg.norm(whole_from_piece.transform(bridge.own) - bridge.found))
        if off_deg > MAX_TURN_OFF_DEG or off_m > MAX_SHARE * (bridge.whole_scale * apart + bridge.way_m):
            raise AlignmentError(
                f"odometry across {len(bridges)} gaps contradicts itself, by {off_m:.2f} m and {off_deg:.1f} deg"
            )


def _size(poses: Poses) -> float:
    """Return the diagonal of the box around the cameras."""
    return float(np.linalg.norm(np.ptp(positions_of(poses.values()), axis=0)))
