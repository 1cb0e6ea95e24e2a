"""A subscription under watch to what may be said but once: what a latching publisher sent before is heard as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rclpy.clock import Clock, ClockType
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from campose_ros.input_watch import InputWatch

if TYPE_CHECKING:
    from rclpy.node import Node

LOOK_S = 1.0  # between two looks at who publishes
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class LatchedWatch(InputWatch):
    """As InputWatch, whose subscription hears everybody, but only from now on.

    Where a publisher latches, a second one asks for what it keeps. There is none else: it would never connect to the
    others, and each of those would be warned of it.
    """

    def __init__(
        self, node: Node, kind: Any, topic: str, callback: Callable[[Any], None], qos: QoSProfile, *, what: str
    ) -> None:
        super().__init__(node, kind, topic, callback, qos, what=what)
        self._kind = kind
        self._latched: Any = None
        # On a steady clock: simulated time may stand still.
        self._timer = node.create_timer(LOOK_S, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._look()

    def close(self) -> None:
        """End the subscriptions."""
        self._node.destroy_timer(self._timer)
        if self._latched is not None:
            self._node.destroy_subscription(self._latched)
        super().close()

    def _look(self) -> None:
        offers = [endpoint.qos_profile for endpoint in self._node.get_publishers_info_by_topic(self.topic)]
        if self._latched is None and any(_latches(offer) for offer in offers):
            self._latched = self._node.create_subscription(self._kind, self.topic, self._take_latched, LATCHED)

    def _take_latched(self, message: Any) -> None:
        # What is sent from now on comes here as well, and is counted by the other one; an old stamp is no fault.
        self.received = max(self.received, 1)
        self._callback(message)


def _latches(offer: QoSProfile) -> bool:
    return offer.durability == LATCHED.durability and offer.reliability == LATCHED.reliability
