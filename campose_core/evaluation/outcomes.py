"""What became of the frames of a recording: one by one, and as columns, which a hundred thousand of them need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from campose_core.geometry import Array, Pose
from campose_core.trajectory import Stamps, Trajectory


class FrameOutcome(NamedTuple):
    """What became of one frame. map_from_cam is None when it was not answered; the rest where known.

    covariance: (6, 6) of map_from_cam over (x, y, z, rx, ry, rz), fixed map axes, metres and radians.
    """

    stamp_ns: int
    map_from_cam: Pose | None
    status: str = ""
    latency_ms: float | None = None
    covariance: Array | None = None


@dataclass(frozen=True, eq=False)
class OutcomeTable(Sequence[FrameOutcome]):
    """The outcomes of N frames in time order, of which A were answered; a row is made when it is asked for.

    stamps_ns (N,), statuses, latencies_ms: of all frames. trajectory: the answers. covariances (A, 6, 6): of the
    answers, NaN where there is none; None where no answer has one.
    """

    stamps_ns: Stamps
    statuses: Sequence[str]
    latencies_ms: Sequence[float | None]
    trajectory: Trajectory
    covariances: Array | None = None

    @classmethod
    def of(cls, outcomes: Sequence[FrameOutcome]) -> OutcomeTable:
        """Make the columns of outcomes in time order."""
        if isinstance(outcomes, cls):
            return outcomes
        answered = [outcome for outcome in outcomes if outcome.map_from_cam is not None]
        poses = [outcome.map_from_cam for outcome in answered if outcome.map_from_cam is not None]
        covariances = None
        if any(outcome.covariance is not None for outcome in answered):
            unknown = np.full((6, 6), np.nan)
            covariances = np.array([unknown if one.covariance is None else one.covariance for one in answered])
        return cls(
            np.array([outcome.stamp_ns for outcome in outcomes], dtype=np.int64),
            [outcome.status for outcome in outcomes],
            [outcome.latency_ms for outcome in outcomes],
            Trajectory.from_poses([outcome.stamp_ns for outcome in answered], poses),
            covariances,
        )

    @cached_property
    def answer(self) -> NDArray[np.intp]:
        """Return the row of the trajectory that answers each frame (N,), -1 where none does."""
        rows = np.full(len(self.stamps_ns), -1, dtype=np.intp)
        rows[np.searchsorted(self.stamps_ns, self.trajectory.stamps_ns)] = np.arange(len(self.trajectory))
        return rows

    def __len__(self) -> int:
        return len(self.stamps_ns)

    @overload
    def __getitem__(self, index: int) -> FrameOutcome: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[FrameOutcome, ...]: ...
    def __getitem__(self, index: int | slice) -> FrameOutcome | tuple[FrameOutcome, ...]:
        """Return the outcome of a frame, or of a slice of them."""
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        row = int(self.answer[index])
        pose = None if row < 0 else self.trajectory.pose(row)
        covariance = None if row < 0 or self.covariances is None else self.covariances[row]
        if covariance is not None and np.isnan(covariance[0, 0]):
            covariance = None
        return FrameOutcome(
            int(self.stamps_ns[index]), pose, self.statuses[index], self.latencies_ms[index], covariance
        )

    def __iter__(self) -> Iterator[FrameOutcome]:
        return (self[i] for i in range(len(self)))
