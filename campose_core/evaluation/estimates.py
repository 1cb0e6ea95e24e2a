"""What an estimator said of each frame of a recording, in memory and on disk.

    EST.tum     stamp_s x y z qx qy qz qw   map_from_cam of the answered frames, in time order
    EST.json    estimator, frames, answered, latency_ms {p50, p95, p99}, statuses {name: count}, scale ("measured",
                "assumed" or "unknown": what the unit of the poses rests on), `estimated_cameras` of images without
                intrinsics (focal_px and sigma_px, absent where it stays open; how many of the frames that were
                looked_at agree; `own`: the source whose camera it is), and `per_frame`: three lists of equal
                length: stamps_ns, statuses, latencies_ms
    EST.covariance.csv   stamp_ns and the upper triangle of the covariance over (x, y, z, rx, ry, rz), row by row, of
                the answered frames that have one; absent when none has

The trajectory alone cannot tell an unanswered frame from one that never was; the JSON file beside it can.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.capture.file_stamps import at_own_stamps
from campose_core.errors import TrajectoryError, in_words
from campose_core.evaluation.covariances import covariance_path, covariances_text, read_covariances
from campose_core.evaluation.outcomes import FrameOutcome as FrameOutcome
from campose_core.evaluation.outcomes import OutcomeTable
from campose_core.files import check_whole, read_json, read_text, write_texts
from campose_core.formats.row_stamps import whole_stamps
from campose_core.formats.trajectories import read_trajectory
from campose_core.landmark_map.camera_estimate import CameraEstimate
from campose_core.map_scale import MapScale, ScaleBasis
from campose_core.trajectory import Stamps, Trajectory, tum_text


class Percentiles(NamedTuple):
    """The 50th, 95th and 99th."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class Estimates:
    """The outcomes of an estimator, one per frame, in time order.

    cameras: those that were estimated, of images without intrinsics. stamps: what was done to those of the recording.
    complete: all frames are listed; False for a bare trajectory, whose unanswered frames nobody knows. scale: of the
    map that the poses are in.

    Raises:
        TrajectoryError: two outcomes have the same stamp.
    """

    estimator: str
    outcomes: Sequence[FrameOutcome]
    complete: bool = True
    scale: ScaleBasis = ScaleBasis.MEASURED
    cameras: tuple[CameraEstimate, ...] = ()
    stamps: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.outcomes, OutcomeTable):
            ordered = tuple(sorted(self.outcomes, key=lambda outcome: outcome.stamp_ns))
            object.__setattr__(self, "outcomes", ordered)
        stamps_ns = self.table.stamps_ns
        twice = stamps_ns[1:][np.diff(stamps_ns) == 0]
        if len(twice):
            raise TrajectoryError(f"two estimates of {self.estimator!r} have the stamp {twice[0]} ns")

    @classmethod
    def from_trajectory(cls, estimator: str, trajectory: Trajectory) -> Estimates:
        """Make them of a bare trajectory, all of whose frames are answered."""
        count = len(trajectory)
        table = OutcomeTable(trajectory.stamps_ns, [""] * count, [None] * count, trajectory)
        return cls(estimator, table, complete=False)

    def in_map_of(self, scale: MapScale) -> Estimates:
        """Return the same for giving out: marked by the scale of their map.

        What that may be wrong by is in the covariances.
        """
        outcomes = (
            outcome._replace(covariance=scale.widened(outcome.covariance, outcome.map_from_cam.translation))
            if outcome.map_from_cam is not None and outcome.covariance is not None
            else outcome
            for outcome in self.outcomes
        )
        return replace(self, outcomes=tuple(outcomes), scale=scale.basis)

    def over(self, images_ns: Collection[int]) -> Estimates:
        """Return the same over all images of the recording that was localized: one that is not listed has no answer.

        images_ns: their stamps. The poses of a bare trajectory become those of the images, by their order where they
        have no stamps.

        Raises:
            TrajectoryError: the recording has none of the frames; or there are no stamps, and no pose for each image.
        """
        if not self.complete:
            return self._of_images(np.sort(np.array(list(images_ns), dtype=np.int64)))
        missing = set(images_ns).difference(self.table.stamps_ns.tolist())
        if not missing:
            return self
        if len(missing) == len(set(images_ns)):
            raise self._of_another_recording(len(missing))
        return replace(self, outcomes=[*self.outcomes, *(FrameOutcome(stamp_ns, None) for stamp_ns in missing)])

    def _of_images(self, images_ns: Stamps) -> Estimates:
        path = self.table.trajectory
        if path.of_images:
            path = at_own_stamps(path, dict(enumerate(images_ns.tolist())), f"{self.estimator!r}")
        count = len(images_ns)
        images = Trajectory(images_ns, np.zeros((count, 3)), Rotation.identity(count))
        pairs = np.array(sorted((image, row) for row, image in path.associate(images))).reshape(-1, 2)
        if not len(pairs):
            raise self._of_another_recording(count)
        answers = replace(path.select(pairs[:, 1]), stamps_ns=images_ns[pairs[:, 0]])
        covariances = None if self.table.covariances is None else self.table.covariances[pairs[:, 1]]
        table = OutcomeTable(images_ns, [""] * count, [None] * count, answers, covariances)
        return replace(self, outcomes=table, complete=True)

    def _of_another_recording(self, images: int) -> TrajectoryError:
        return TrajectoryError(
            f"none of the {images} images of the query has the stamp of a frame of {self.estimator!r}: give "
            "the recording that was localized"
        )

    @cached_property
    def table(self) -> OutcomeTable:
        """Return the outcomes as columns."""
        return OutcomeTable.of(self.outcomes)

    @property
    def trajectory(self) -> Trajectory:
        """Return the answered frames; may be empty."""
        return self.table.trajectory

    @property
    def statuses(self) -> dict[str, int]:
        """Count how many frames had each status."""
        return dict(Counter(filter(None, self.table.statuses)))

    @property
    def latency_ms(self) -> Percentiles | None:
        """Return the percentiles of the latency, over the frames where it is known; None where it nowhere is."""
        known = [ms for ms in self.table.latencies_ms if ms is not None]
        return Percentiles(*(float(v) for v in np.percentile(known, [50, 95, 99]))) if known else None

    def summary(self) -> dict[str, Any]:
        """Return the content of EST.json."""
        latency = self.latency_ms
        return {
            "estimator": self.estimator,
            "frames": len(self.outcomes),
            "answered": len(self.trajectory),
            "latency_ms": latency._asdict() if latency else None,
            "statuses": self.statuses,
            "scale": self.scale.value,
            **({"stamps": self.stamps} if self.stamps else {}),
            **({"estimated_cameras": [camera.to_dict() for camera in self.cameras]} if self.cameras else {}),
            "per_frame": {
                "stamps_ns": self.table.stamps_ns.tolist(),
                "statuses": list(self.table.statuses),
                "latencies_ms": list(self.table.latencies_ms),
            },
        }


