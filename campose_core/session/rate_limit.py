"""Fewer images than the camera takes: which ones."""

from __future__ import annotations

EARLY = 0.1  # of a period: stamps of a camera wander


class RateLimit:
    """At most so many images a second, as even as they come, by their stamps alone; 0 takes all.

    A camera of 30 Hz at 20 Hz gives two of three images. A stamp that goes back begins anew.
    """

    def __init__(self, max_rate_hz: float = 0.0) -> None:
        self.max_rate_hz = max_rate_hz
        self._newest_ns = self._due_ns = 0

    def accepts(self, stamp_ns: int) -> bool:
        """Tell whether the image is one to take."""
        if self.max_rate_hz <= 0:
            return True
        period_ns = round(1e9 / self.max_rate_hz)
        if stamp_ns < self._newest_ns or stamp_ns > self._due_ns + period_ns:
            self._due_ns = stamp_ns
        self._newest_ns = stamp_ns
        if stamp_ns < self._due_ns - EARLY * period_ns:
            return False
        self._due_ns += period_ns
        return True
