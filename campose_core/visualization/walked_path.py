"""Where the base was, as one line."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from campose_core.bag.ros_messages import RosMessages
from campose_core.localization.result import LocalizationResult


class WalkedPath:
    """Grows with each result."""

    def __init__(self, messages: RosMessages, frame_id: str) -> None:
        self._messages, self._frame_id = messages, frame_id
        self._poses: deque[Any] = deque()
        self._reached: Any = None
        self._stamp_ns = 0

    def add(self, result: LocalizationResult, length: int, spacing_m: float) -> bool:
        """Append a result; tells whether it grew.

        The last `length` poses are kept, each at least `spacing_m` from the one before.
        """
        pose = result.on_floor
        if result.stamp_ns < self._stamp_ns:  # a bag that starts over: no line from its end to its beginning
            self.clear()
        if pose is None:
            return False
        if self._reached is not None and np.linalg.norm(pose.translation - self._reached) < spacing_m:
            return False
        self._reached, self._stamp_ns = pose.translation, result.stamp_ns
        self._poses.append(self._messages.pose_stamped(self._frame_id, result.stamp_ns, pose))
        while len(self._poses) > length:
            self._poses.popleft()
        return True

    def clear(self) -> None:
        """Begin anew, with an empty line."""
        self._poses.clear()
        self._reached, self._stamp_ns = None, 0

    def message(self) -> Any:
        """Make a nav_msgs/Path with the stamp of its newest pose."""
        return self._messages.path(self._frame_id, self._stamp_ns, list(self._poses))
