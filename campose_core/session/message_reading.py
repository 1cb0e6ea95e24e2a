"""How a localization session reads messages, and what it says of those that it does not use.

Messages are read by attribute only, so the same code serves live ROS and bags.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from campose_core.bag.images import header_stamp_ns
from campose_core.errors import LocalizationError


class Refusal(NamedTuple):
    """A message, or a link of one, that is not used. what: its kind, such as `odometry` or `tf base_link -> mast`."""

    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what} refused: {self.reason}"


Refuse = Callable[[Refusal], object]


def stamp_of(message: Any) -> int:
    """Read the header stamp in nanoseconds.

    Raises:
        LocalizationError: it is zero.
    """
    stamp_ns = header_stamp_ns(message)
    if stamp_ns == 0:
        raise LocalizationError("its stamp is zero")
    return stamp_ns


def frame_name(text: Any) -> str:
    """Return a frame as tf2 calls it: ROS 1 wrote a slash before it."""
    return str(text).lstrip("/")