def write_estimates(path: Path | str, estimates: Estimates) -> None:
    """Write EST.tum, EST.covariance.csv where covariances are known and, when all frames are known, EST.json.

    All of them, or none: on a full disk earlier ones stay as they were.
    """
    path = Path(path)
    texts = {path: tum_text(estimates.trajectory)}
    covariances = {o.stamp_ns: o.covariance for o in estimates.outcomes if o.map_from_cam and o.covariance is not None}
    if covariances:
        texts[covariance_path(path)] = covariances_text(covariances)
    if estimates.complete:
        texts[path.with_suffix(".json")] = json.dumps(estimates.summary()) + "\n"
    write_texts(texts)
    for beside in (path.with_suffix(".json"), covariance_path(path)):
        if beside not in texts:
            beside.unlink(missing_ok=True)  # never an old summary beside a new trajectory


def read_estimates(path: Path | str) -> Estimates:
    """Read EST.tum, and EST.json and EST.covariance.csv where they are beside it.

    Raises:
        TrajectoryError: the trajectory cannot be read, or a file beside it is damaged or belongs to another trajectory.
    """
    path = Path(path)
    estimates = _read_outcomes(path)
    if not covariance_path(path).is_file():
        return estimates
    stamps_ns, covariances = read_covariances(covariance_path(path))
    of = estimates.trajectory.stamps_ns
    known = np.isin(stamps_ns, of)
    if not known.all():
        raise TrajectoryError(
            f"{covariance_path(path)} belongs to another trajectory: {(~known).sum()} of its {len(known)} stamps "
            f"are not in {path.name}; write both again, or remove it"
        )
    of_answers = np.full((len(of), 6, 6), np.nan)
    of_answers[np.searchsorted(of, stamps_ns)] = covariances
    return replace(estimates, outcomes=replace(estimates.table, covariances=of_answers))


def _read_outcomes(path: Path) -> Estimates:
    summary_path = path.with_suffix(".json")
    if not summary_path.is_file() or summary_path == path:
        return Estimates.from_trajectory(path.stem, read_trajectory(path))
    fields = read_json(summary_path, TrajectoryError)
    try:
        per_frame, answered = fields["per_frame"], int(fields["answered"])
        listed_ns = whole_stamps(np.array(list(map(str, per_frame["stamps_ns"])), dtype=np.str_)).tolist()
        latencies_ms = [ms and float(ms) for ms in per_frame["latencies_ms"]]
        rows = list(zip(listed_ns, map(str, per_frame["statuses"]), latencies_ms, strict=True))
        if len(rows) != fields.get("frames", len(rows)):
            raise TrajectoryError(f"frames is {fields['frames']}, per_frame lists {len(rows)}")
        rows.sort(key=lambda row: row[0])
        stamps = np.array([stamp for stamp, _, _ in rows], dtype=np.int64)
        estimator = str(fields["estimator"])
        scale = ScaleBasis(fields.get("scale", ScaleBasis.MEASURED.value))
    except (ValueError, KeyError, TypeError, OverflowError, TrajectoryError) as error:
        raise TrajectoryError(
            f"{summary_path} does not describe estimates ({in_words(error)}): remove it to evaluate {path.name} by "
            "itself"
        ) from error
    if path.suffix == ".tum":  # written by us, with the summary: others end without a line break
        check_whole(path, read_text(path, TrajectoryError), TrajectoryError)
    trajectory = (
        Trajectory.from_poses([], [])
        if answered == 0 and path.is_file() and not path.stat().st_size
        else read_trajectory(path)
    )
    strangers = int((~np.isin(trajectory.stamps_ns, stamps)).sum())
    if len(trajectory) != answered or strangers:
        raise TrajectoryError(
            f"{summary_path} belongs to another trajectory: it counts {answered} answered frames, {path.name} holds "
            f"{len(trajectory)} poses, {strangers} of them of frames it does not list; write both again"
        )
    table = OutcomeTable(stamps, [status for _, status, _ in rows], [ms for _, _, ms in rows], trajectory)
    return Estimates(estimator, table, scale=scale, stamps=str(fields.get("stamps", "")))
