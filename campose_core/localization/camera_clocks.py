"""When the cameras of a body took their images: who is silent, and what is an old stamp."""

from __future__ import annotations

from typing import NamedTuple

MISSED_INTERVALS = 2.5  # between images, and the camera is silent


class _Clock(NamedTuple):
    """When a camera's last image was taken, and how long after the one before."""

    stamp_ns: int
    interval_s: float = 0.0


class CameraClocks:
    """By camera_frame."""

    def __init__(self) -> None:
        self._newest_ns: int | None = None
        self._clocks: dict[str, _Clock] = {}

    def goes_back(self, stamp_ns: int) -> bool:
        """Tell whether a stamp is before the newest: of a bag that starts over."""
        return self._newest_ns is not None and stamp_ns < self._newest_ns

    def take(self, stamp_ns: int, camera_frame: str, lost_after_s: float) -> tuple[float, float]:
        """Take in an image; returns the pause before it, and how long one may be, in seconds.

        A camera of one image a second is not silent between two of them.
        """
        pause_s = 0.0 if self._newest_ns is None else (stamp_ns - self._newest_ns) * 1e-9
        self._newest_ns = stamp_ns
        before = self._clocks.get(camera_frame, _Clock(stamp_ns))
        self._clocks[camera_frame] = _Clock(stamp_ns, (stamp_ns - before.stamp_ns) * 1e-9)
        return pause_s, max(lost_after_s, MISSED_INTERVALS * before.interval_s)

    def interval_s(self, camera_frame: str) -> float:
        """Return the time between the last two images of a camera, seconds."""
        return self._clocks[camera_frame].interval_s
