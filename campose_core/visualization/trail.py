"""The path of the base coloured by what was known of it: tracking, predicted, off the map, lost in between."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from campose_core.bag.ros_messages import RosMessages
from campose_core.localization.result import LocalizationResult, Status

TRACKING, OFF_MAP, LOST = (0.17, 0.63, 0.17, 1.0), (1.0, 0.5, 0.05, 1.0), (0.84, 0.15, 0.16, 1.0)
PREDICTED = (0.12, 0.47, 0.71, 1.0)
WIDTH_M = 0.04


class Trail:
    """Grows with each result.

    A piece across images in which the localizer was LOST is a straight line in the colour of LOST: nobody knows what
    was there. Nothing is drawn across a restart.
    """

    def __init__(self, messages: RosMessages, frame_id: str) -> None:
        self._messages, self._frame_id = messages, frame_id
        self._pieces: deque[tuple[Any, Any, Any]] = deque()
        self._colors = {rgba: messages.color(rgba) for rgba in (TRACKING, PREDICTED, OFF_MAP, LOST)}
        self._stamp_ns = 0
        self._lost = False
        self._reached: Any = None

    def clear(self) -> None:
        """Begin anew; nothing is drawn from the old end to the new beginning."""
        self._pieces.clear()
        self._reached, self._lost, self._stamp_ns = None, False, 0

    def add(self, result: LocalizationResult, length: int, spacing_m: float) -> None:
        """Append a result; the last `length` pieces are kept, each at least `spacing_m` long."""
        if result.stamp_ns < self._stamp_ns:  # a bag that starts over
            self.clear()
        if result.status is Status.INITIALIZING:
            self._reached, self._lost = None, False
            return
        self._lost = self._lost or result.status is Status.LOST
        pose = result.on_floor or result.map_from_base
        if pose is None:
            return
        here, before = pose.translation, self._reached
        if before is not None:
            step_m = np.linalg.norm(here - [before.x, before.y, before.z])
            if step_m < spacing_m and not self._lost:
                return
        point = self._messages.point(here)
        if before is not None:
            known = PREDICTED if result.status is Status.PREDICTED else TRACKING
            color = LOST if self._lost else OFF_MAP if result.off_map else known
            self._pieces.append((before, point, self._colors[color]))
            while len(self._pieces) > length:
                self._pieces.popleft()
        self._reached, self._stamp_ns, self._lost = point, result.stamp_ns, False

    def message(self) -> Any:
        """Make a visualization_msgs/Marker of all pieces, with the stamp of the newest."""
        pieces = list(self._pieces)
        points = [point for before, after, _ in pieces for point in (before, after)]
        colors = [color for _, _, color in pieces for _ in range(2)]
        return self._messages.lines(self._frame_id, self._stamp_ns, "trail", WIDTH_M, points, colors)
