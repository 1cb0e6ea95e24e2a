"""The numbers of an estimator: a row of a table, of the errors of its frames.

A frame without an answer has an infinite error, in every median, percentile and recall: an estimator cannot gain by
keeping silent, and none by being sure and wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from campose_core.capture.file_stamps import at_own_stamps
from campose_core.errors import TrajectoryError
from campose_core.evaluation.continuity import Outages, RelativeErrors, first_fix_s, jumps, outages, relative_errors
from campose_core.evaluation.estimates import Estimates, Percentiles
from campose_core.evaluation.frame_errors import FrameErrors as FrameErrors
from campose_core.evaluation.frame_errors import frame_errors as frame_errors
from campose_core.evaluation.intervals import Interval, intervals, to_dict
from campose_core.evaluation.leak import Leak
from campose_core.evaluation.measures import RECALL_THRESHOLDS as RECALL_THRESHOLDS
from campose_core.evaluation.measures import Threshold, shares
from campose_core.evaluation.measures import recall_name as recall_name
from campose_core.evaluation.reliability import Reliability, reliability
from campose_core.evaluation.snap_effect import SnapEffect
from campose_core.evaluation.spread import Spread, finite
from campose_core.trajectory import Trajectory


@dataclass(frozen=True)
class Metrics:
    """The row of an estimator.

    recall, recall_floor: share of frames within `5cm/5deg` and so on, in space, and in x, y and yaw. wrong_and_sure:
    share of frames answered, not LOST, and more than 1 m off. jumps, first_fix_s, outages, relative: see `continuity`.
    latency_ms, statuses, reliability: as far as the estimates tell them. intervals: by the names of `measures`, empty
    of a short recording. snap: with a floor map. leak: what the frames share with those the estimator was made of.
    """

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
    recall_floor: dict[str, float]
    jumps: int
    first_fix_s: float
    outages: Outages
    relative: dict[str, RelativeErrors]
    intervals: dict[str, Interval] = field(default_factory=dict)
    snap: SnapEffect | None = None
    leak: Leak | None = None

    @property
    def availability(self) -> float:
        """Return the share of frames with an answer."""
        return self.answered / self.frames

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON, which has no infinity: an infinite error is None; what is not known is absent."""
        return {
            "estimator": self.estimator,
            "frames": self.frames,
            "answered": self.answered,
            "without_reference": self.without_reference,
            "position_m": self.position_m.to_dict(),
            "rotation_deg": self.rotation_deg.to_dict(),
            "floor_m": self.floor_m.to_dict(),
            "yaw_deg": self.yaw_deg.to_dict(),
            "recall": self.recall,
            "recall_floor": self.recall_floor,
            "availability": self.availability,
            "wrong_and_sure": self.wrong_and_sure,
            "jumps": self.jumps,
            "first_fix_s": finite(self.first_fix_s),
            "outages": self.outages.to_dict(),
            "relative": {length: found.to_dict() for length, found in self.relative.items()},
            "latency_ms": self.latency_ms._asdict() if self.latency_ms else None,
            "statuses": self.statuses,
            "reliability": self.reliability.to_dict() if self.reliability else None,
            **({"intervals": to_dict(self.intervals)} if self.intervals else {}),
            **({"snap": self.snap.to_dict()} if self.snap else {}),
            **({"leak": self.leak.to_dict()} if self.leak else {}),
        }


def evaluate(
    estimates: Estimates, reference: Trajectory, thresholds: Sequence[Threshold] = RECALL_THRESHOLDS
) -> Metrics:
    """Score estimates against a reference of the same body in the same map frame.

    thresholds: of the recalls, metres and degrees.

    Raises:
        TrajectoryError: no frame has a reference; both intervals are named.
    """
    return summarise(scored(estimates, reference), estimates, thresholds)


def scored(estimates: Estimates, reference: Trajectory) -> FrameErrors:
    """Measure the error of each frame, see `frame_errors`, against a reference that may count the images.

    Raises:
        TrajectoryError: no frame has a reference; both intervals are named. Or see `at_frames`.
    """
    return frame_errors(estimates, at_frames(estimates, reference))


def at_frames(estimates: Estimates, reference: Trajectory) -> Trajectory:
    """Return a reference at the stamps of the frames where it counts the images, of a folder or by its rows.

    Raises:
        TrajectoryError: of a bare trajectory and the reference one has stamps, or both count images, not as many.
    """
    if estimates.complete:
        return at_own_stamps(reference, dict(enumerate(estimates.table.stamps_ns.tolist())))
    counted = estimates.table.trajectory.of_images
    if counted != reference.of_images:
        theirs, its = (f"{n} poses without stamps, one for each image" if n else "poses with stamps"
                       for n in (counted, reference.of_images))  # fmt: skip
        raise TrajectoryError(
            f"the estimates are {theirs}, the reference is {its}: give --query RECORDING, the images that they are of"
        )
    return reference


def summarise(
    errors: FrameErrors, estimates: Estimates, thresholds: Sequence[Threshold] = RECALL_THRESHOLDS
) -> Metrics:
    """Make the row of an estimator from the errors of its frames."""
    counted = {name: float(np.mean(frames)) for name, frames in shares(errors, thresholds).items()}
    names = [recall_name(*threshold) for threshold in thresholds]
    return Metrics(
        estimator=estimates.estimator,
        frames=len(errors.stamps_ns),
        answered=int(errors.answered.sum()),
        without_reference=errors.without_reference,
        position_m=Spread.of(errors.position_m),
        rotation_deg=Spread.of(errors.rotation_deg),
        floor_m=Spread.of(errors.floor_m),
        yaw_deg=Spread.of(errors.yaw_deg),
        recall={name: counted[f"recall@{name}"] for name in names},
        recall_floor={name: counted[f"recall_floor@{name}"] for name in names},
        wrong_and_sure=counted["wrong_and_sure"],
        jumps=jumps(errors),
        first_fix_s=first_fix_s(errors),
        outages=outages(errors),
        relative=relative_errors(errors),
        latency_ms=estimates.latency_ms,
        statuses=estimates.statuses,
        reliability=reliability(errors.squared_mahalanobis),
        intervals=intervals(errors),
    )
