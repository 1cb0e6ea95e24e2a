"""The last seconds of odometry, to be asked for the stamp of an image: by the node, and by a replay of its bag."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import deque

from campose_core.geometry import Pose, interpolated

WAY_STEP_NS = 100_000_000  # a way is told by poses about so far apart


class OdometryBuffer:
    """Poses odom_from_base by stamp; one thread may add while another asks.

    What counts is what has come: a pose between two that are there stays the same whatever comes later, and one that
    was carried on does not wait for the next.
    """

    def __init__(self, keep_s: float = 30.0, max_gap_s: float = 0.5, max_ahead_s: float = 0.1) -> None:
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
        """Return odom_from_base between the two poses around the stamp; None where `why_not` says why.

        Where the image was faster than the odometry, it is a little way on from the last two.
        """
        pair = self._pair(stamp_ns)
        if isinstance(pair, str):
            return None
        (start_ns, start), (end_ns, end) = pair
        return start if start_ns == end_ns else interpolated(start, end, (stamp_ns - start_ns) / (end_ns - start_ns))

    def why_not(self, stamp_ns: int) -> str:
        """Say why there is no pose at the stamp; empty when there is one."""
        pair = self._pair(stamp_ns)
        return pair if isinstance(pair, str) else ""

    def between(self, first_ns: int, last_ns: int) -> list[tuple[int, Pose]]:
        """Return poses after the first stamp and before the last, WAY_STEP_NS apart: the way, of which `at` knows the
        ends.
        """
        with self._lock:
            poses = list(self._poses)
        way: list[tuple[int, Pose]] = []
        for entry in poses[bisect_right(poses, first_ns, key=_stamp_of) :]:
            if entry[0] >= last_ns:
                break
            if entry[0] - (way[-1][0] if way else first_ns) >= WAY_STEP_NS:
                way.append(entry)
        return way

    def _pair(self, stamp_ns: int) -> tuple[tuple[int, Pose], tuple[int, Pose]] | str:
        with self._lock:
            poses = list(self._poses)
        if not poses:
            return "none has come"
        later = bisect_right(poses, stamp_ns, key=_stamp_of)
        older, newer = poses[max(0, later - 2) : later], poses[later : later + 1]
        if not older:
            return f"the image is {(newer[0][0] - stamp_ns) * 1e-9:.2f} s older than all that is kept"
        if older[-1][0] == stamp_ns:
            return older[-1], older[-1]
        late_ns = stamp_ns - older[-1][0]
        if not newer and late_ns > self._max_ahead_ns:
            return f"the image is {late_ns * 1e-9:.2f} s newer than the newest"
        around = older[-1:] + newer if newer else older
        if len(around) < 2:
            return "only one has come"
        gap_ns = around[1][0] - around[0][0]
        if gap_ns > self._max_gap_ns:
            return f"it has a gap of {gap_ns * 1e-9:.2f} s there"
        return around[0], around[1]


def _stamp_of(entry: tuple[int, Pose]) -> int:
    return entry[0]
