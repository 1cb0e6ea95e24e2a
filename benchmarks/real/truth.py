"""What is known of the frames of a set, and what an answer is worth beside it.

Four kinds, one for each query recording:
    metric        poses in metres: right within 50 cm and 5 deg, wrong and sure beyond 1 m
    up to scale   poses at any scale: right within 5 % of the extent of the mapping path and 5 deg, wrong and sure
                  beyond 10 % of the extent
    resemblance   the mapping frame that a query frame looks like: right within 5 frames of it, wrong and sure beyond 20
    nowhere       of another place: only LOST is right
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np

from benchmarks.real.sets import Recorded
from campose_core.geometry import Pose, pose_error
from campose_core.trajectory import Trajectory

PERIOD_NS = 100_000_000
SAME_STAMP_NS = 20_000_000
METRIC_M, SHARE, RIGHT_DEG, FRAMES = 0.5, 0.05, 5.0, 5
SURE_M, SURE_SHARE, SURE_FRAMES = 1.0, 0.10, 20
BEFORE_FIRST_FRAMES = 20  # of the last mapping frame: the query goes on where the mapping walk ended


class Verdict(Enum):
    """OFF is neither right nor so wrong that it counts as wrong and sure."""

    RIGHT = "right"
    OFF = "off"
    WRONG_AND_SURE = "wrong and sure"
    LOST = "lost"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Judged:
    """position: distance to the truth, in its unit (metres, shares of the extent, frames); infinite when LOST, None
    where the truth is not known. rotation_deg: likewise, None where no rotation is known.
    """

    verdict: Verdict
    position: float | None = None
    rotation_deg: float | None = None


class Truth(Protocol):
    """kind: `metric`, `up to scale`, `resemblance` or `nowhere`."""

    @property
    def kind(self) -> str: ...

    def judge(self, key: str, answer: Pose | None) -> Judged:
        """answer: truth_from_cam of the frame, for a resemblance in the method's own map; None is LOST."""
        ...


@dataclass(frozen=True)
class PoseTruth:
    """poses: of the frames that are known. extent: of the mapping path, where the poses hold up to scale; else None."""

    poses: Mapping[str, Pose]
    extent: float | None = None

    @property
    def kind(self) -> str:
        return "metric" if self.extent is None else "up to scale"

    def judge(self, key: str, answer: Pose | None) -> Judged:
        if key not in self.poses:
            return Judged(Verdict.UNKNOWN)
        if answer is None:
            return Judged(Verdict.LOST, np.inf, np.inf)
        distance, angle = pose_error(answer, self.poses[key])
        distance, angle_deg = distance / (self.extent or 1.0), float(np.degrees(angle))
        right, sure = (METRIC_M, SURE_M) if self.extent is None else (SHARE, SURE_SHARE)
        if distance <= right and angle_deg <= RIGHT_DEG:
            return Judged(Verdict.RIGHT, distance, angle_deg)
        return Judged(Verdict.WRONG_AND_SURE if distance > sure else Verdict.OFF, distance, angle_deg)


@dataclass(frozen=True)
class Resemblance:
    """rows: (query index, mapping index), ordered. queries, mapping: the frames, in order. mapped: those with a pose in
    the method's own map."""

    rows: Sequence[tuple[int, int]]
    queries: Sequence[str]
    mapping: Sequence[str]
    mapped: Mapping[str, Pose]
    kind: str = "resemblance"

    def judge(self, key: str, answer: Pose | None) -> Judged:
        index = self.queries.index(key)
        if index > self.rows[-1][0]:
            return Judged(Verdict.UNKNOWN)
        if answer is None:
            return Judged(Verdict.LOST, np.inf)
        off, bound = self._frames_off(index, self.nearest(answer))
        if off <= bound:
            return Judged(Verdict.RIGHT, off)
        return Judged(Verdict.WRONG_AND_SURE if off > SURE_FRAMES else Verdict.OFF, off)

    def nearest(self, answer: Pose) -> int:
        """The mapping frame taken nearest to there; of those about as near, the one that looks the same way."""
        placed = [index for index, key in enumerate(self.mapping) if key in self.mapped]
        positions = np.array([self.mapped[self.mapping[index]].translation for index in placed])
        distances = np.linalg.norm(positions - answer.translation, axis=1)
        steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
        about = np.flatnonzero(distances <= distances.min() + 0.5 * (float(np.median(steps)) if len(steps) else 0.0))
        turns = [pose_error(answer, self.mapped[self.mapping[placed[i]]])[1] for i in about]
        return placed[int(about[int(np.argmin(turns))])]

    def _frames_off(self, index: int, nearest: int) -> tuple[float, int]:
        """How many frames an answer is off, and how many it may be.

        Before the first row the query goes on where the mapping walk ended, and is on its way to where that row looks:
        either is right.
        """
        at, shown = np.array(self.rows, dtype=float).T
        if index >= at[0]:
            return float(abs(nearest - np.interp(index, at, shown))), FRAMES
        slope = (shown[-1] - shown[0]) / (at[-1] - at[0]) if len(at) > 1 else 1.0
        on_its_way = abs(nearest - max(0.0, shown[0] + slope * (index - at[0])))
        if on_its_way <= FRAMES:
            return float(on_its_way), FRAMES
        return float(len(self.mapping) - 1 - nearest), BEFORE_FIRST_FRAMES


@dataclass(frozen=True)
class Nowhere:
    """Any answer is wrong, and was given as if it were sure."""

    kind: str = "nowhere"

    def judge(self, key: str, answer: Pose | None) -> Judged:
        return Judged(Verdict.RIGHT if answer is None else Verdict.WRONG_AND_SURE)


def poses_of_frames(recording: Recorded, stamps_ns: Sequence[int], trajectory: Trajectory) -> dict[str, Pose]:
    """The truth of a recording's frames, by name.

    A folder's frames are paired by their number: stamp 1.2 is that of image 12. Other recordings' stamps lie between
    those of the trajectory.
    """
    if not recording.is_folder:
        answered, at_stamps = trajectory.interpolate(np.array(stamps_ns, dtype=np.int64))
        known = np.asarray(stamps_ns)[answered]
        return {f"{recording.name}/{stamp}": at_stamps.pose(i) for i, stamp in enumerate(known)}
    frames = set(stamps_ns)
    found = {}
    for stamp_ns, pose in trajectory:
        number = round(stamp_ns / PERIOD_NS)
        if abs(stamp_ns - number * PERIOD_NS) <= SAME_STAMP_NS and number * PERIOD_NS in frames:
            found[f"{recording.name}/{number * PERIOD_NS}"] = pose
    return found
