"""What odometry is worth, by what a piece of a reconstruction has seen of its own way.

Within a piece the poses are right but for one similarity, so that the way from one frame to another, in the axes of the
first, is known but for one scale: it is compared with the same way by odometry, at as many frames apart as a gap has
that odometry is to bridge. No drift of a whole walk enters, which says nothing about the next second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from campose_core.errors import AlignmentError
from campose_core.geometry import Array, Pose, positions_of

MIN_WAYS = 4
MIN_WAY_M = 0.05  # what rests below this says more of noise than of scale
BLOCKS = 3  # of a piece, each with a scale of its own
# Medians over the ways of a piece, of 8 and 17 frames, pieces of 17 to 366 with noise of 0.1 deg and 2 mm:
#                                                             turn, deg     way           tilt, deg
#   demo floor at 5 Hz, odometry of wheels, 2 % error         0.5 .. 2.0    0.01 .. 0.02  0.1
#     5 % error                                               1.1 .. 4.8    0.02 .. 0.04  0.1
#     2 % error, the camera shaking by 2 deg in pitch         2.0 .. 2.7    0.02          2.0
#   kitchen at 10 Hz, held by hand, 5 % error                 0.4 .. 1.2    0.02 .. 0.05  0.8 .. 5.6 (its own: as much)
#     its own odometry, planar, and the truth made planar     2.4 .. 13     0.20 .. 0.44  0.8 .. 5.6 (its own: 0)
# A turn of 3 deg at a joint moves what lies beyond by 5 % of its distance, which is what MAX_SHARE allows.
MAX_TURN_OFF_DEG = 3.0
MAX_WAY_OFF = 0.12  # of the way
MAX_SHARE = 0.05  # of the size of what is joined
MAX_TILT_DEG, LEVEL_DEG = 3.0, 0.5


class Agreement(NamedTuple):
    """Odometry beside a piece, over ways as long as a gap.

    scale: metres of odometry per unit of the piece; scale_off: its standard error by the thirds of the piece, as a
    share. turn_off_deg: median angle between the turns of both. way_off: median distance between the ways of both, as
    a share of the median way. way_m: the median way by odometry. tilt_deg, odometry_tilt_deg: see `tilt_deg`.
    """

    scale: float
    scale_off: float
    turn_off_deg: float
    way_off: float
    way_m: float
    tilt_deg: float
    odometry_tilt_deg: float

    def objection(self) -> str | None:
        """Say why this odometry joins nothing to this piece; None where it may."""
        planar = self.odometry_tilt_deg < LEVEL_DEG and self.tilt_deg > LEVEL_DEG
        what = f"planar odometry (the images tilt by {self.tilt_deg:.1f} deg)" if planar else "odometry"
        if planar and self.tilt_deg > MAX_TILT_DEG:
            return f"{what} of a camera in a hand or on a head"
        if self.turn_off_deg > MAX_TURN_OFF_DEG:
            return f"{what} turns otherwise than the images, by {self.turn_off_deg:.1f} deg over such a gap"
        if self.way_m < MIN_WAY_M:
            return f"odometry moves by {self.way_m:.2f} m only, which gives no scale"
        if self.way_off > MAX_WAY_OFF:
            return f"{what} moves otherwise than the images, by {self.way_off:.0%} of the way"
        if self.scale_off > MAX_SHARE:
            return f"odometry gives a scale that is good to {self.scale_off:.0%} only"
        return None


def agreement(piece: Mapping[str, Pose], odometry: Mapping[str, Pose], frames: Sequence[str], steps: int) -> Agreement:
    """Compare both over ways of `steps` frames, or shorter ones where the piece is short, whose turns count for more.

    frames: of one recording in the order of time; odometry in others is another one.

    Raises:
        AlignmentError: fewer than MIN_WAYS ways in the piece.
    """
    at = np.array([i for i, name in enumerate(frames) if name in piece and name in odometry], dtype=np.intp)
    step = max(1, min(steps, (at[-1] - at[0]) // 2)) if len(at) else 1
    starts, ends = _ways(at, step)
    if len(starts) < MIN_WAYS:
        raise AlignmentError(f"only {len(at)} of its frames have odometry, too few to compare the two")
    seen_turns, seen = _moved([piece[frames[i]] for i in at], starts, ends)
    turns, moved = _moved([odometry[frames[i]] for i in at], starts, ends)
    turn_off = np.degrees((seen_turns.inv() * turns).magnitude())
    way_m = float(np.median(np.linalg.norm(moved, axis=1)))
    scale = _scale(seen, moved)
    blocks = [_scale(seen[rows], moved[rows]) for rows in np.array_split(np.arange(len(seen)), BLOCKS)]
    return Agreement(
        scale=scale,
        scale_off=float(np.std(blocks) / max(scale, 1e-9) / np.sqrt(BLOCKS - 1)),
        turn_off_deg=float(np.median(turn_off)) * max(1.0, steps / step),
        way_off=float(np.median(np.linalg.norm(moved - scale * seen, axis=1))) / max(way_m, 1e-9),
        way_m=way_m,
        tilt_deg=tilt_deg([piece[frames[i]] for i in at]),
        odometry_tilt_deg=tilt_deg([odometry[frames[i]] for i in at]),
    )


def tilt_deg(world_from_cams: Sequence[Pose]) -> float:
    """Measure how far the vertical wanders in the camera, RMS: 0 for one that only turns about one axis of the world.

    The vertical u is the direction of the world that wanders least, so the world needs no axis that is known to point
    up. The mean M of cam_from_world has |M u| = 1 where u stays in place, and |M u| = 1 - a^2 / 2 for small angles a
    about the mean; its largest singular value is the largest |M u|.
    """
    mean = np.mean([pose.rotation.inv().as_matrix() for pose in world_from_cams], axis=0)
    return float(np.degrees(np.sqrt(max(0.0, 2.0 * (1.0 - np.linalg.svd(mean, compute_uv=False)[0])))))


def _ways(at: NDArray[np.intp], step: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of `at` where a way begins, and where it ends `step` frames later, or as soon as there is a frame again."""
    ends = np.searchsorted(at, at + step)
    starts = np.flatnonzero(ends < len(at))
    near = at[ends[starts]] - at[starts] <= 2 * step
    return starts[near], ends[starts][near]


def _moved(world_from_cams: Sequence[Pose], starts: NDArray[np.intp], ends: NDArray[np.intp]) -> tuple[Rotation, Array]:
    """start_from_end: rotations, and translations (N, 3)."""
    rotations = Rotation.concatenate([pose.rotation for pose in world_from_cams])
    places = positions_of(world_from_cams)
    back = rotations[starts].inv()
    return back * rotations[ends], back.apply(places[ends] - places[starts])


def _scale(seen: Array, moved: Array) -> float:
    """Of lengths, not of vectors: a camera that is mounted at a wrong angle turns all ways alike."""
    return float(np.linalg.norm(moved) / max(float(np.linalg.norm(seen)), 1e-12))
