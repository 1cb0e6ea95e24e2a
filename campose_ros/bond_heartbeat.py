"""The bond by which Nav2's lifecycle manager knows that a node which it activated is still there.

A bond is a topic, `bond`, on which both sides say that they live. Of a node the manager wants no more than that, so the
messages of the package `bond` are enough, which Nav2 always brings: neither bondpy nor its state machine.
"""

from __future__ import annotations

import importlib
import threading
import uuid
from typing import TYPE_CHECKING

from rclpy.duration import Duration
from rclpy.qos import QoSProfile

if TYPE_CHECKING:
    from rclpy.node import Node

TIMEOUT_S = 4.0  # told for the log alone: the manager goes by its own bond_timeout
FAREWELL_S = 0.5  # for the last message to arrive; a manager that hangs gets none


class BondHeartbeat:
    """Says on `bond` that the node lives, every `period_s`, until it is closed; nothing without the package `bond`.

    From a thread of its own, as bondpy does: while a scene is loaded, the executor is busy for seconds.
    """

    def __init__(self, node: Node, period_s: float) -> None:
        self._node, self._period_s = node, period_s
        self._instance = str(uuid.uuid4())
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        if not period_s:
            return
        try:
            self._status = importlib.import_module("bond.msg").Status
        except ImportError:
            return
        # bondcpp's own quality of service.
        self._publisher = node.create_publisher(self._status, "bond", QoSProfile(depth=5))
        self._thread = threading.Thread(target=self._beat, name="bond", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Break the bond: the manager is told at once, and does not take the silence for a death."""
        if self._thread is None:
            return
        self._ended.set()
        self._thread.join()
        self._thread = None
        self._say(active=False)
        if self._node.context.ok():
            self._publisher.wait_for_all_acked(Duration(seconds=FAREWELL_S))  # it is lost with its publisher else
        self._node.destroy_publisher(self._publisher)

    def _beat(self) -> None:
        while not self._ended.is_set():
            self._say(active=True)
            self._ended.wait(self._period_s)

    def _say(self, *, active: bool) -> None:
        message = self._status(
            id=self._node.get_name(),
            instance_id=self._instance,
            active=active,
            heartbeat_timeout=TIMEOUT_S,
            heartbeat_period=self._period_s,
        )
        message.header.stamp = self._node.get_clock().now().to_msg()
        try:
            self._publisher.publish(message)
        except RuntimeError:
            if self._node.context.ok():
                raise  # otherwise a signal has shut it down meanwhile
