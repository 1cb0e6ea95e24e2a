"""What an operator sees once a second on /diagnostics: is it localized, and if not, why."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus

from campose_core.localization.localizer import MISSED_INTERVALS, LocalizationResult, Status
from campose_ros.conversions import key_values

WINDOW_S = 5.0


@dataclass
class Tally:
    """Counts since activation and measurements of the last seconds; both threads of the node write to it."""

    received: int = 0
    dropped: int = 0
    refused: int = 0
    processed: int = 0
    answered: int = 0
    fault: str = ""
    last: LocalizationResult | None = None
    _arrivals: deque[float] = field(default_factory=lambda: deque(maxlen=1000))
    _latencies: deque[float] = field(default_factory=lambda: deque(maxlen=100))
    _started: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arrived(self, replaced: bool) -> None:
        """An image came in; `replaced`: an older one was dropped for it."""
        with self._lock:
            self.received += 1
            self.dropped += replaced
            self._arrivals.append(time.monotonic())

    def refuse(self, reason: str) -> None:
        """An image could not be used, for a reason that somebody can cure."""
        with self._lock:
            self.refused += 1
            self.fault = reason

    def done(self, result: LocalizationResult, latency_s: float) -> None:
        """An image was processed; `latency_s` from its arrival to its pose."""
        with self._lock:
            self.processed += 1
            self.answered += result.map_from_base is not None
            self.last = result
            self.fault = ""
            self._latencies.append(latency_s)

    def silence_s(self, patience_s: float) -> float:
        """Seconds since the last image came, or since the start; 0 while they are no longer than `patience_s`.

        A slow camera is not silent between two images: patience is at least as long as the localizer's with it.
        """
        with self._lock:
            silence_s = time.monotonic() - (self._arrivals[-1] if self._arrivals else self._started)
            interval_s = self._arrivals[-1] - self._arrivals[-2] if len(self._arrivals) > 1 else 0.0
        return silence_s if silence_s > max(patience_s, MISSED_INTERVALS * interval_s) else 0.0

    def status(self, name: str, silence: str, values: dict[str, object]) -> DiagnosticStatus:
        """The line about an active node. `silence`: that no image comes, if so; `values` are appended."""
        with self._lock:
            now = time.monotonic()
            recent = [arrival for arrival in self._arrivals if now - arrival <= WINDOW_S]
            latencies_ms = 1e3 * np.array(self._latencies or [np.nan])
            level, state, message = self._judgement(silence)
            result = self.last
            snap_distance = "" if result is None or result.snap_distance_m is None else f"{result.snap_distance_m:.3f}"
            facts: dict[str, object] = {
                "state": state,
                "input_rate_hz": f"{len(recent) / min(WINDOW_S, max(now - self._started, 1e-3)):.1f}",
                "latency_median_ms": f"{np.median(latencies_ms):.1f}",
                "latency_p95_ms": f"{np.percentile(latencies_ms, 95):.1f}",
                "images_received": self.received,
                "images_dropped_for_newer": self.dropped,
                "images_refused": self.refused,
                "images_processed": self.processed,
                "images_answered": self.answered,
                "kind": "" if result is None or result.kind is None else result.kind.value,
                "support": "" if result is None else result.support,
                "snap_distance_m": snap_distance,
            }
        return DiagnosticStatus(level=level, name=name, message=message, values=key_values({**facts, **values}))

    def _judgement(self, silence: str) -> tuple[bytes, str, str]:
        state = self.last.status if self.last is not None else Status.INITIALIZING
        if silence:
            silent_state = Status.LOST if state is not Status.INITIALIZING else state
            return DiagnosticStatus.ERROR, silent_state.value, silence
        if self.fault:
            return DiagnosticStatus.ERROR, state.value, self.fault
        if self.last is None:
            return DiagnosticStatus.WARN, state.value, "no image processed yet"
        if self.last.off_map:
            return DiagnosticStatus.WARN, state.value, "the pose is too far from walkable floor to snap"
        if state is Status.TRACKING:
            return DiagnosticStatus.OK, state.value, "localized"
        return DiagnosticStatus.WARN, state.value, self.last.reason
