"""What a node does not use of what it hears, in its log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from campose_core.session.message_reading import Refusal

if TYPE_CHECKING:
    from rclpy.node import Node

INTERVAL_S = 5.0  # at least, between two lines about the same kind
MAX_KINDS = 50  # in that time: a sender that names each message differently fills neither memory nor disk


class RefusalLog:
    """Called with each refusal; a kind that is refused all the time hides no other. For one thread."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._logged_at: dict[str, float] = {}  # by kind, on a steady clock

    def __call__(self, refusal: Refusal) -> None:
        """Warn of a refusal, of each kind once in INTERVAL_S."""
        now = time.monotonic()
        self._logged_at = {what: at for what, at in self._logged_at.items() if now - at < INTERVAL_S}
        if refusal.what not in self._logged_at and len(self._logged_at) < MAX_KINDS:
            self._logged_at[refusal.what] = now
            self._node.get_logger().warning(str(refusal))
