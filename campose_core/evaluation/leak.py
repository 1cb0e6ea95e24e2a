"""Whether the frames that judge an estimator are also those that it was made of.

For each query frame the nearest training frame in time, in place and in view is found. A query leaks where
- its frames lie between training frames of one recording, a moment apart: an interleaved split;
- its path, or a piece of it, is that of a training recording, moved in time: it was cut from the mapping video;
- it moved along with a training recording, by one clock: another camera of the same drive;
- one of its images is a training image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from campose_core.evaluation.views import Views, nearest_views
from campose_core.geometry import Array, positions_of
from campose_core.scene.frames_table import SceneFrame
from campose_core.trajectory import Stamps, Trajectory

# A frame of the scene's own test split is between two training frames that are no farther apart in time, or with no
# more than two other frames between them. The contiguous splits of `campose split` leave out more.
BETWEEN_S, BETWEEN_FRAMES = 0.5, 3
# Another recording than those of the training has no business between frames of one of them at all.
CUT_S = 2.0
PIECE_S = 3.0
NEAR_M = 0.5  # a frame on the path, from the nearest of the frames that it was mapped from
# Two robots do not go through a building for half of a drive as near as this: by one clock, the date, they are one.
BESIDE_M, BESIDE_SHARE = 1.0, 0.5
EARLIEST_DATE_NS = 946_684_800 * 10**9  # 2000-01-01; other clocks begin anew with each recording
# The pictures may have been turned since: about the optical axis.
TURNS = [Rotation.from_euler("z", angle, degrees=True) for angle in (0, 90, 180, 270)]
COMPARED = 300  # frames of a query that decide whether it was cut from a recording


class Nearest(NamedTuple):
    """For each query frame (N,) the nearest training frame: in time, where they share a clock (s), in place (m, deg),
    and in view (mean difference of grey levels); `*_frame` are rows of the training, -1 and NaN where unknown."""

    time_frame: NDArray[np.intp]
    time_s: Array
    place_frame: NDArray[np.intp]
    place_m: Array
    place_deg: Array
    view_frame: NDArray[np.intp]
    view_grey: Array


@dataclass(frozen=True)
class Leak:
    """What is known of a query and the training frames, `frames` of them compared. reasons: one line each, none where
    nothing leaks. between, duplicated: the frames at fault. medians: of the distances to the nearest training frame;
    absent where not measured. nearest: of each frame."""

    frames: int
    reasons: tuple[str, ...]
    between: int
    duplicated: int
    medians: dict[str, float]
    nearest: Nearest | None = field(default=None, compare=False, repr=False)

    @property
    def leaks(self) -> bool:
        """Tell whether the numbers of the query mean less than they say."""
        return bool(self.reasons)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return {
            "leaks": self.leaks,
            "reasons": list(self.reasons),
            "frames": self.frames,
            "between": self.between,
            "duplicated": self.duplicated,
            "nearest_training_frame": self.medians,
        }


class Along(NamedTuple):
    """On a path at the same moment: within how many metres and degrees, in which share of the frames.

    Frames that have moved and turned less tell nothing: of a camera that stands still, or is driven straight on, every
    moment is like every other.
    """

    metres: float
    degrees: float
    share: float
    moved_m: float
    turned_deg: float


# Two drives on one way never stay within the first of each other at every moment; nor within the second for seconds.
DRIVE, PIECE = Along(0.05, 3.0, 0.5, 0.5, 0.0), Along(0.01, 0.5, 0.5, 0.25, 8.0)


class Training(NamedTuple):
    """The frames that an estimator was made of, by recording and time."""

    frames: list[SceneFrame]
    paths: dict[str, Trajectory]  # of each recording
    positions: Array
    axes: Array  # (N, 9), the columns of the rotations

    @classmethod
    def of(cls, frames: Sequence[SceneFrame]) -> Training:
        """Make it of frames with poses."""
        frames = sorted(frames, key=lambda frame: (frame.source, frame.stamp_ns))
        poses = [frame.map_from_cam for frame in frames if frame.map_from_cam is not None]
        paths = {}
        for source, group in groupby(zip(frames, poses, strict=True), key=lambda both: both[0].source):
            members = list(group)
            stamps_ns = [frame.stamp_ns for frame, _ in members]
            paths[source] = Trajectory.from_poses(stamps_ns, [pose for _, pose in members])
        positions = positions_of(poses)
        axes = np.array([pose.rotation.as_matrix().ravel() for pose in poses])
        return cls(frames, paths, positions, axes)


def find_leak(
    truth: Trajectory,
    training: Training,
    own: Sequence[SceneFrame] | None = None,
    views: Views | None = None,
    training_views: Views | None = None,
) -> Leak:
    """Compare query frames with training frames.

    truth: the poses of the query frames. own: these frames, where they are the scene's own; None of another recording,
    whose stamps are then those of the truth. views: what the query frames show, by row of the truth; training_views: by
    row of the training.
    """
    between, cut = np.zeros(len(truth), dtype=bool), []
    time_frame, time_s = np.full(len(truth), -1), np.full(len(truth), np.nan)
    first = 0
    for source, path in training.paths.items():
        if own is None:
            shared = _moments_of(truth, path)
        else:
            rows = np.flatnonzero([frame.source == source for frame in own])
            shared = [(rows, np.array([own[row].stamp_ns for row in rows.tolist()], dtype=np.int64))]
        for rows, stamps_ns in shared if len(path) else ():
            near, apart_s, gap_s = _in_time(stamps_ns, path.stamps_ns)
            closer = ~(apart_s >= time_s[rows])
            time_frame[rows[closer]], time_s[rows[closer]] = first + near[closer], apart_s[closer]
            within_s = CUT_S
            if own is not None:
                within_s = max(BETWEEN_S, BETWEEN_FRAMES * _period_s(stamps_ns, path.stamps_ns))
            between[rows] |= gap_s <= within_s * (1 + 1e-6)
            if own is None and (gap_s <= within_s).any():
                cut.append(source)
        first += len(path)
    place_frame, place_m, place_deg = _in_place(truth, training)
    view_frame, view_grey, same_view = nearest_views(views, training_views, len(truth))
    reasons = []
    if between.any():
        count = f"{between.sum()} of {len(truth)} frames"
        reasons.append(
            f"{count} are of the training recording {', '.join(dict.fromkeys(cut))}: the query was cut from it, "
            "or is of another camera of that drive"
            if cut
            else f"{count} lie between training frames of the same moment: the split is interleaved"
        )
    if same_view.any():
        row = int(np.flatnonzero(same_view)[0])
        twin = training.frames[view_frame[row]].name
        reasons.append(f"{same_view.sum()} of {len(truth)} images are training images, one of them {twin}")
    nearest = Nearest(time_frame, time_s, place_frame, place_m, place_deg, view_frame, view_grey)
    return Leak(len(truth), tuple(reasons), int(between.sum()), int(same_view.sum()), _medians(nearest), nearest)


def _medians(nearest: Nearest) -> dict[str, float]:
    columns = {name: getattr(nearest, name) for name in ("time_s", "place_m", "place_deg", "view_grey")}
    return {name: float(np.nanmedian(values)) for name, values in columns.items() if np.isfinite(values).any()}


def _period_s(query_ns: Stamps, training_ns: Stamps) -> float:
    both = np.unique(np.concatenate([query_ns, training_ns]))
    return float(np.median(np.diff(both))) * 1e-9 if len(both) > 1 else 0.0


def _in_time(query_ns: Stamps, training_ns: Stamps) -> tuple[NDArray[np.intp], Array, Array]:
    """Return the nearest training frame, how far it is away, and how far apart those around a query frame are (s).

    The latter is infinite before the first and after the last.
    """
    after = np.searchsorted(training_ns, query_ns)
    left, right = np.clip(after - 1, 0, None), np.clip(after, None, len(training_ns) - 1)
    to_left, to_right = (np.abs(training_ns[side] - query_ns) * 1e-9 for side in (left, right))
    inside = (after > 0) & (after < len(training_ns)) | (to_right == 0)
    gap_s = np.where(inside, np.where(to_right == 0, 0.0, to_left + to_right), np.inf)
    return np.where(to_left <= to_right, left, right), np.minimum(to_left, to_right), gap_s


def _in_place(truth: Trajectory, training: Training) -> tuple[NDArray[np.intp], Array, Array]:
    """Return the training frame that looks from nearly the same place in nearly the same direction, metres and degrees.

    The axes of the rotations, times sqrt(1 / 2): a turn by a small angle w moves them by w metres.
    """
    axes = truth.rotations.as_matrix().reshape(-1, 9)
    _, nearest = cKDTree(_pose_points(training.positions, training.axes)).query(_pose_points(truth.positions, axes))
    metres = np.linalg.norm(training.positions[nearest] - truth.positions, axis=1)
    cosine = ((training.axes[nearest] * axes).sum(axis=1) - 1) / 2
    return np.asarray(nearest), np.asarray(metres), np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def _pose_points(positions: Array, axes: Array) -> Array:
    return np.hstack([positions, np.sqrt(0.5) * axes])


def _moments_of(truth: Trajectory, path: Trajectory) -> list[tuple[NDArray[np.intp], Stamps]]:
    """Return the query frames that are of a training recording, in pieces, with their stamps on its clock."""
    rows = np.arange(len(truth))
    if _is_beside(truth, path):
        return [(rows, truth.stamps_ns)]
    if len(path) < 2:
        return []
    tree = cKDTree(_pose_points(path.positions, path.rotations.as_matrix().reshape(-1, 9)))
    if (shift_ns := _shift_of_cut(truth, path, tree, DRIVE)) is not None:
        return [(rows, truth.stamps_ns + shift_ns)]
    number = ((truth.stamps_ns - truth.stamps_ns[:1]) // int(PIECE_S * 1e9)).astype(int)
    found = []
    for piece in np.split(rows, np.flatnonzero(np.diff(number)) + 1):
        part = truth.select(piece)
        if (shift_ns := _shift_of_cut(part, path, tree, PIECE)) is not None:
            found.append((piece, part.stamps_ns + shift_ns))
    return found


def _has_moved(path: Trajectory, along: Along) -> bool:
    turned = (path.rotations[0].inv() * path.rotations).magnitude().max()
    return bool(np.ptp(path.positions, axis=0).max() >= along.moved_m and turned >= np.radians(along.turned_deg))


def _is_beside(truth: Trajectory, path: Trajectory) -> bool:
    """Tell whether the query was near a training camera all the time, by a clock that both share."""
    if not _has_moved(truth, DRIVE) or min(truth.stamps_ns[0], path.stamps_ns[0]) < EARLIEST_DATE_NS:
        return False
    inside, at = path.interpolate(truth.stamps_ns, max_gap_ns=int(CUT_S * 1e9))
    metres = np.linalg.norm(at.positions - truth.positions[inside], axis=1)
    return bool((metres <= BESIDE_M).sum() >= BESIDE_SHARE * len(truth))


def _shift_of_cut(truth: Trajectory, path: Trajectory, tree: cKDTree, along: Along) -> int | None:
    """Return what to add to the query's stamps so that it runs along a training path, moment by moment; None if none.

    Found by the frames nearest in place, of which most say the same shift, and refined between the frames. tree: of the
    path's poses.
    """
    query = truth.select(np.unique(np.linspace(0, len(truth) - 1, COMPARED).astype(int)))
    period_ns = int(np.median(np.diff(path.stamps_ns)))
    for turn in TURNS:
        turned = replace(query, rotations=query.rotations * turn)
        apart, nearest = tree.query(_pose_points(turned.positions, turned.rotations.as_matrix().reshape(-1, 9)))
        if np.mean(apart <= NEAR_M) < along.share:
            continue
        shifts_ns = path.stamps_ns[nearest] - query.stamps_ns
        cells = shifts_ns // max(period_ns, 1)
        values, counts = np.unique(cells, return_counts=True)
        rough_ns = int(np.median(shifts_ns[np.abs(cells - values[counts.argmax()]) <= 1]))
        candidates = [0, *(rough_ns + np.linspace(-1, 1, 21) * period_ns).astype(np.int64).tolist()]
        on_path = [_frames_along(turned, path, shift_ns, along) for shift_ns in candidates]
        best = int(np.argmax([frames.sum() for frames in on_path]))
        if on_path[best].mean() >= along.share and _has_moved(query.select(on_path[best]), along):
            return int(candidates[best])
    return None


def _frames_along(query: Trajectory, path: Trajectory, shift_ns: int, along: Along) -> NDArray[np.bool_]:
    """Tell which of the query's frames (N,) lie on the path at the same moment."""
    inside, at = path.interpolate(query.stamps_ns + shift_ns, max_gap_ns=int(CUT_S * 1e9))
    found = inside.copy()
    if inside.any():
        metres = np.linalg.norm(at.positions - query.positions[inside], axis=1)
        degrees = np.degrees((at.rotations * query.rotations[inside].inv()).magnitude())
        found[inside] = (metres <= along.metres) & (degrees <= along.degrees)
    return found
