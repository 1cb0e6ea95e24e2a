"""What the messages of a bag say of time: stamps, and their order."""

from typing import Any

import numpy as np

from campose_core.bag.bag import Bag
from campose_core.bag.clock import BagClock, UsableStamps, usable_stamps
from campose_core.bag.image_messages import image_stamp_ns, stamp_field
from campose_core.errors import CaptureError
from campose_core.trajectory import Stamps


class StampOrder:
    """Gives the messages of an image topic, one after the other, the stamps they are to have.

    stamps_ns: those, by message; see `read_image_stamps`. dropped: counts the images left out, by reason.
    """

    def __init__(self, dropped: dict[str, int], stamps_ns: Stamps) -> None:
        self._dropped, self._stamps_ns = dropped, iter(stamps_ns.tolist())
        self._last_ns = 0

    def accepts(self, message: Any) -> bool:
        """Tell whether an image comes after all accepted ones; counts it by reason where it does not.

        message: decoded, and then given its stamp; or the CaptureError that it could not be.
        """
        stamp_ns = next(self._stamps_ns, 0)
        reason = "undecodable message" if isinstance(message, CaptureError) else self._fault(stamp_ns)
        if reason:
            self._dropped[reason] = self._dropped.get(reason, 0) + 1
            return False
        self._last_ns = stamp_ns
        if stamp_ns != image_stamp_ns(message):
            set_stamp(stamp_field(message), stamp_ns)
        return True

    def _fault(self, stamp_ns: int) -> str:
        if stamp_ns <= 0:
            return "zero stamp"
        if stamp_ns > self._last_ns:
            return ""
        return "repeated stamp" if stamp_ns == self._last_ns else "backward stamp"


def read_image_stamps(bag: Bag, topic: str, clock: BagClock) -> UsableStamps:
    """Return the stamps of all messages of an image topic. clock: of another camera beside it."""
    header_ns: list[int] = []
    log_ns: list[int] = []
    is_copy: list[bool] = []
    last: Any = None
    for logged_ns, message in bag.messages(topic):
        is_bad = isinstance(message, CaptureError)
        stamp_ns = header_ns[-1] if is_bad and header_ns else 0 if is_bad else image_stamp_ns(message)
        again = last is not None and not is_bad and stamp_ns == image_stamp_ns(last) != 0
        is_copy.append(is_bad or (again and bool(np.array_equal(message.data, last.data))))
        header_ns.append(stamp_ns if is_bad else clock.stamp_ns(stamp_ns, logged_ns))
        log_ns.append(logged_ns)
        last = last if is_bad else message
    return usable_stamps(header_ns, log_ns, is_copy)


def set_stamp(stamp: Any, stamp_ns: int) -> None:
    """stamp: the one of a decoded message."""
    stamp.sec, stamp.nanosec = divmod(stamp_ns, 1_000_000_000)


def header_stamp_ns(message: Any) -> int:
    """Return the header stamp of a message in nanoseconds."""
    stamp = message.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
