"""The last seconds of odometry, to be asked for the stamp of an image."""

from __future__ import annotations

import threading
from collections import deque

from scipy.spatial.transform import Rotation, Slerp

from campose_core.geometry import Pose


class OdometryBuffer:
    """Poses odom_from_base by stamp; written by the executor's thread, read by the worker's."""

    def __init__(self, keep_s: float = 10.0, max_gap_s: float = 0.5) -> None:
        self._keep_ns, self._max_gap_ns = int(keep_s * 1e9), int(max_gap_s * 1e9)
        self._lock = threading.Lock()
        self._poses: deque[tuple[int, Pose]] = deque()

    def add(self, stamp_ns: int, odom_from_base: Pose) -> None:
        """Append; a stamp that goes back (a bag that starts over) drops all that was there."""
        with self._lock:
            if self._poses and stamp_ns <= self._poses[-1][0]:
                self._poses.clear()
            self._poses.append((stamp_ns, odom_from_base))
            while stamp_ns - self._poses[0][0] > self._keep_ns:
                self._poses.popleft()

    def at(self, stamp_ns: int) -> Pose | None:
        """odom_from_base between the two poses around the stamp, None where these are missing or too far apart."""
        with self._lock:
            poses = list(self._poses)
        before = [entry for entry in poses if entry[0] <= stamp_ns][-1:]
        after = [entry for entry in poses if entry[0] >= stamp_ns][:1]
        if not before or not after or after[0][0] - before[0][0] > self._max_gap_ns:
            return None
        (start_ns, start), (end_ns, end) = before[0], after[0]
        if start_ns == end_ns:
            return start
        share = (stamp_ns - start_ns) / (end_ns - start_ns)
        turns = Slerp([0.0, 1.0], Rotation.concatenate([start.rotation, end.rotation]))
        return Pose(turns(share), start.translation + share * (end.translation - start.translation))
