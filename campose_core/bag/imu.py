"""What an inertial measurement unit recorded, out of a bag."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.bag.bag import Topic
from campose_core.bag.clock import AS_RECORDED, BagClock
from campose_core.bag.file import open_bag
from campose_core.bag.stamps import StampedRows
from campose_core.errors import CaptureError
from campose_core.geometry import Array
from campose_core.trajectory import Stamps

log = logging.getLogger(__name__)

IMU = "sensor_msgs/msg/Imu"


@dataclass(frozen=True, eq=False)
class ImuSamples:
    """What an IMU measured, in its own axes (`frame_id`), at strictly increasing stamps.

    stamps_ns (N,) int64; gyro_rad_s (N, 3), the turn rate; accel_m_s2 (N, 3), the specific force: of an IMU at rest it
    is 9.8 m/s^2 upwards (REP-145, sensor_msgs/Imu).

    Raises:
        CaptureError: lengths differ, stamps do not increase, or a value is not finite.
    """

    stamps_ns: Stamps
    gyro_rad_s: Array
    accel_m_s2: Array
    frame_id: str = "imu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "stamps_ns", np.asarray(self.stamps_ns, dtype=np.int64).reshape(-1))
        for name in ("gyro_rad_s", "accel_m_s2"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64).reshape(-1, 3))
        if not len(self.stamps_ns) == len(self.gyro_rad_s) == len(self.accel_m_s2):
            counts = f"{len(self.stamps_ns)} stamps, {len(self.gyro_rad_s)} turn rates, {len(self.accel_m_s2)} forces"
            raise CaptureError(f"IMU samples need as many stamps as values: {counts}")
        backward = np.flatnonzero(np.diff(self.stamps_ns) <= 0)
        if len(backward):
            raise CaptureError(f"IMU stamps must increase: sample {backward[0] + 1} is not later than the one before")
        broken = np.flatnonzero(~np.isfinite(np.hstack([self.gyro_rad_s, self.accel_m_s2])).all(axis=1))
        if len(broken):
            raise CaptureError(f"IMU samples must be finite: sample {broken[0]} is not")

    def __len__(self) -> int:
        return len(self.stamps_ns)

    def between(self, first_ns: int, last_ns: int) -> ImuSamples:
        """Return the samples from one stamp to another, both included."""
        part = slice(
            int(np.searchsorted(self.stamps_ns, first_ns)), int(np.searchsorted(self.stamps_ns, last_ns, "right"))
        )
        return ImuSamples(self.stamps_ns[part], self.gyro_rad_s[part], self.accel_m_s2[part], self.frame_id)


def has_imu(path: Path | str) -> bool:
    """Tell whether the bag has a topic of sensor_msgs/Imu with messages.

    Raises:
        CaptureError: not a readable bag.
    """
    with open_bag(Path(path)) as bag:
        return any(topic.msgtype == IMU and topic.messages for topic in bag.topics)


def read_imu(
    path: Path | str, topic: str | None = None, clock: BagClock = AS_RECORDED, at_most: int | None = None
) -> ImuSamples:
    """Read the samples on one topic of a bag, at their header stamps.

    topic: of sensor_msgs/Imu; None takes the only one. clock: of the images that they are compared with. at_most: so
    many, from the start. Messages that are not later than the one before are left out, with a line on stderr.

    Raises:
        CaptureError: not a readable bag, no such topic (those there are listed), no samples, a sample that is not
            finite, or an IMU that says it measures no turn rate or no acceleration.
    """
    path = Path(path)
    values: list[list[float]] = []
    frame_id = ""
    with open_bag(path) as bag:
        chosen = _imu_topic(path, bag.topics, topic)
        stamped = StampedRows(path, chosen, clock)
        for number, (log_ns, message) in enumerate(islice(bag.messages(chosen), at_most)):
            if isinstance(message, CaptureError):
                raise CaptureError(f"{path}: message {number} on {chosen} is {message}")
            frame_id = message.header.frame_id
            values.append(measured(message, f"{path}: message {number} on {chosen}"))
            stamped.add(message, log_ns)
        if bag.damage:
            log.info(f"{path}: {bag.damage}; {len(values)} IMU samples read")
    rows, stamps_ns = stamped.ordered()
    if not len(rows):
        raise CaptureError(f"{path}: no IMU sample with a stamp on {chosen}")
    table = np.array(values)[rows]
    return ImuSamples(stamps_ns, table[:, :3], table[:, 3:], frame_id or "imu")


def _imu_topic(path: Path, topics: list[Topic], wanted: str | None) -> str:
    listed = {entry.name: entry for entry in topics if entry.msgtype == IMU}
    if not listed:
        raise CaptureError(f"{path}: no IMU topic ({IMU}): record the IMU")
    listing = "; ".join(f"{entry.name} ({entry.messages} Imu)" for entry in listed.values())
    if wanted in listed:
        return wanted
    if wanted is None and len(listed) == 1:
        return next(iter(listed))
    ask = "choose one of its IMU topics" if wanted is None else f"no IMU topic {wanted!r}; it has"
    raise CaptureError(f"{path}: {ask}: {listing}")


def measured(message: Any, where: str) -> list[float]:
    """Read [wx, wy, wz, ax, ay, az] of one sensor_msgs/Imu.

    Raises:
        CaptureError: a value that is not finite, or that the IMU says it does not measure.
    """
    for field, what in (("angular_velocity", "turn rate"), ("linear_acceleration", "acceleration")):
        if getattr(message, f"{field}_covariance")[0] == -1:  # sensor_msgs/Imu: "no estimate of this"
            raise CaptureError(f"{where} says that the IMU measures no {what} ({field}_covariance[0] is -1)")
    w, a = message.angular_velocity, message.linear_acceleration
    values = [float(value) for value in (w.x, w.y, w.z, a.x, a.y, a.z)]
    if not np.isfinite(values).all():
        raise CaptureError(f"{where} is not finite: turn rate {values[:3]}, acceleration {values[3:]}")
    return values
