"""A bag's messages onto DDS at recorded speed, as they were serialized, and their time on /clock."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import Any

from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node, NodeNameNonExistentError
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from campose_core.bag.bag import Bag
from campose_core.bag.image_messages import IMAGE_TYPES as EVERY_IMAGE_TYPE
from campose_core.cli.console import say
from campose_core.errors import CaptureError, LocalizationError
from campose_ros.conversions import message_class, time_message
from campose_ros.endpoints import node_of

IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
# What a localizer listens to. tf is not among them: its message package is not on PyPI.
PLAYED_TYPES = (*IMAGE_TYPES, "sensor_msgs/msg/CameraInfo", "sensor_msgs/msg/Imu", "nav_msgs/msg/Odometry")
CLOCK_S = 0.02  # between two messages of /clock, at most
ELSEWHERE_S = 3.0  # subscriptions of several cameras are found one after the other
SETTLED_S = 0.5  # subscriptions of one node connect one after the other
HEARD_S = 5.0  # what a subscriber may take to find this side after it was found
GONE_S, LOOK_S = 5.0, 1.0  # a localizer that was started again may take so long to be back; looked for so often


class Player:
    """Publishers for the topics of a bag, by their recorded names.

    localizer: the node to play to; others may listen as well. reliable: images are published so.

    Raises:
        CaptureError: the bag holds no image topic.
    """

    def __init__(self, node: Node, bag: Bag, localizer: str, *, reliable: bool) -> None:
        self._node, self._bag, self._reliable = node, bag, reliable
        self._localizer = "/" + localizer.strip("/")
        topics = {topic.name: topic.msgtype for topic in bag.topics if topic.msgtype in PLAYED_TYPES and topic.messages}
        self._images = {name: msgtype for name, msgtype in topics.items() if msgtype in IMAGE_TYPES}
        if not self._images:
            have = ", ".join(f"{topic.name} ({topic.msgtype}, {topic.messages})" for topic in bag.topics) or "nothing"
            raise CaptureError(f"{bag.path}: no image topic; it holds {have}")
        self._clock = node.create_publisher(Clock, "/clock", 1)
        best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._publishers: dict[str, Publisher] = {}
        for name, msgtype in topics.items():
            qos = best_effort if name in self._images and not reliable else QoSProfile(depth=10)
            self._publishers[name] = node.create_publisher(message_class(msgtype), name, qos)

    def wait_for_subscriber(self, timeout_s: float, meanwhile: Callable[[], object]) -> None:
        """Wait until the localizer takes the images, which an active one does, and no more connections come.

        meanwhile: is called again and again; what it raises ends the wait.

        Raises:
            LocalizationError: it did not in time, listens to other images, or asks for them in another way.
        """
        say(f"waiting for a subscriber of {', '.join(sorted(self._images))}")
        listens_since = time.monotonic()
        deadline = listens_since + timeout_s
        while not any(self._publishers[name].get_subscription_count() for name in self.heard_images()):
            if obstacle := self._obstacle():
                raise LocalizationError(obstacle)
            elsewhere = self._listens_elsewhere()
            listens_since = time.monotonic() if not elsewhere else listens_since
            if time.monotonic() - listens_since > ELSEWHERE_S:
                raise LocalizationError(elsewhere)
            if time.monotonic() > deadline:
                raise LocalizationError(self._why_unheard(timeout_s))
            meanwhile()
            time.sleep(0.02)
        counts, changed = self._subscribers(), time.monotonic()
        while time.monotonic() - changed < SETTLED_S:
            time.sleep(0.02)
            if counts != self._subscribers():
                counts, changed = self._subscribers(), time.monotonic()

    def heard_images(self) -> set[str]:
        """Return the image topics that the localizer hears."""
        return {topic for topic, info in self._subscriptions() if self._hears(topic, info)}

    def _subscriptions(self) -> list[tuple[str, Any]]:
        """Return whose subscriptions there are to the images: the topic as recorded, and what is known of the other."""
        return [
            (name, info)
            for name in sorted(self._images)
            for info in self._node.get_subscriptions_info_by_topic(self._publishers[name].topic_name)
        ]

    def _hears(self, topic: str, info: Any) -> bool:
        connects = self._reliable or info.qos_profile.reliability != ReliabilityPolicy.RELIABLE
        return node_of(info) == self._localizer and info.topic_type == self._images[topic] and connects

    def _obstacle(self) -> str:
        """Say what keeps a localizer that listens to a topic of the bag from hearing it; empty where it hears one."""
        subscriptions, said = self._subscriptions(), ""
        for topic, info in subscriptions:
            if self._hears(topic, info):
                return ""
            if node_of(info) == self._localizer:
                said = f"the localizer {self._localizer} listens to {topic}, and "
                if info.topic_type != self._images[topic]:
                    said += f"for {info.topic_type}: the bag has {self._images[topic]} there, is image_transport right?"
                else:
                    said += (
                        "its reliable subscription never connects to images that are sent with best effort (quality of "
                        "service): replay with --reliable, or set its reliable_images to false"
                    )
        return said

    def _listens_elsewhere(self) -> str:
        """Say that a localizer listens to images, and to none of the bag's; empty where it does not."""
        namespace, _, name = self._localizer.rpartition("/")
        try:
            subscribed = dict(self._node.get_subscriber_names_and_types_by_node(name, namespace or "/"))
        except NodeNameNonExistentError:
            return ""
        images = sorted(topic for topic, kinds in subscribed.items() if not {*kinds}.isdisjoint(EVERY_IMAGE_TYPE))
        recorded = {self._publishers[topic].topic_name for topic in self._images}
        if not images or not recorded.isdisjoint(images):
            return ""
        return (
            f"the localizer {self._localizer} listens to {', '.join(images)}, and the bag has images on "
            f"{', '.join(sorted(recorded))} alone: set its image_topic and image_transport to those of the bag"
        )

    def _why_unheard(self, timeout_s: float) -> str:
        names = ", ".join(sorted(self._images))
        others = sorted({node_of(info) for _, info in self._subscriptions()})
        who = f"only {', '.join(others)}" if others else "nobody"
        return (
            f"{who} subscribed to {names} within {timeout_s:g} s: is the localizer {self._localizer} (--node) active, "
            "and are its image_topic and image_transport those of the bag?"
        )

    def _subscribers(self) -> list[int]:
        return [publisher.get_subscription_count() for publisher in (self._clock, *self._publishers.values())]

    def play(
        self,
        rate: float,
        image_published: Callable[[int], None],
        wait_for_answer: Callable[[str, int], None] | None = None,
    ) -> None:
        """Publish everything that somebody subscribes to, `rate` times as fast as recorded.

        image_published: gets the stamp of each image that the localizer hears, just before it is sent.
        wait_for_answer: gets its topic and stamp, and returns when the localizer is through with it; nothing more is
        published before that.

        Raises:
            LocalizationError: the localizer went away, and did not come back.
        """
        heard = self.heard_images()
        unheard = {name for name in self._images if not self._publishers[name].get_subscription_count()} - heard
        started, first_ns = 0.0, None
        self._heard_at = self._looked_at = time.monotonic()
        for message in self._bag.serialized(set(self._publishers) - unheard):
            if first_ns is None:
                first_ns = message.log_ns
                self._tell_time(first_ns)
                # Who is found has not always found this side: the one message that /clock keeps would be the next one.
                self._clock.wait_for_all_acked(Duration(seconds=HEARD_S))
                started = time.monotonic()
            self._wait_until(message.log_ns, first_ns, rate, started)
            if not self._node.context.ok():
                raise ExternalShutdownException
            if message.topic not in heard:  # a viewer may look at other images
                self._publishers[message.topic].publish(message.data)
                continue
            self._require_listener()
            stamp_ns, sent = stamp_ns_of_cdr(message.data), time.monotonic()
            image_published(stamp_ns)
            self._publishers[message.topic].publish(message.data)
            if wait_for_answer is not None:
                wait_for_answer(message.topic, stamp_ns)
                started += time.monotonic() - sent  # what comes next keeps its distance

    def _require_listener(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        if self.heard_images():
            self._heard_at = now
        elif now - self._heard_at > GONE_S:
            raise LocalizationError(
                f"the localizer {self._localizer} has gone, or is no longer active: its log says why. What it had "
                "answered is not written"
            )

    def _wait_until(self, log_ns: int, first_ns: int, rate: float, started: float) -> None:
        """Sleep until a message is due, while /clock goes on."""
        due = started + (log_ns - first_ns) * 1e-9 / rate
        while (left_s := due - time.monotonic()) > 0:
            self._tell_time(log_ns - round(left_s * rate * 1e9))
            time.sleep(min(left_s, CLOCK_S))
        self._tell_time(log_ns)

    def _tell_time(self, now_ns: int) -> None:
        self._clock.publish(Clock(clock=time_message(now_ns)))


def stamp_ns_of_cdr(data: bytes) -> int:
    """Read the header stamp of a serialized message that starts with a std_msgs/Header.

    CDR: four bytes of encapsulation, the second of which tells the byte order, then int32 sec, uint32 nanosec.
    """
    seconds, nanoseconds = struct.unpack_from("<iI" if data[1] else ">iI", data, 4)
    return int(seconds) * 10**9 + int(nanoseconds)
