"""A trajectory: time stamps and poses, and the TUM text format.

TUM lines are `stamp_s x y z qx qy qz qw`; `#` starts a comment. Seconds exist only in the file: in memory stamps are
integer nanoseconds, parsed from the decimal text without passing through a float.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from campose_core.errors import TrajectoryError
from campose_core.files import read_text, write_text
from campose_core.geometry import FARTHEST_M, QUATERNION_TOLERANCE, Array, Pose, products

Stamps = NDArray[np.int64]

FRAME_PERIOD_NS = 100_000_000  # of images that carry no clock
FARTHEST_NS = 2**62  # 146 years either way: the difference of two stamps fits into 64 bits
FARTHEST_S = Decimal(FARTHEST_NS).scaleb(-9)
# What `stamp_from_seconds` and `stamp_from_text` raise on what is no stamp.
NO_STAMP = (ValueError, ArithmeticError)


def stamp_from_seconds(text: str) -> int:
    """Return nanoseconds from decimal seconds, exact to the nanosecond.

    Raises:
        ValueError, ArithmeticError: the text is no number (InvalidOperation), or no stamp (OverflowError).
    """
    seconds = Decimal(text)
    if not abs(seconds) <= FARTHEST_S:  # before it is multiplied: 1e900000 has so many digits
        raise OverflowError(f"the stamp {text[:40]} must be in seconds, not in nanoseconds")
    return int((seconds * 10**9).to_integral_value())


def stamp_from_text(text: str) -> int:
    """Return whole nanoseconds from their decimal text.

    Raises:
        ValueError, ArithmeticError: the text is no whole number, or no stamp (OverflowError).
    """
    stamp_ns = int(text)
    if abs(stamp_ns) > FARTHEST_NS:
        raise OverflowError(f"{text[:40]} must be a stamp in nanoseconds")
    return stamp_ns


def are_poses(table: Array) -> NDArray[np.bool_]:
    """Tell which rows (N, 7) are the x, y, z, qx, qy, qz, qw of a pose; those with NaN are none."""
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers that are no quaternion
        lengths = np.linalg.norm(table[:, 3:], axis=1)
    near = np.all(np.abs(table[:, :3]) <= FARTHEST_M, axis=1)
    return np.asarray(near & (np.abs(lengths - 1) <= QUATERNION_TOLERANCE))


def seconds_text(stamp_ns: int) -> str:
    """Return decimal seconds with nine digits after the point, the inverse of `stamp_from_seconds`."""
    sign, digits = ("-", -stamp_ns) if stamp_ns < 0 else ("", stamp_ns)
    return f"{sign}{digits // 10**9}.{digits % 10**9:09d}"


def span_text(first_ns: int, last_ns: int) -> str:
    """Return `first .. last` in seconds with three digits after the point, for messages."""
    return f"{seconds_text(first_ns)[:-6]} .. {seconds_text(last_ns)[:-6]} s"


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Poses `frame_from_child` at strictly increasing stamps.

    stamps_ns (N,) int64; positions (N, 3) metres; rotations: N rotations. N may be zero. of_images: not 0 where there
    were no stamps: the pose at i * FRAME_PERIOD_NS is that of image i of a recording of so many.

    Raises:
        TrajectoryError: lengths differ, stamps do not increase or are no time, or a pose is not finite.
    """

    stamps_ns: Stamps
    positions: Array
    rotations: Rotation
    frame_id: str = "map"
    child_frame_id: str = "camera"
    of_images: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "stamps_ns", np.asarray(self.stamps_ns, dtype=np.int64).reshape(-1))
        object.__setattr__(self, "positions", np.asarray(self.positions, dtype=np.float64).reshape(-1, 3))
        if not len(self.stamps_ns) == len(self.positions) == len(self.rotations):
            counts = f"{len(self.stamps_ns)} stamps, {len(self.positions)} positions, {len(self.rotations)} rotations"
            raise TrajectoryError(f"a trajectory needs as many stamps as poses: {counts}")
        backward = np.flatnonzero(np.diff(self.stamps_ns) <= 0)
        if len(backward):
            raise TrajectoryError(f"stamps must increase: pose {backward[0] + 1} is not later than the one before")
        if len(self.stamps_ns) and np.abs(self.stamps_ns[[0, -1]]).max() > FARTHEST_NS:
            raise TrajectoryError(f"stamps must be nanoseconds since 1970: {self.stamps_ns[[0, -1]].tolist()}")
        if not np.isfinite(self.positions).all():
            raise TrajectoryError("a trajectory must be finite")

    @classmethod
    def from_poses(
        cls, stamps_ns: ArrayLike, poses: Sequence[Pose], frame_id: str = "map", child_frame_id: str = "camera"
    ) -> Trajectory:
        """Make it from one pose per stamp; stamps in any order, but no two alike."""
        stamps = np.asarray(stamps_ns, dtype=np.int64).reshape(-1)
        order = np.argsort(stamps, kind="stable")
        positions = np.array([poses[i].translation for i in order]).reshape(-1, 3)
        rotations = Rotation.from_quat(np.array([poses[i].quat_xyzw for i in order]).reshape(-1, 4))
        return cls(stamps[order], positions, rotations, frame_id, child_frame_id)

    def __len__(self) -> int:
        return len(self.stamps_ns)

    def __iter__(self) -> Iterator[tuple[int, Pose]]:
        for i, stamp_ns in enumerate(self.stamps_ns):
            yield int(stamp_ns), self.pose(i)

    def pose(self, index: int) -> Pose:
        """Return the pose `frame_from_child` of row `index`."""
        return Pose(self.rotations[index], self.positions[index])

    def select(self, indices: ArrayLike) -> Trajectory:
        """Return the poses at increasing integer indices, or where a boolean mask is true."""
        indices = np.asarray(indices)
        if indices.size == 0:  # an empty list has no integer type, and scipy cannot take nothing from nothing
            return Trajectory.from_poses([], [], self.frame_id, self.child_frame_id)
        chosen = np.arange(len(self))[indices]
        return Trajectory(
            self.stamps_ns[chosen], self.positions[chosen], self.rotations[chosen], self.frame_id, self.child_frame_id
        )

    def moved_by(self, child_from_other: Pose, other_frame_id: str = "camera") -> Trajectory:
        """Return the trajectory of another body fixed to this one, called `other_frame_id`."""
        positions = self.rotations.apply(child_from_other.translation.copy()) + self.positions
        rotations = self.rotations * child_from_other.rotation
        return Trajectory(self.stamps_ns, positions, rotations, self.frame_id, other_frame_id)

    def interval_text(self) -> str:
        """Return `first .. last` in seconds, for messages."""
        if len(self) == 0:
            return "(empty)"
        return span_text(int(self.stamps_ns[0]), int(self.stamps_ns[-1]))

    def interpolate(self, stamps_ns: ArrayLike, max_gap_ns: int = 500_000_000) -> tuple[NDArray[np.bool_], Trajectory]:
        """Find poses at other stamps: linear in position, spherical in rotation.

        Returns which of the stamps (sorted, unique) could be answered, and the trajectory of those: a stamp is
        answered when it lies between two poses at most `max_gap_ns` apart, or exactly on one.
        """
        wanted = np.asarray(stamps_ns, dtype=np.int64).reshape(-1)
        if len(self) == 0:
            return np.zeros(len(wanted), dtype=bool), self.select([])
        right = np.clip(np.searchsorted(self.stamps_ns, wanted), 0, len(self) - 1)
        left = np.where(self.stamps_ns[right] == wanted, right, np.maximum(right - 1, 0))
        gap = self.stamps_ns[right] - self.stamps_ns[left]
        inside = (self.stamps_ns[left] <= wanted) & (wanted <= self.stamps_ns[right]) & (gap <= max_gap_ns)
        if not inside.any():
            return inside, self.select([])
        # Relative to the first stamp: float64 holds 104 days of nanoseconds exactly, but not the time since 1970.
        origin = self.stamps_ns[0]
        known, asked = (self.stamps_ns - origin).astype(float), (wanted[inside] - origin).astype(float)
        positions = np.stack([np.interp(asked, known, axis) for axis in self.positions.T], axis=1)
        rotations = _slerp(known, self.rotations, asked)
        return inside, Trajectory(wanted[inside], positions, rotations, self.frame_id, self.child_frame_id)

    def at(self, stamp_ns: int) -> Pose | None:
        """Return the pose at another stamp, interpolated between those around it; None where `interpolate` has none."""
        after = int(np.searchsorted(self.stamps_ns, stamp_ns))
        around = self.select([i for i in (after - 1, after) if 0 <= i < len(self)])
        answered, poses = around.interpolate([stamp_ns])
        return poses.pose(0) if answered[0] else None

    def associate(self, other: Trajectory, max_difference_ns: int = 20_000_000) -> list[tuple[int, int]]:
        """Return index pairs (self, other) of the nearest stamps within the limit, each pose used at most once."""
        if len(self) == 0 or len(other) == 0:
            return []
        after = np.searchsorted(other.stamps_ns, self.stamps_ns)
        mine, theirs = np.tile(np.arange(len(self)), 2), np.concatenate([after - 1, after])
        there = (theirs >= 0) & (theirs < len(other))
        mine, theirs = mine[there], theirs[there]
        differences = np.abs(other.stamps_ns[theirs] - self.stamps_ns[mine])
        near = np.flatnonzero(differences <= max_difference_ns)
        near = near[np.lexsort((theirs[near], mine[near], differences[near]))]
        chosen: dict[int, int] = {}
        used = set[int]()
        for i, j in zip(mine[near].tolist(), theirs[near].tolist(), strict=True):
            if i not in chosen and j not in used:
                chosen[i] = j
                used.add(j)
        return sorted(chosen.items())


