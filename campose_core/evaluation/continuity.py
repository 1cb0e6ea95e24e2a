"""How an estimator keeps to a path: the first fix, outages and jumps, and the error over a distance walked."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from campose_core.evaluation.frame_errors import FrameErrors
from campose_core.evaluation.spread import Spread, finite
from campose_core.geometry import Array, products

# Between two answers no more than a second apart the error may not change by more: a robot would turn off its way.
JUMP_M, JUMP_DEG, JUMP_WITHIN_NS = 0.5, 10.0, 10**9
RELATIVE_LENGTHS_M = (1.0, 5.0, 10.0)
LENGTH_TOLERANCE = 0.1  # of the length; that of evo, so that both compare the same pairs


class Outages(NamedTuple):
    """Stretches after the first fix in which no frame was answered within 1 m.

    median_s, longest_s: from the first such frame to the next right answer, infinite where none came; None without an
    outage.
    """

    outages: int
    median_s: float | None
    longest_s: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON; an infinite time is None, as if there were none: `outages` tells."""
        times = {name: None if value is None else finite(value) for name, value in self._asdict().items()}
        return {**times, "outages": self.outages}


class RelativeErrors(NamedTuple):
    """Of the motion between frames that lie a length of the true path apart; infinite where one has no answer."""

    pairs: int
    position_m: Spread
    rotation_deg: Spread

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        position, rotation = self.position_m.to_dict(), self.rotation_deg.to_dict()
        return {"pairs": self.pairs, "position_m": position, "rotation_deg": rotation}


def first_fix_s(errors: FrameErrors) -> float:
    """Return the seconds from the first frame to the first answer within 1 m; infinite where there is none."""
    right = np.flatnonzero(errors.right)
    return float(errors.stamps_ns[right[0]] - errors.stamps_ns[0]) * 1e-9 if len(right) else np.inf


def outages(errors: FrameErrors) -> Outages:
    """Find the stretches after the first fix in which no answer was within 1 m."""
    right = np.flatnonzero(errors.right)
    if not len(right):
        return Outages(0, None, None)
    wrong = ~errors.right[right[0] :]
    stamps_ns = errors.stamps_ns[right[0] :]
    edges = np.diff(wrong.astype(np.int8), prepend=0)
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    lasted = np.full(len(starts), np.inf)
    lasted[: len(ends)] = (stamps_ns[ends] - stamps_ns[starts[: len(ends)]]) * 1e-9
    if not len(lasted):
        return Outages(0, None, None)
    return Outages(len(lasted), float(np.median(lasted)), float(lasted.max()))


def jumps(errors: FrameErrors) -> int:
    """Count answers whose error differs from that of the answer before, at most 1 s ago, by over 0.5 m or 10 deg."""
    answered = np.flatnonzero(errors.answered)
    if len(answered) < 2:
        return 0
    moved_m = np.linalg.norm(np.diff(errors.offsets[answered, :3], axis=0), axis=1)
    turns = Rotation.from_rotvec(errors.offsets[answered, 3:])
    turned_deg = np.degrees(products(turns[1:], turns[:-1].inv()).magnitude())
    soon = np.diff(errors.stamps_ns[answered]) <= JUMP_WITHIN_NS
    return int((soon & ((moved_m > JUMP_M) | (turned_deg > JUMP_DEG))).sum())


def relative_errors(errors: FrameErrors) -> dict[str, RelativeErrors]:
    """Measure the error of the motion over 1, 5 and 10 m of the true path, as far as it is that long; `1m` and so on.

    The relative pose error of Sturm et al., "A benchmark for the evaluation of RGB-D SLAM systems", IROS 2012, between
    all pairs of frames that lie so far apart on the path.
    """
    path_m = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(errors.reference.positions, axis=0), axis=1))])
    found = {}
    for length_m in RELATIVE_LENGTHS_M:
        first, second = _pairs_apart(path_m, length_m)
        if len(first):
            position_m, rotation_deg = _motion_errors(errors, first, second)
            spreads = Spread.of(position_m), Spread.of(rotation_deg)
            found[f"{length_m:g}m"] = RelativeErrors(len(first), *spreads)
    return found


def _pairs_apart(path_m: Array, length_m: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return for each frame the one whose distance on the path comes nearest to a length, where one does within 10 %.

    path_m (N,): the way walked up to each frame. Of frames at one place the first is taken.
    """
    here = np.arange(len(path_m))
    after = np.clip(np.searchsorted(path_m, path_m + length_m), 0, len(path_m) - 1)
    before = np.searchsorted(path_m, path_m[np.maximum(after - 1, 0)])
    off_after, off_before = (np.abs(path_m[row] - path_m - length_m) for row in (after, before))
    other = np.where(off_before <= off_after, before, after)
    other = np.maximum(other, here)
    there = (np.abs(path_m[other] - path_m - length_m) <= LENGTH_TOLERANCE * length_m) & (other > here)
    return here[there], other[there]


def _motion_errors(errors: FrameErrors, first: NDArray[np.intp], second: NDArray[np.intp]) -> tuple[Array, Array]:
    """Return the errors (P,) in metres and degrees of the estimated motion from each first frame to its second."""
    position_m, rotation_deg = np.full(len(first), np.inf), np.full(len(first), np.inf)
    both = errors.answered[first] & errors.answered[second]
    if both.any():
        first, second = first[both], second[both]
        # With D the turn from the true to the estimated rotation about the map's axes, the error (true motion)^-1 *
        # (estimated motion) turns by D_first^-1 * D_second, and moves by D_first^-1 * (estimated step) - (true step).
        turns = Rotation.from_rotvec(np.nan_to_num(errors.offsets[:, 3:]))
        xyz, truly = errors.estimated_xyz, errors.reference.positions
        back = turns[first].inv()
        step = back.apply(xyz[second] - xyz[first]) - (truly[second] - truly[first])
        position_m[both] = np.linalg.norm(step, axis=1)
        rotation_deg[both] = np.degrees(products(back, turns[second]).magnitude())
    return position_m, rotation_deg
