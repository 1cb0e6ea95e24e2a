"""How far estimates are from a reference: per frame, and in sum.

There is no alignment: the map frame is absolute. A frame without an answer has an infinite error, in every median,
percentile and recall: an estimator cannot gain by keeping silent, and none by being sure and wrong.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from campose_core.capture.file_stamps import at_own_stamps
from campose_core.errors import TrajectoryError
from campose_core.evaluation.estimates import Estimates, Percentiles
from campose_core.evaluation.outcomes import OutcomeTable
from campose_core.evaluation.reliability import PARTS, Reliability, reliability, squared_distances
from campose_core.geometry import Array
from campose_core.trajectory import Stamps, Trajectory, seconds_text

# (metres, degrees): 7-Scenes' threshold, and those of robots and of long-term localization.
RECALL_THRESHOLDS = ((0.05, 5.0), (0.10, 1.0), (0.25, 2.0), (0.50, 5.0))
WRONG_M = 1.0
MAX_DIFFERENCE_NS = 20_000_000


class Spread(NamedTuple):
    """Over all frames, unanswered ones as inf."""

    median: float
    mean: float
    p95: float

    @classmethod
    def of(cls, errors: Array) -> Spread:
        """Sum up the errors (N,), of which some may be inf."""
        ordered = np.sort(errors)
        # The linear percentile, without inf - inf.
        place = 0.95 * (len(ordered) - 1)
        low, high = float(ordered[math.floor(place)]), float(ordered[math.ceil(place)])
        p95 = high if math.isinf(high) else low + (high - low) * (place - math.floor(place))
        return cls(float(np.median(ordered)), float(ordered.mean()), p95)


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

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Tell which frames (N,) have an answer."""
        return np.isfinite(self.position_m)


@dataclass(frozen=True)
class Metrics:
    """The row of an estimator. recall: share of frames within `5cm/5deg` and so on. wrong_and_sure: share of frames
    answered, not LOST, and more than 1 m off. latency_ms, statuses, reliability: as far as the estimates tell them."""

    estimator: str
    frames: int
    answered: int
    without_reference: int
    position_m: Spread
    rotation_deg: Spread
    floor_m: Spread
    yaw_deg: Spread
    recall: dict[str, float]
    wrong_and_sure: float
    latency_ms: Percentiles | None
    statuses: dict[str, int]
    reliability: Reliability | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON, which has no infinity: an infinite error is None."""

        def finite(values: Spread) -> dict[str, float | None]:
            return {name: value if math.isfinite(value) else None for name, value in values._asdict().items()}

        return {
            "estimator": self.estimator,
            "frames": self.frames,
            "answered": self.answered,
            "without_reference": self.without_reference,
            "position_m": finite(self.position_m),
            "rotation_deg": finite(self.rotation_deg),
            "floor_m": finite(self.floor_m),
            "yaw_deg": finite(self.yaw_deg),
            "recall": self.recall,
            "wrong_and_sure": self.wrong_and_sure,
            "latency_ms": self.latency_ms._asdict() if self.latency_ms else None,
            "statuses": self.statuses,
            "reliability": self.reliability.to_dict() if self.reliability else None,
        }


def recall_name(position_m: float, rotation_deg: float) -> str:
    """Name a threshold, metres and degrees, as tables and JSON do: `5cm/5deg`."""
    return f"{position_m * 100:.0f}cm/{rotation_deg:.0f}deg"


def evaluate(estimates: Estimates, reference: Trajectory) -> Metrics:
    """Score estimates against a reference of the same body in the same map frame.

    Raises:
        TrajectoryError: no frame has a reference; both intervals are named.
    """
    if estimates.complete:
        reference = at_own_stamps(reference, dict(enumerate(estimates.table.stamps_ns.tolist())))
    return summarise(frame_errors(estimates, reference), estimates)


def frame_errors(estimates: Estimates, reference: Trajectory) -> FrameErrors:
    """Measure the error of each frame.

    When the estimates list all their frames, those are scored against the reference interpolated to their stamps (or
    the nearest pose within 20 ms). Otherwise each reference pose counts as a frame, answered by the nearest estimate
    within 20 ms.

    Raises:
        TrajectoryError: no frame has a reference; both intervals are named.
    """
    table = estimates.table
    if estimates.complete:
        covered, at_frames = _reference_at(reference, table.stamps_ns)
        answer = table.answer[covered]
        statuses = tuple(itertools.compress(table.statuses, covered))
    else:
        covered, at_frames = np.ones(len(reference), dtype=bool), reference
        answer, statuses = np.full(len(reference), -1), ("",) * len(reference)
        for estimated, row in table.trajectory.associate(reference, MAX_DIFFERENCE_NS):
            answer[row] = estimated
    if not len(at_frames) or not (estimates.complete or (answer >= 0).any()):
        raise TrajectoryError(
            f"the estimates ({_interval_text(estimates)}) and the reference ({reference.interval_text()}) do not "
            "overlap in time: give the reference of the same recording, with stamps of the same clock"
        )
    return _errors(table, at_frames, answer, statuses, int((~covered).sum()))


def _interval_text(estimates: Estimates) -> str:
    stamps_ns = estimates.table.stamps_ns
    if not len(stamps_ns):
        return "no frames"
    first, last = int(stamps_ns[0]), int(stamps_ns[-1])
    return f"{seconds_text(first)[:-6]} .. {seconds_text(last)[:-6]} s"


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
        turn = table.trajectory.rotations[estimated] * truth.rotations[row].inv()  # about the map's axes
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


def summarise(errors: FrameErrors, estimates: Estimates) -> Metrics:
    """Make the row of an estimator from the errors of its frames."""
    frames = len(errors.stamps_ns)
    recall = {
        recall_name(metres, degrees): float(np.mean((errors.position_m <= metres) & (errors.rotation_deg <= degrees)))
        for metres, degrees in RECALL_THRESHOLDS
    }
    sure = errors.answered & (np.array(errors.statuses) != "LOST")
    return Metrics(
        estimator=estimates.estimator,
        frames=frames,
        answered=int(errors.answered.sum()),
        without_reference=errors.without_reference,
        position_m=Spread.of(errors.position_m),
        rotation_deg=Spread.of(errors.rotation_deg),
        floor_m=Spread.of(errors.floor_m),
        yaw_deg=Spread.of(errors.yaw_deg),
        recall=recall,
        wrong_and_sure=float(np.mean(sure & (errors.position_m > WRONG_M))),
        latency_ms=estimates.latency_ms,
        statuses=estimates.statuses,
        reliability=reliability(errors.squared_mahalanobis),
    )
