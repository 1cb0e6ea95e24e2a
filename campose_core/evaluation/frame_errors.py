"""How far estimates are from a reference, frame by frame.

There is no alignment: the map frame is absolute. A frame without an answer has an infinite error.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from campose_core.errors import TrajectoryError
from campose_core.evaluation.estimates import Estimates
from campose_core.evaluation.outcomes import OutcomeTable
from campose_core.evaluation.reliability import PARTS, squared_distances
from campose_core.geometry import Array, products
from campose_core.joining.shifted_stamps import shifted_stamps
from campose_core.trajectory import Stamps, Trajectory, span_text

MAX_DIFFERENCE_NS = 20_000_000
WRONG_M = 1.0


@dataclass(frozen=True, eq=False)
class FrameErrors:
    """The errors of the frames that the reference covers, (N,) each, inf where there was no answer.

    position_m: distance in space. rotation_deg: angle between the attitudes. floor_m: distance on the floor plane.
    yaw_deg: the part of the rotation about the map's z axis. statuses: '' where unknown.
    reference: its pose at each frame. without_reference: frames that cannot be scored, and count in nothing.
    squared_mahalanobis: (N, 3), of the parts that reliability.PARTS names; NaN where there is no covariance.
    offsets: (N, 6), estimate minus reference in x, y, z, and the turn between them, metres and radians about the map's
    axes; NaN where there was no answer.
    """

    stamps_ns: Stamps
    position_m: Array
    rotation_deg: Array
    floor_m: Array
    yaw_deg: Array
    statuses: tuple[str, ...]
    reference: Trajectory
    without_reference: int
    squared_mahalanobis: Array
    offsets: Array

    def of(self, frames: NDArray[np.bool_]) -> FrameErrors:
        """Return the errors of some frames (N,) alone."""
        return FrameErrors(
            self.stamps_ns[frames],
            self.position_m[frames],
            self.rotation_deg[frames],
            self.floor_m[frames],
            self.yaw_deg[frames],
            tuple(itertools.compress(self.statuses, frames)),
            self.reference.select(frames),
            0,
            self.squared_mahalanobis[frames],
            self.offsets[frames],
        )

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Tell which frames (N,) have an answer."""
        return np.isfinite(self.position_m)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Tell which frames (N,) have an answer that is no more than 1 m off."""
        return self.position_m <= WRONG_M

    @property
    def estimated_xyz(self) -> Array:
        """Return the estimated positions (N, 3), NaN where there is no answer."""
        return self.reference.positions + self.offsets[:, :3]


def frame_errors(estimates: Estimates, reference: Trajectory) -> FrameErrors:
    """Measure the error of each frame.

    When the estimates list all their frames, those are scored against the reference interpolated to their stamps (or
    the nearest pose within 20 ms). Otherwise each reference pose counts as a frame, answered by the nearest estimate
    within 20 ms. A pose that is said to be LOST is no answer.

    Raises:
        TrajectoryError: no frame has a reference; both intervals are named.
    """
    table = estimates.table
    if estimates.complete:
        covered, at_frames = _reference_at(reference, table.stamps_ns)
        statuses = tuple(itertools.compress(table.statuses, covered))
        answer = np.where(np.array(statuses) == "LOST", -1, table.answer[covered])
    else:
        covered, at_frames = np.ones(len(reference), dtype=bool), reference
        answer, statuses = np.full(len(reference), -1), ("",) * len(reference)
        for estimated, row in table.trajectory.associate(reference, MAX_DIFFERENCE_NS):
            answer[row] = estimated
    if not len(at_frames) or not (estimates.complete or (answer >= 0).any()):
        raise of_another_time(estimates, reference)
    return _errors(table, at_frames, answer, statuses, int((~covered).sum()))


def of_another_time(estimates: Estimates, reference: Trajectory) -> TrajectoryError:
    """Say for people that no frame has a reference, and name both intervals."""
    stamps_ns = estimates.table.stamps_ns
    if not len(stamps_ns):
        return TrajectoryError(f"the estimates of {estimates.estimator!r} hold no frame: nothing was localized")
    intervals = f"the estimates ({_interval_text(estimates)}) and the reference ({reference.interval_text()})"
    apart = stamps_ns[-1] < reference.stamps_ns[0] or reference.stamps_ns[-1] < stamps_ns[0]
    near = f"have no poses within {MAX_DIFFERENCE_NS / 1e6:.0f} ms of each other"
    fault = "do not overlap in time" if apart else near
    said = "" if apart else shifted_stamps(estimates.trajectory, reference)
    cure = f". {said}" if said else ": give the reference of the same recording, with stamps of the same clock"
    return TrajectoryError(f"{intervals} {fault}{cure}")


def no_overlap(first_ns: int, last_ns: int, reference: Trajectory) -> str:
    """Say for people, before a recording is localized, that its reference is of another time; empty where it is not.

    first_ns, last_ns: the stamps of its first and of its last image.
    """
    if first_ns <= reference.stamps_ns[-1] and reference.stamps_ns[0] <= last_ns:
        return ""
    return (
        f"the images ({span_text(first_ns, last_ns)}) and the reference ({reference.interval_text()}) do not overlap "
        "in time: there will be poses, and no errors of them. Give the reference of the same recording, with stamps of "
        "the same clock"
    )


def poses_without_a_frame(estimates: Estimates, reference: Trajectory) -> int:
    """Count the poses of a reference of the frames themselves that none of the estimates' frames are of.

    0 of a reference that is more than twice as dense as the frames, of which nobody knows when images came.
    """
    stamps_ns = estimates.table.stamps_ns
    if not estimates.complete or min(len(stamps_ns), len(reference)) < 2:
        return 0
    if 2 * np.median(np.diff(reference.stamps_ns)) < np.median(np.diff(stamps_ns)):
        return 0
    after = np.searchsorted(stamps_ns, reference.stamps_ns)
    around = stamps_ns[np.clip([after - 1, after], 0, len(stamps_ns) - 1)]
    return int((np.abs(around - reference.stamps_ns).min(axis=0) > MAX_DIFFERENCE_NS).sum())


def _interval_text(estimates: Estimates) -> str:
    stamps_ns = estimates.table.stamps_ns
    return span_text(int(stamps_ns[0]), int(stamps_ns[-1]))


def _errors(
    table: OutcomeTable, truth: Trajectory, answer: NDArray[np.intp], statuses: tuple[str, ...], uncovered: int
) -> FrameErrors:
    """answer (N,): the row of the table's trajectory that answers each frame of the truth, -1 where none does."""
    position_m, rotation_deg, floor_m, yaw_deg = (np.full(len(truth), np.inf) for _ in range(4))
    mahalanobis, offsets = np.full((len(truth), len(PARTS)), np.nan), np.full((len(truth), 6), np.nan)
    row = np.flatnonzero(answer >= 0)
    if len(row):
        estimated = answer[row]
        offset = table.trajectory.positions[estimated] - truth.positions[row]
        position_m[row] = np.linalg.norm(offset, axis=1)
        floor_m[row] = np.linalg.norm(offset[:, :2], axis=1)
        turn = products(table.trajectory.rotations[estimated], truth.rotations[row].inv())  # about the map's axes
        rotation_deg[row] = np.degrees(turn.magnitude())
        # The twist of the swing-twist decomposition about z: defined whichever way the body's axes point.
        quat = turn.as_quat(canonical=True)
        yaw_deg[row] = np.degrees(np.abs(2 * np.arctan2(quat[:, 2], quat[:, 3])))
        yaw_deg[row] = np.minimum(yaw_deg[row], 360 - yaw_deg[row])
        offsets[row] = np.hstack([offset, turn.as_rotvec()])
        if table.covariances is not None:
            known = np.isfinite(table.covariances[estimated, 0, 0])
            mahalanobis[row[known]] = squared_distances(offsets[row[known]], table.covariances[estimated[known]])
    return FrameErrors(
        truth.stamps_ns, position_m, rotation_deg, floor_m, yaw_deg, statuses, truth, uncovered, mahalanobis, offsets
    )


def _reference_at(reference: Trajectory, stamps_ns: Stamps) -> tuple[NDArray[np.bool_], Trajectory]:
    """Which stamps the reference covers, and its pose at those."""
    covered, inside = reference.interpolate(stamps_ns)
    after = np.clip(np.searchsorted(reference.stamps_ns, stamps_ns), 1, len(reference) - 1)
    before_is_nearer = stamps_ns - reference.stamps_ns[after - 1] <= reference.stamps_ns[after] - stamps_ns
    nearest = np.where(before_is_nearer, after - 1, after)
    near = ~covered & (np.abs(reference.stamps_ns[nearest] - stamps_ns) <= MAX_DIFFERENCE_NS)
    positions, quats = np.empty((len(stamps_ns), 3)), np.empty((len(stamps_ns), 4))
    positions[covered], quats[covered] = inside.positions, inside.rotations.as_quat()
    positions[near], quats[near] = reference.positions[nearest[near]], reference.rotations[nearest[near]].as_quat()
    covered |= near
    return covered, Trajectory(stamps_ns[covered], positions[covered], Rotation.from_quat(quats[covered]))
