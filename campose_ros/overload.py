"""Whether an active node keeps up with its images, of the last seconds, on a steady clock."""

from __future__ import annotations

import time
from collections import deque
from statistics import median

WINDOW_S = 10.0
MIN_IMAGES = 20  # in a window, before anything is said
# A camera of 30 Hz that is answered 28 times a second drops 7 %.
DROPPED_SHARE = 0.5
# map -> odom is dated transform_tolerance ahead of its image, 0.5 s by default: later, tf has nothing for now.
LATENCY_S = 0.5
CURE = "let the camera send fewer or smaller images, or give the node more of the processor"


class Overload:
    """Told of images that were processed and dropped; `fault` says when it is too much. Guarded by its owner's lock."""

    def __init__(self) -> None:
        self._processed: deque[tuple[float, float]] = deque(maxlen=1000)  # when, latency
        self._dropped: deque[tuple[float, int]] = deque(maxlen=1000)

    def drop(self, count: int) -> None:
        """Note images that were dropped for a newer one."""
        if count:
            self._dropped.append((time.monotonic(), count))

    def done(self, latency_s: float) -> None:
        """Note an image that was processed."""
        self._processed.append((time.monotonic(), latency_s))

    def fault(self) -> str:
        """Say what is past its bound, and the cure; empty when nothing is."""
        since = time.monotonic() - WINDOW_S
        latencies_s = [latency_s for at, latency_s in self._processed if at > since]
        dropped = sum(count for at, count in self._dropped if at > since)
        images = len(latencies_s) + dropped
        if images < MIN_IMAGES or not latencies_s:
            return ""
        if dropped > DROPPED_SHARE * images:
            return (
                f"overloaded: {dropped} of {images} images in {WINDOW_S:.0f} s were dropped for a newer one, and "
                f"{len(latencies_s) / WINDOW_S:.1f} a second are localized: {CURE}"
            )
        if median(latencies_s) > LATENCY_S:
            return f"overloaded: a pose comes {median(latencies_s):.2f} s after its image: {CURE}"
        return ""
