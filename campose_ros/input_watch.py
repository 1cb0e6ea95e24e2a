"""One subscription under watch: what comes, what is lost on the way, how it is stamped, and why nothing comes.

Everything is measured on a steady clock, and everything runs on the executor's thread.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import rclpy
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.qos import DurabilityPolicy, QoSCompatibility, QoSProfile, ReliabilityPolicy, qos_check_compatible

from campose_core.bag.image_messages import IMAGE_TYPES, image_stamp_ns
from campose_core.localization.camera_clocks import MISSED_INTERVALS
from campose_ros.endpoints import node_of, other_publishers
from campose_ros.sent_transport import sent_transport

if TYPE_CHECKING:
    from rclpy.node import Node

WINDOW_S = 5.0
# Of 207 raw VGA images that Fast DDS got to see, 163 were lost; a good connection loses none.
LOST_SHARE, MIN_LOST = 0.2, 5
RAW = "sensor_msgs/msg/Image"
DRAWN = "/matches/compressed"  # of any localizer, as of another robot: pictures of no camera
SEGMENT_BYTES = 512 * 1024  # of shared memory, by Fast DDS' default: what is larger goes through UDP in pieces
LAST_ARRIVALS = 3  # however long ago: what tells a slow sender from a silent one
OFTEN = 3  # in a window; a bag that starts over goes back once
REPEATED_SHARE = 0.2  # of what comes; a few messages may come twice


class Arrival(NamedTuple):
    """`at` by time.monotonic; `offset_s`: the node's clock less the stamp, None while the clock has no time.

    went_back, stood_still: the stamp is before, or is that of the message before.
    """

    at: float
    offset_s: float | None
    went_back: bool
    stood_still: bool


class InputWatch:
    """A subscription of messages with a header.

    what, sender: how a person calls a message, and who ought to send it. alike: message types that may hold the same,
    to be named where they are published.
    """

    def __init__(
        self,
        node: Node,
        kind: Any,
        topic: str,
        callback: Callable[[Any], None],
        qos: QoSProfile,
        *,
        what: str = "image",
        sender: str = "camera",
        alike: tuple[str, ...] = (),
    ) -> None:
        self._node, self._callback, self._qos = node, callback, qos
        self._what, self._sender = what, sender
        self._type = f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"
        self._alike = {self._type, *alike}
        self._started = time.monotonic()
        self._arrivals: deque[Arrival] = deque()  # those of the window
        self._news: deque[float] = deque(maxlen=LAST_ARRIVALS)  # when the last whose stamp went on came
        self._losses: deque[tuple[float, int]] = deque(maxlen=1000)
        self._newest_ns = 0
        self._bytes = 0
        self.received = self.lost = 0
        self.subscription = node.create_subscription(
            kind, topic, self._take, qos, event_callbacks=SubscriptionEventCallbacks(message_lost=self._on_lost)
        )
        self.topic = str(self.subscription.topic_name)

    def close(self) -> None:
        """End the subscription."""
        self._node.destroy_subscription(self.subscription)

    def _take(self, message: Any) -> None:
        stamp_ns, now_ns = image_stamp_ns(message), self._node.get_clock().now().nanoseconds
        offset_s = (now_ns - stamp_ns) * 1e-9 if now_ns and stamp_ns else None
        now = time.monotonic()
        stands_still = stamp_ns == self._newest_ns != 0
        self._arrivals.append(Arrival(now, offset_s, stamp_ns < self._newest_ns, stands_still))
        if not stands_still:
            self._news.append(now)
        while self._arrivals[0].at <= now - WINDOW_S:
            self._arrivals.popleft()
        self._newest_ns = stamp_ns
        self._bytes = len(getattr(message, "data", ()))
        self.received += 1
        self._callback(message)

    def _on_lost(self, event: Any) -> None:
        self.lost += event.total_count_change
        self._losses.append((time.monotonic(), event.total_count_change))

    def _recent(self) -> list[Arrival]:
        since = time.monotonic() - WINDOW_S
        return [arrival for arrival in self._arrivals if arrival.at > since]

    @property
    def rate_hz(self) -> float:
        """Return the messages a second, of the last seconds."""
        age_s = max(time.monotonic() - self._started, 1e-3)
        return len(self._recent()) / min(WINDOW_S, age_s)

    @property
    def interval_s(self) -> float:
        """Return the mean time between the messages of the last seconds; 0 while that is not known."""
        recent = self._recent()
        return (recent[-1].at - recent[0].at) / (len(recent) - 1) if len(recent) >= LAST_ARRIVALS else 0.0

    def lost_share(self) -> float:
        """Return the share of the messages sent in the last seconds that DDS lost.

        Those that were replaced by a newer one before they were read do not count.
        """
        since = time.monotonic() - WINDOW_S
        lost = sum(count for at, count in self._losses if at > since)
        return lost / (lost + len(self._recent())) if lost >= MIN_LOST else 0.0

    def offset_s(self) -> float | None:
        """Return the node's clock less the stamps, as a median of the last seconds; None when nothing tells."""
        offsets = [arrival.offset_s for arrival in self._recent() if arrival.offset_s is not None]
        return statistics.median(offsets) if offsets else None

    def fault(self) -> str:
        """Say what is wrong with the messages that come, but for their clock, and the cure; empty when nothing is."""
        recent = self._recent()
        if recent and not self._newest_ns:
            return f"what comes on {self.topic} has a stamp of zero: its driver must stamp it"
        still = sum(arrival.stood_still for arrival in recent)
        if still >= OFTEN and still > REPEATED_SHARE * len(recent):
            times = f"in {still} of {len(recent)} messages"
            return f"the stamps on {self.topic} stand still {times}: {self._still_because()}"
        if sum(arrival.went_back for arrival in recent) >= OFTEN:
            return f"the stamps on {self.topic} go back and forth: it is published by {self._publishers()}"
        if recent and self.lost_share() > LOST_SHARE:
            return self._loss()
        return ""

    def _still_because(self) -> str:
        if self.subscription.get_publisher_count() > 1:
            return f"it is published by {self._publishers()}"
        return "its driver stamps wrongly"

    def _loss(self) -> str:
        text = f"{self.lost_share():.0%} of what is sent on {self.topic} is lost on the way"
        fast_dds = rclpy.get_rmw_implementation_identifier().startswith("rmw_fastrtps")
        # Where nothing arrives, nobody knows how large it is.
        if fast_dds and (self._bytes > SEGMENT_BYTES or (self._type == RAW and not self._bytes)):
            return (
                f"{text}: images of more than {SEGMENT_BYTES / 1e6:.1f} MB do not fit the shared memory of Fast DDS. "
                f"Start the {self._sender} with FASTRTPS_DEFAULT_PROFILES_FILE (Fast DDS 3: "
                "FASTDDS_DEFAULT_PROFILES_FILE) set to config/fastdds_large_shm.xml of campose_ros, or use compressed "
                "images"
            )
        return f"{text}: is the network, or this machine, overloaded?"

    def silence(self, patience_s: float) -> str:
        """Say that nothing new has come for so long, and why; empty while messages come whose stamps go on.

        A slow sender is not silent between two messages: patience is at least as long as the localizer's with it.
        """
        silence_s = silent_for(self._news or [self._started], time.monotonic(), patience_s)
        if not silence_s:
            return ""
        if sum(arrival.stood_still for arrival in self._recent()) >= OFTEN:
            still = f"its stamps stand still: {self._still_because()}"
            return f"no new {self._what} on {self.topic} for {silence_s:.0f} s: {still}"
        return f"no {self._what} on {self.topic} for {silence_s:.0f} s: {self._why_silent()}"

    def _why_silent(self) -> str:
        if self.lost_share() > LOST_SHARE:
            return self._loss()
        if self.subscription.get_publisher_count():
            return f"{self._publishers()} sends none, is the {self._sender} running?"
        endpoints = self._node.get_publishers_info_by_topic(self.topic)
        for endpoint in endpoints:
            if endpoint.topic_type == self._type:
                return f"{node_of(endpoint)} {self._never_connects(endpoint.qos_profile)}"
        if endpoints:
            sent = sent_transport(self.topic, [(self.topic, endpoints[0].topic_type)])
            setting = f"set image_transport to {sent}" if sent else "is image_transport right?"
            return f"what {node_of(endpoints[0])} publishes there is {endpoints[0].topic_type}, not {self._type}" + (
                f": {setting}" if self._type in IMAGE_TYPES else ""
            )
        return self._published_elsewhere()

    def _published_elsewhere(self) -> str:
        topics = [
            (name, kind)
            for name, kinds in sorted(self._node.get_topic_names_and_types())
            for kind in kinds
            if kind in self._alike and not name.endswith(DRAWN) and other_publishers(self._node, name)
        ]
        if not topics:
            return "nobody publishes it"
        others = f"nobody publishes it; other {self._what} topics: {', '.join(name for name, _ in topics)}"
        sent = sent_transport(self.topic, topics) if self._type in IMAGE_TYPES else ""
        return f"{others}; set image_transport to {sent}" if sent else others

    def _never_connects(self, offered: QoSProfile) -> str:
        if (offered.reliability, self._qos.reliability) == (ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE):
            cure = "set reliable_images to false" if self._type in IMAGE_TYPES else "let it publish reliably"
            return f"publishes best effort and a reliable subscription never connects to that: {cure}"
        if (offered.durability, self._qos.durability) == (DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL):
            return "publishes volatile and a latched subscription never connects to that: let it be transient local"
        compatible, reason = qos_check_compatible(offered, self._qos)
        if compatible is QoSCompatibility.OK:
            return "has only just come"
        return f"has another quality of service: {reason.strip().rstrip(';')}"

    def _publishers(self) -> str:
        names = sorted({node_of(endpoint) for endpoint in self._node.get_publishers_info_by_topic(self.topic)})
        return " and ".join(names) or "nobody"

    def facts(self) -> dict[str, object]:
        """Return keys for the diagnostics."""
        offset_s = self.offset_s()
        return {
            "rate_hz": f"{self.rate_hz:.1f}",
            "received": self.received,
            "lost": self.lost,
            "publishers": self.subscription.get_publisher_count(),
            "clock_minus_stamp_s": "" if offset_s is None else f"{offset_s:.3f}",
        }


def silent_for(arrivals: Sequence[float], now: float, patience_s: float) -> float:
    """Return the seconds since the last arrival; 0 while that is within the patience.

    A pause is no interval: the shorter of the last two counts. arrivals, now: seconds of one clock.
    """
    silence_s = now - arrivals[-1]
    interval_s = min((later - earlier for earlier, later in pairwise(arrivals)), default=0.0)
    return silence_s if silence_s > max(patience_s, MISSED_INTERVALS * interval_s) else 0.0