def _slerp(known: Array, rotations: Rotation, asked: Array) -> Rotation:
    """Interpolate rotations (N,) known at increasing times to other times (M,) between the first and the last."""
    if len(known) == 1:
        return rotations[np.zeros(len(asked), dtype=int)]
    before = np.maximum(np.searchsorted(known, asked) - 1, 0)
    shares = (asked - known[before]) / np.diff(known)[before]
    start, end = rotations[before], rotations[before + 1]
    return products(start, Rotation.from_rotvec(shares[:, None] * products(start.inv(), end).as_rotvec()))


def read_tum(path: Path | str, frame_id: str = "map", child_frame_id: str = "camera") -> Trajectory:
    """Read a TUM trajectory file.

    Raises:
        TrajectoryError: the file is missing or empty, or a line (named) does not hold eight finite numbers with a
            quaternion of about unit length, or a stamp appears twice.
    """
    path = Path(path)
    lines = read_text(path, TrajectoryError).splitlines()
    rows: dict[int, list[float]] = {}
    numbers = []
    for number, line in enumerate(lines, start=1):
        fields = line.split("#")[0].replace(",", " ").split()
        if not fields:
            continue
        try:
            stamp_ns, values = stamp_from_seconds(fields[0]), [float(field) for field in fields[1:]]
        except OverflowError as error:
            raise TrajectoryError(f"{path}:{number}: {error}") from error
        except NO_STAMP:
            values = []
        if len(values) != 7:
            raise TrajectoryError(_no_tum_row(path, number, line))
        if stamp_ns in rows:
            raise TrajectoryError(f"{path}:{number}: stamp {fields[0]} appears twice")
        rows[stamp_ns] = values
        numbers.append(number)
    if not rows:
        raise TrajectoryError(f"{path}: holds no pose")
    stamps, table = np.array(list(rows), dtype=np.int64), np.array(list(rows.values()))
    wrong = np.flatnonzero(~are_poses(table))
    if len(wrong):
        number = numbers[wrong[0]]
        raise TrajectoryError(_no_tum_row(path, number, lines[number - 1]))
    order = np.argsort(stamps)
    table = table[order]
    return Trajectory(stamps[order], table[:, :3], Rotation.from_quat(table[:, 3:]), frame_id, child_frame_id)


def _no_tum_row(path: Path, number: int, line: str) -> str:
    return f"{path}:{number}: expected `stamp_s x y z qx qy qz qw`, the quaternion of length 1, got {line.strip()!r}"


def write_tum(path: Path | str, trajectory: Trajectory) -> None:
    """Write a TUM trajectory file, atomically."""
    write_text(Path(path), tum_text(trajectory))


def tum_text(trajectory: Trajectory) -> str:
    """Return what a TUM trajectory file holds."""
    quats = trajectory.rotations.as_quat(canonical=True) if len(trajectory) else np.zeros((0, 4))
    lines = [
        " ".join([seconds_text(int(stamp)), *(f"{v:.9f}" for v in position), *(f"{v:.9f}" for v in quat)])
        for stamp, position, quat in zip(trajectory.stamps_ns, trajectory.positions, quats, strict=True)
    ]
    return "".join(line + "\n" for line in lines)
