"""What the messages of a bag say of time: stamps, and their order."""

from typing import Any

from campose_core.capture.image_messages import image_stamp_ns
from campose_core.errors import CaptureError


class StampOrder:
    """Which images come in time order; `dropped` counts the others by reason."""

    def __init__(self, dropped: dict[str, int]) -> None:
        self._dropped = dropped
        self._last_ns: int | None = None

    def accepts(self, message: Any) -> bool:
        """Tell whether an image comes after all accepted ones; counts it by reason where it does not.

        message: decoded, or the CaptureError that it could not be.
        """
        reason = self._fault(message)
        if reason:
            self._dropped[reason] = self._dropped.get(reason, 0) + 1
            return False
        self._last_ns = image_stamp_ns(message)
        return True

    def _fault(self, message: Any) -> str:
        if isinstance(message, CaptureError):
            return "undecodable message"
        stamp_ns = image_stamp_ns(message)
        if stamp_ns == 0:
            return "zero stamp"
        if self._last_ns is None or stamp_ns > self._last_ns:
            return ""
        return "repeated stamp" if stamp_ns == self._last_ns else "backward stamp"


def header_stamp_ns(message: Any) -> int:
    """Return the header stamp of a message in nanoseconds."""
    stamp = message.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
