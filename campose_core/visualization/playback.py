"""The clock of a show: it can be stopped, moved, and made faster or slower, from another thread."""

from __future__ import annotations

import threading
import time

SLOWEST, FASTEST = 0.01, 100.0


class Playback:
    """Where between the ends of `span_ns` the show is. It starts at the beginning, playing.

    Times are stamps in nanoseconds, `speed` is in stamp seconds a second.
    """

    def __init__(self, span_ns: tuple[int, int]) -> None:
        self.span_ns = span_ns
        self._lock = threading.Lock()
        self._speed = 1.0
        self._playing = True
        self._moved = False
        self._from_ns = span_ns[0]
        self._since = time.monotonic()

    def _at(self) -> int:
        elapsed_s = (time.monotonic() - self._since) * self._speed if self._playing else 0.0
        return min(self._from_ns + round(elapsed_s * 1e9), self.span_ns[1])

    def _go_on_from(self, stamp_ns: int) -> None:
        self._from_ns, self._since = min(max(stamp_ns, self.span_ns[0]), self.span_ns[1]), time.monotonic()

    @property
    def now_ns(self) -> int:
        """Return the stamp at which the show is."""
        with self._lock:
            return self._at()

    @property
    def playing(self) -> bool:
        """Tell whether it is not stopped."""
        with self._lock:
            return self._playing

    @property
    def speed(self) -> float:
        """Return the stamp seconds a second, also while it stands still."""
        with self._lock:
            return self._speed

    def control(self, playing: bool, speed: float, move_to_ns: int | None = None) -> None:
        """Do what somebody asks for. Speeds beyond SLOWEST and FASTEST are brought there; so is NaN, to 1."""
        with self._lock:
            self._go_on_from(self._at() if move_to_ns is None else move_to_ns)
            self._moved = self._moved or move_to_ns is not None
            self._playing = playing
            self._speed = min(max(speed, SLOWEST), FASTEST) if speed == speed else 1.0

    def take_move(self) -> bool:
        """Tell whether it was moved since the last call."""
        with self._lock:
            moved, self._moved = self._moved, False
        return moved

    def skip_to(self, stamp_ns: int) -> None:
        """Move there without being asked to."""
        with self._lock:
            self._go_on_from(stamp_ns)

    def seconds_until(self, stamp_ns: int) -> float:
        """Return it in the time of the spectators; infinite while it stands still."""
        with self._lock:
            ahead_ns = stamp_ns - self._at()
            return 0.0 if ahead_ns <= 0 else ahead_ns * 1e-9 / self._speed if self._playing else float("inf")
