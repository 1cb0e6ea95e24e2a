"""The last seconds of odometry, to be asked for the stamp of an image: by the node, and by a replay of its bag."""

from __future__ import annotations

import threading
from collections import deque

from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose


class OdometryBuffer:
    """Poses odom_from_base by stamp; one thread may add while another asks.

    What counts is what has come: a pose between two that are there stays the same whatever comes later, and one that
    was carried on does not wait for the next.
    """

    def __init__(self, keep_s: float = 10.0, max_gap_s: float = 0.5, max_ahead_s: float = 0.1) -> None:
        self._keep_ns, self._max_gap_ns, self._max_ahead_ns = (int(s * 1e9) for s in (keep_s, max_gap_s, max_ahead_s))
        self._lock = threading.Lock()
        self._poses: deque[tuple[int, Pose]] = deque()

    def add(self, stamp_ns: int, odom_from_base: Pose) -> None:
        """Append; the same stamp again replaces, one that goes back (a bag that starts over) drops all that was."""
        with self._lock:
            if self._poses and stamp_ns < self._poses[-1][0]:
                self._poses.clear()
            elif self._poses and stamp_ns == self._poses[-1][0]:
                self._poses.pop()
            self._poses.append((stamp_ns, odom_from_base))
            while stamp_ns - self._poses[0][0] > self._keep_ns:
                self._poses.popleft()

    def at(self, stamp_ns: int) -> Pose | None:
        """odom_from_base between the two poses around the stamp, or, where the image was faster than the odometry, a
        little way on from the last two; None where these are missing, too far apart, or too long ago."""
        with self._lock:
            poses = list(self._poses)
        older = [entry for entry in poses if entry[0] <= stamp_ns]
        if older and older[-1][0] == stamp_ns:
            return older[-1][1]
        newer = [entry for entry in poses if entry[0] > stamp_ns]
        around = older[-1:] + newer[:1] if newer else older[-2:]
        if len(around) < 2 or not older:
            return None
        (start_ns, start), (end_ns, end) = around
        if end_ns - start_ns > self._max_gap_ns or stamp_ns - end_ns > self._max_ahead_ns:
            return None
        share = (stamp_ns - start_ns) / (end_ns - start_ns)
        turn = Rotation.from_rotvec(share * (start.rotation.inv() * end.rotation).as_rotvec())
        return Pose(start.rotation * turn, start.translation + share * (end.translation - start.translation))
