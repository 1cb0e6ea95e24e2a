"""The samples of an IMU as they come, to be handed on image by image."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import numpy as np

from campose_core.bag.imu import ImuSamples, measured
from campose_core.errors import LocalizationError
from campose_core.inertial.error_state_filter import check_force
from campose_core.motion.imu_motion import JUDGED
from campose_core.session.message_reading import stamp_of

MAX_WAITING = 5000  # samples: ten seconds of a fast one


class ImuBuffer:
    """One thread may add while another takes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, list[float]]] = deque(maxlen=MAX_WAITING)
        self._newest_ns = 0
        self._judged: deque[list[float]] = deque(maxlen=JUDGED)
        self._is_gravity_felt = False

    def add(self, message: Any) -> None:
        """Take in a sensor_msgs/Imu; one whose stamp goes back by a second (a bag that starts over) drops all before.

        Raises:
            LocalizationError: a stamp of zero, or not later than the last one. CaptureError: a value that is not finite
                or not measured; another unit, or no gravity.
        """
        stamp_ns, row = stamp_of(message), measured(message, "the message")
        if not self._is_gravity_felt:
            self._judged.append(row)
            table = np.array(self._judged)
            check_force(ImuSamples(np.arange(len(table)), table[:, :3], table[:, 3:]), "the message")
            self._is_gravity_felt = len(self._judged) == JUDGED
        with self._lock:
            if stamp_ns < self._newest_ns - 1_000_000_000:
                self._waiting.clear()
            elif stamp_ns <= self._newest_ns:
                raise LocalizationError("it is not later than the one before")
            self._newest_ns = stamp_ns
            self._waiting.append((stamp_ns, row))

    def until(self, stamp_ns: int) -> ImuSamples | None:
        """Take out those up to the stamp of an image, and no later ones, whether they have come or not; None: none."""
        taken = []
        with self._lock:
            while self._waiting and self._waiting[0][0] <= stamp_ns:
                taken.append(self._waiting.popleft())
        if not taken:
            return None
        table = np.array([row for _, row in taken])
        return ImuSamples(np.array([row_ns for row_ns, _ in taken]), table[:, :3], table[:, 3:])
