"""Better, worse or the same as an earlier run: the difference of each number, with its interval.

Runs on the same frames are compared frame by frame: both are resampled by the same stretches, so that what is hard for
both does not count as a difference.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.errors import TrajectoryError, in_words
from campose_core.evaluation.frame_errors import FrameErrors
from campose_core.evaluation.intervals import Interval, interval_of, resampled, resamples, stretches
from campose_core.evaluation.measures import ERRORS, PERCENTILES, shares
from campose_core.files import read_json
from campose_core.trajectory import Trajectory, stamp_from_text

# Of all that is measured, what a person asks first.
COMPARED = (
    "position_m.median", "position_m.p95", "rotation_deg.median", "floor_m.median", "recall@5cm/5deg",
    "recall@25cm/2deg", "availability", "wrong_and_sure",
)  # fmt: skip
MORE_IS_BETTER = ("recall", "availability")


class Difference(NamedTuple):
    """A number of two runs; verdict: `better`, `worse`, `same`, or empty of recordings too short to tell."""

    name: str
    before: float
    now: float
    interval: Interval | None
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON, in which an infinite error is None."""
        ends = None if self.interval is None else [end if np.isfinite(end) else None for end in self.interval]
        before, now = (value if np.isfinite(value) else None for value in (self.before, self.now))
        return {"name": self.name, "before": before, "now": now, "interval": ends, "verdict": self.verdict}


def per_frame(errors: FrameErrors) -> dict[str, Any]:
    """Return the errors of each frame for report.json, where an infinite one is None."""
    values = {kind: [v if np.isfinite(v) else None for v in getattr(errors, kind).round(6).tolist()] for kind in ERRORS}
    return {"stamps_ns": errors.stamps_ns.tolist(), "statuses": list(errors.statuses), **values}


def read_earlier(path: Path) -> dict[str, FrameErrors]:
    """Read the errors of each frame by estimator out of an earlier report.json.

    Raises:
        TrajectoryError: it is none.
    """
    report = read_json(path, TrajectoryError)
    try:
        return {str(name): _errors_of(fields) for name, fields in report["per_frame"].items()}
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, TrajectoryError) as error:
        raise TrajectoryError(f"{path} is no report.json of `campose evaluate --report` ({in_words(error)})") from error


def _errors_of(fields: dict[str, Any]) -> FrameErrors:
    stamps_ns = np.array([stamp_from_text(str(stamp)) for stamp in fields["stamps_ns"]], dtype=np.int64)
    count = len(stamps_ns)
    position_m, rotation_deg, floor_m, yaw_deg = kinds = [
        np.array([np.inf if v is None else float(v) for v in fields[kind]]) for kind in ERRORS
    ]
    statuses = tuple(map(str, fields["statuses"]))
    if not count or (np.diff(stamps_ns) <= 0).any() or {len(statuses), *map(len, kinds)} != {count}:
        raise TrajectoryError("the lists must be of one length, the stamps increasing")
    unknown = np.full((count, 6), np.nan)
    nowhere = Trajectory(stamps_ns, np.zeros((count, 3)), Rotation.from_quat(np.tile([0.0, 0, 0, 1], (count, 1))))
    return FrameErrors(
        stamps_ns, position_m, rotation_deg, floor_m, yaw_deg, statuses, nowhere, 0, unknown[:, :3], unknown
    )


def compare(now: FrameErrors, before: FrameErrors) -> list[Difference]:
    """Compare two runs; on the same frames frame by frame, else as two samples."""
    values = [_values(one) for one in (now, before)]
    labels = [stretches(one.stamps_ns) for one in (now, before)]
    samples: list[dict[str, Any]] | None = None
    if labels[0] is not None and labels[1] is not None:
        paired = np.array_equal(now.stamps_ns, before.stamps_ns)
        seeds = (0, 0) if paired else (0, 1)
        samples = [
            resampled(one, label, resamples(label, seed))
            for one, label, seed in zip((now, before), (labels[0], labels[1]), seeds, strict=True)
        ]
    found = []
    for name in COMPARED:
        after, earlier = (value[name] for value in values)
        if samples is None:
            found.append(Difference(name, earlier, after, None, ""))
            continue
        both_infinite = np.isinf(samples[0][name]) & np.isinf(samples[1][name])
        with np.errstate(invalid="ignore"):
            differences = np.where(both_infinite, 0.0, samples[0][name] - samples[1][name])
        interval = interval_of(differences)
        found.append(Difference(name, earlier, after, interval, _verdict(name, interval)))
    return found


def _values(errors: FrameErrors) -> dict[str, float]:
    found = {name: float(np.mean(counted)) for name, counted in shares(errors).items()}
    for kind in ERRORS:
        ordered = np.sort(getattr(errors, kind))
        for name, share in PERCENTILES.items():
            found[f"{kind}.{name}"] = float(ordered[int(np.ceil(share * len(ordered))) - 1])
    return found


def _verdict(name: str, interval: Interval) -> str:
    if interval.low <= 0 <= interval.high:
        return "same"
    return "better" if (interval.low > 0) == name.startswith(MORE_IS_BETTER) else "worse"
