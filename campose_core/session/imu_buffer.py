"""The samples of an IMU as they come, to be handed on image by image."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import numpy as np

from campose_core.bag.imu import ImuSamples, measured
from campose_core.errors import CamposeError, LocalizationError
from campose_core.inertial.error_state_filter import LONGEST_GAP_S, check_force
from campose_core.motion.imu_motion import JUDGED
from campose_core.session.message_reading import stamp_of

MAX_WAITING = 5000  # samples: ten seconds of a fast one


class ImuBuffer:
    """One thread may add while another takes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, list[float]]] = deque(maxlen=MAX_WAITING)
        self._newest_ns = self._taken_ns = 0
        self._refusal = ""
        self._judged: deque[list[float]] = deque(maxlen=JUDGED)
        self._is_gravity_felt = False

    def add(self, message: Any) -> None:
        """Take in a sensor_msgs/Imu; one whose stamp goes back by a second (a bag that starts over) drops all before.

        Raises:
            LocalizationError: a stamp of zero, or not later than the last one. CaptureError: a value that is not finite
                or not measured; another unit, or no gravity.
        """
        try:
            self._add(message)
            self._refusal = ""
        except CamposeError as error:
            self._refusal = f"refused: {error}"
            raise

    def _add(self, message: Any) -> None:
        stamp_ns, row = stamp_of(message), measured(message, "the message")
        if not self._is_gravity_felt:
            self._judged.append(row)
            table = np.array(self._judged)
            check_force(ImuSamples(np.arange(len(table)), table[:, :3], table[:, 3:]), "the message")
            self._is_gravity_felt = len(self._judged) == JUDGED
        with self._lock:
            if stamp_ns < self._newest_ns - 1_000_000_000:
                self._waiting.clear()
                self._taken_ns = 0
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
            if taken:
                self._taken_ns = taken[-1][0]
        if not taken:
            return None
        table = np.array([row for _, row in taken])
        return ImuSamples(np.array([row_ns for row_ns, _ in taken]), table[:, :3], table[:, 3:])

    def why_not(self, stamp_ns: int) -> str:
        """Say why what came tells nothing up to the stamp of an image, when it is taken out; empty where it does."""
        with self._lock:
            older_ns, newer_ns = self._taken_ns, self._waiting[0][0] if self._waiting else 0
        if newer_ns <= stamp_ns:  # it has just come
            older_ns, newer_ns = max(older_ns, newer_ns), 0
        ahead_s, behind_s = (newer_ns - stamp_ns) * 1e-9, (stamp_ns - older_ns) * 1e-9
        why = ""
        if not older_ns and not newer_ns:
            why = "none has come"
        elif not older_ns:
            why = f"the image is {ahead_s:.2f} s older than all that is kept" if ahead_s > LONGEST_GAP_S else ""
        elif behind_s > LONGEST_GAP_S and not newer_ns:
            why = f"the image is {behind_s:.2f} s newer than the newest"
        elif newer_ns and ahead_s + behind_s > LONGEST_GAP_S:
            why = f"it has a gap of {ahead_s + behind_s:.2f} s there"
        return self._refusal or why if why else ""
