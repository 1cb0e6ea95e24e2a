"""One ROS topic on one Foxglove channel: serialized messages pass through as they are."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

from campose_core.bag.cdr import Cdr
from campose_core.errors import CamposeError
from campose_ros.conversions import message_class

if TYPE_CHECKING:
    from foxglove import Context

# Newer ones replace them; other messages, packets of a video among them, must not be left out.
IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
# Its publishers each latch a message of their own.
TRANSFORMS = "tf2_msgs/msg/TFMessage"


class UnknownMessageType(CamposeError):
    """Messages that cannot be subscribed to, or not described to a viewer."""


class Forwarder:
    """Subscribed to its topic while it has clients.

    cdr: message definitions. image_rate_hz: images more often than this are left out.

    Raises:
        UnknownMessageType: the package of `msgtype` is not installed, or its definition is not known.
    """

    def __init__(self, node: Node, context: Context, cdr: Cdr, topic: str, msgtype: str, image_rate_hz: float) -> None:
        import foxglove

        try:
            self._message_class = message_class(msgtype)
        except (ImportError, AttributeError) as error:
            raise UnknownMessageType(f"{msgtype} is not installed here ({error})") from error
        if msgtype not in cdr.store.fielddefs:
            raise UnknownMessageType(f"the definition of {msgtype} is not known")
        schema = foxglove.Schema(name=msgtype, encoding="ros2msg", data=cdr.definition(msgtype).encode())
        self._node, self._topic = node, topic
        self._channel = foxglove.Channel(topic, message_encoding="cdr", schema=schema, context=context)
        self._interval_s = 1.0 / image_rate_hz if msgtype in IMAGES else 0.0
        self._due = 0.0
        self._depth = 1 if msgtype in IMAGES else 100
        self._latched: deque[bytes] = deque(maxlen=100 if msgtype == TRANSFORMS else 1)
        self._clients: set[int] = set()
        self._subscription: Subscription | None = None

    def add_client(self, client: int) -> None:
        """Take a client, by its channel's number: the first one makes the subscription, which brings what is latched.

        Later ones are given it again. The protocol has no latching: all clients of the channel get it.
        """
        self._clients.add(client)
        if self._subscription is None:
            self._subscribe(self._qos())
        else:
            for message in self._latched:
                self._log(message)

    def remove_client(self, client: int) -> None:
        """Let a client go; the last one ends the subscription."""
        self._clients.discard(client)
        if not self._clients:
            self._unsubscribe()

    def follow_publishers(self) -> None:
        """Subscribe anew where publishers came that offer something else than those before."""
        if self._subscription is None or not self._node.count_publishers(self._topic):
            return
        qos = self._qos()
        if qos.durability != self._subscription.qos_profile.durability:
            self._unsubscribe()
            self._subscribe(qos)

    def _qos(self) -> QoSProfile:
        """Ask reliably for what is latched, which history needs, and with best effort for the rest.

        That connects to every publisher, and a publisher never waits for a viewer.
        """
        offered = [publisher.qos_profile for publisher in self._node.get_publishers_info_by_topic(self._topic)]
        latched = bool(offered) and all(
            qos.durability == DurabilityPolicy.TRANSIENT_LOCAL and qos.reliability == ReliabilityPolicy.RELIABLE
            for qos in offered
        )
        return QoSProfile(
            depth=self._depth,
            reliability=ReliabilityPolicy.RELIABLE if latched else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )

    def _subscribe(self, qos: QoSProfile) -> None:
        self._subscription = self._node.create_subscription(
            self._message_class, self._topic, self._forward, qos, raw=True
        )

    def _unsubscribe(self) -> None:
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
        self._subscription = None
        self._latched.clear()

    def _forward(self, message: bytes) -> None:
        if self._interval_s:
            now = time.monotonic()
            if now < self._due:
                return
            # In step with the limit, not with the images: 30 Hz limited to 20 Hz give 20 Hz on average.
            late_s = now - self._due
            self._due = now + self._interval_s - (late_s if late_s < self._interval_s else 0.0)
        if (
            self._subscription is not None
            and self._subscription.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
        ):
            self._latched.append(message)
        self._log(message)

    def _log(self, message: bytes) -> None:
        self._channel.log(message, log_time=self._node.get_clock().now().nanoseconds)
