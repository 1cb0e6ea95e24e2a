"""campose_viewer: what a localizer takes in and puts out, shown in Foxglove where foxglove_bridge is not installed.

It serves every topic that the localizer publishes or subscribes to, and those that match `topics`, on a WebSocket
(foxglove.sdk.v1). It only shows: clients can neither publish, nor call services, nor set parameters. Messages are
passed on as they were serialized, and a topic is subscribed to only while some client looks at it.
"""

from __future__ import annotations

import os
import re
import sys
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.node import NodeNameNonExistentError

from campose_core.bag.cdr import Cdr
from campose_core.cli.console import exit_code_of
from campose_core.errors import UsageError
from campose_core.extras import load_extra
from campose_core.visualization.layout import how_to_look
from campose_core.visualization.server import start_server
from campose_ros.endpoints import full_name
from campose_ros.forwarding import Forwarder, UnknownMessageType
from campose_ros.plain_log import PlainLog
from campose_ros.process import run
from campose_ros.usage import viewer_usage

if TYPE_CHECKING:
    from foxglove.websocket import ChannelView, Client

LOOPBACK = ("127.0.0.1", "localhost", "::1")
UNSEEN = ("/parameter_events",)
DISCOVERY_S = 1.0
CLOCK_S = 0.05
# Messages that wait for a client that is too slow: about half a second of everything, and some 30 MB of raw images.
BACKLOG = 32
# The localizer and its camera come first where processors are scarce.
NICENESS = 5

Described = partial(ParameterDescriptor, read_only=True)
PARAMETERS: dict[str, tuple[Any, ParameterDescriptor]] = {
    "localizer": (
        "localizer",
        Described(description="The node that is shown; in this node's namespace unless it starts with a slash."),
    ),
    "topics": (
        ["/tf", "/tf_static", "/reference/.*", "/error"],
        Described(description="Topics whose whole name matches one of these regular expressions are shown as well."),
    ),
    "image_rate_hz": (
        10.0,
        Described(
            description="Images of a topic are passed on no more often than this.",
            floating_point_range=[FloatingPointRange(from_value=0.1, to_value=1000.0, step=0.0)],
        ),
    ),
    "host": ("127.0.0.1", Described(description="Address to listen on; any other lets the network look.")),
    "port": (
        8765,
        Described(
            description="Port to listen on; 0: any free one.",
            integer_range=[IntegerRange(from_value=0, to_value=65535, step=0)],
        ),
    ),
}


class Interest(NamedTuple):
    """A client began or ceased to look at a topic."""

    topic: str
    client: int
    begins: bool


class ViewerNode(PlainLog):
    """Forwards topics to the clients of its own WebSocket server.

    Raises:
        UsageError: no such port, `localizer` cannot be the name of a node, or `topics` holds no regular expression.
        CamposeError: the address cannot be listened on.
        MissingDependency: foxglove-sdk or rosbags is not installed.
    """

    def __init__(self, name: str = "viewer", **options: Any) -> None:
        super().__init__(name, **options)
        foxglove, self._cdr = load_extra("foxglove", "view"), Cdr()
        given = {n: self.declare_parameter(n, *described).value for n, described in PARAMETERS.items()}
        host, localizer = given["host"], given["localizer"]
        self._shown = full_name(localizer, self.get_namespace())
        self._patterns = _compiled(given["topics"])
        self._image_rate_hz = given["image_rate_hz"]
        self._channels = foxglove.Context()
        self._forwarders: dict[str, Forwarder] = {}
        self._left_out: set[str] = set()
        self._interests: SimpleQueue[Interest] = SimpleQueue()
        self._interest_changed = self.create_guard_condition(self._follow_interests)
        simulated = bool(self.get_parameter("use_sim_time").value)
        self._server = start_server(
            host, given["port"], self._shown, self._channels, self, clock=simulated, backlog=BACKLOG
        )
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(DISCOVERY_S, self._discover, clock=steady)
        if simulated:
            self.create_timer(CLOCK_S, self._broadcast_clock, clock=steady)
        self._announce(host)
        self._discover()

    def destroy_node(self) -> None:
        if hasattr(self, "_server"):
            self._server.stop()
        super().destroy_node()

    def on_subscribe(self, client: Client, channel: ChannelView) -> None:
        """Note who looks: called by the server on its own thread."""
        self._interests.put(Interest(channel.topic, client.id, begins=True))
        self._interest_changed.trigger()

    def on_unsubscribe(self, client: Client, channel: ChannelView) -> None:
        """Note who ceased to look: called by the server on its own thread, also when a client leaves."""
        self._interests.put(Interest(channel.topic, client.id, begins=False))
        self._interest_changed.trigger()

    def _announce(self, host: str) -> None:
        log = self.get_logger()
        if host not in LOOPBACK:
            log.warning(f"listening on {host}: everybody who reaches this machine can see what the robot sees")
        seen_from_here = "127.0.0.1" if host == "0.0.0.0" else host
        log.info(f"serving {self._shown} on ws://{host}:{self._server.port}")
        for line in how_to_look(f"Open connection, ws://{seen_from_here}:{self._server.port}"):
            log.info(line)

    def _broadcast_clock(self) -> None:
        self._server.broadcast_time(self.get_clock().now().nanoseconds)

    def _discover(self) -> None:
        """Offer the topics that came up, and follow publishers that changed. What was once there stays on offer, so
        that a panel goes on when a node was restarted."""
        for topic, types in self._topics().items():
            if topic not in self._forwarders and topic not in self._left_out:
                self._offer(topic, types)
        for forwarder in self._forwarders.values():
            forwarder.follow_publishers()

    def _topics(self) -> dict[str, list[str]]:
        """Names and types of what there is to see."""
        namespace, _, name = self._shown.rpartition("/")
        everything = self.get_topic_names_and_types()
        found = {topic: types for topic, types in everything if any(p.fullmatch(topic) for p in self._patterns)}
        try:
            found |= dict(self.get_publisher_names_and_types_by_node(name, namespace or "/"))
            found |= dict(self.get_subscriber_names_and_types_by_node(name, namespace or "/"))
        except NodeNameNonExistentError:
            pass  # not started yet
        return {topic: types for topic, types in found.items() if topic not in UNSEEN}

    def _offer(self, topic: str, types: list[str]) -> None:
        try:
            self._forwarders[topic] = Forwarder(self, self._channels, self._cdr, topic, types[0], self._image_rate_hz)
        except UnknownMessageType as error:
            self._left_out.add(topic)
            self.get_logger().info(f"{topic} is left out: {error}")

    def _follow_interests(self) -> None:
        while True:
            try:
                interest = self._interests.get_nowait()
            except Empty:
                return
            forwarder = self._forwarders[interest.topic]
            if interest.begins:
                forwarder.add_client(interest.client)
            else:
                forwarder.remove_client(interest.client)


def _compiled(expressions: list[str]) -> list[re.Pattern[str]]:
    try:
        return [re.compile(expression) for expression in expressions]
    except re.error as error:
        raise UsageError(f"topics must be regular expressions, got {error.pattern!r}: {error}") from error


def main(args: list[str] | None = None) -> int:
    """Run the viewer until it is told to end; returns the exit code."""
    os.nice(NICENESS)
    rows = [(name, default, described.description) for name, (default, described) in PARAMETERS.items()]
    return exit_code_of("campose_viewer", lambda: run(ViewerNode, viewer_usage(rows), args))


if __name__ == "__main__":
    sys.exit(main())
