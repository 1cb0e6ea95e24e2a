"""Foxglove channels for ROS 2 messages: the same calls feed a live server and an MCAP file.

A foxglove context connects channels to sinks. Whoever makes the context (`server.py`, `mcap.py`) attaches its sink.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from campose_core.visualization.topics import Message, TopicKind

if TYPE_CHECKING:
    import foxglove

# As rosbag2 writes it into a file: reliable, and the last message is kept for those who come late.
LATCHED_QOS = """- history: keep_last
  depth: 1
  reliability: reliable
  durability: transient_local
  deadline: {sec: 9223372036, nsec: 854775807}
  lifespan: {sec: 9223372036, nsec: 854775807}
  liveliness: automatic
  liveliness_lease_duration: {sec: 9223372036, nsec: 854775807}
  avoid_ros_namespace_conventions: false
"""


class CdrChannels:
    """One channel for each topic, open from the start so that a viewer can subscribe before the first message."""

    def __init__(self, context: foxglove.Context, topics: Mapping[str, TopicKind]) -> None:
        import foxglove

        self._channels = {
            topic: foxglove.Channel(
                topic,
                schema=foxglove.Schema(name=kind.msgtype, encoding="ros2msg", data=kind.definition.encode()),
                message_encoding="cdr",
                context=context,
                metadata={"offered_qos_profiles": LATCHED_QOS} if kind.latched else {},
            )
            for topic, kind in topics.items()
        }

    def wanted(self, topic: str) -> bool:
        """Tell whether anybody listens."""
        return self._channels[topic].has_sinks()

    def log(self, messages: Iterable[Message]) -> None:
        """Send messages to whoever listens, each at its own stamp."""
        for message in messages:
            self._channels[message.topic].log(message.data, log_time=message.stamp_ns)
