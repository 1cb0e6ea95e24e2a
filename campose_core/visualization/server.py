"""A live Foxglove server for a scene: it shows, and takes nothing from its clients.

The protocol (foxglove.sdk.v1) keeps no last message for those who come late, and any web page may connect to a local
port. So what stands still is logged again whenever someone subscribes to it, and the server offers no way to publish,
to call services or to set parameters. It only broadcasts the recording's clock, which viewers need to play in a loop.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from campose_core.errors import CamposeError, SceneError, UsageError
from campose_core.extras import load_extra
from campose_core.progress import say
from campose_core.scene import Scene
from campose_core.visualization.channels import Channels, Still
from campose_core.visualization.layout import how_to_look
from campose_core.visualization.scene_view import moments_of, still_of

if TYPE_CHECKING:
    from foxglove.websocket import ChannelView, Client, WebSocketServer

# Per client; then the oldest messages are dropped. About 20 frames.
MESSAGE_BACKLOG = 128
# How long a late subscriber waits for what stands still.
POLL_S = 0.05
LONGEST_PAUSE_S = 2.0
BETWEEN_LOOPS_S = 1.0


def serve(scene: Scene, host: str = "127.0.0.1", port: int = 8765, stop: threading.Event | None = None) -> None:
    """Serve a scene until `stop` is set: its frames in a loop at recorded speed.

    `host`: the address to listen on; others than the loopback let everybody in the network look. Port 0: any free one.

    Raises:
        SceneError, FloorError: the scene holds no frames, or is damaged.
        UsageError: no such port.
        CamposeError: the address cannot be listened on (the port is taken).
        MissingDependency: foxglove-sdk is not installed.
    """
    foxglove = load_extra("foxglove", "view")
    if not scene.frames:
        raise SceneError(f"{scene.path} holds no frames: add a recording with `campose extract`")
    still = still_of(scene)
    context = foxglove.Context()
    channels = Channels(context)
    subscriptions = Subscriptions()
    server = start_server(host, port, scene.name, context, subscriptions, clock=True)
    try:
        if host not in ("127.0.0.1", "localhost", "::1"):
            say(f"warning: listening on {host}: everybody who reaches this machine can see the scene")
        say(f"serving {scene.path} on ws://{host}:{server.port} (Ctrl-C stops)")
        seen_from_here = "127.0.0.1" if host == "0.0.0.0" else host
        say(how_to_look(f"Open connection, ws://{seen_from_here}:{server.port}"))
        _play(server, channels, scene, still, subscriptions, stop or threading.Event())
    finally:
        server.stop()


class Subscriptions:
    """Topics that someone subscribed to since they were last taken; the server calls it from its own thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._topics: set[str] = set()

    def on_subscribe(self, client: Client, channel: ChannelView) -> None:
        with self._lock:
            self._topics.add(channel.topic)

    def on_unsubscribe(self, client: Client, channel: ChannelView) -> None:
        pass

    def take(self) -> set[str]:
        with self._lock:
            topics, self._topics = self._topics, set()
        return topics


def start_server(
    host: str, port: int, name: str, context: Any, listener: Any, *, clock: bool, backlog: int = MESSAGE_BACKLOG
) -> WebSocketServer:
    """A server that takes nothing from its clients. `listener` hears of subscriptions, on the server's thread.

    clock: the server will broadcast the time; viewers wait for that then, and go by the wall clock otherwise.
    backlog: messages that wait for a slow client; the oldest are dropped for newer ones, for that client alone.

    Raises:
        UsageError: no such port.
        CamposeError: the address cannot be listened on (the port is taken).
        MissingDependency: foxglove-sdk is not installed.
    """
    foxglove = load_extra("foxglove", "view")
    if not 0 <= port <= 65535:
        raise UsageError(f"port must be 0 to 65535, got {port}")
    try:
        return foxglove.start_server(
            name=f"campose: {name}",
            host=host,
            port=port,
            capabilities=[foxglove.Capability.Time] if clock else [],
            server_listener=listener,
            context=context,
            message_backlog_size=backlog,
        )
    except RuntimeError as error:
        reason = str(error).removeprefix("FoxgloveError: ")
        raise CamposeError(
            f"cannot listen on {host}:{port} ({reason}): stop the other server, or choose another port or host"
        ) from error


def _play(
    server: WebSocketServer,
    channels: Channels,
    scene: Scene,
    still: Still,
    subscriptions: Subscriptions,
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        shown_ns: int | None = None
        due = time.monotonic()
        for moment in moments_of(scene):
            if shown_ns is None:
                # A clock that jumps back makes a viewer forget what it has drawn.
                server.broadcast_time(moment.stamp_ns)
                channels.log_still(still, moment.stamp_ns)
            else:
                due += min((moment.stamp_ns - shown_ns) * 1e-9, LONGEST_PAUSE_S)
                _wait(due, channels, still, shown_ns, subscriptions, stop)
            if stop.is_set():
                return
            server.broadcast_time(moment.stamp_ns)
            channels.log_moment(moment)
            shown_ns = moment.stamp_ns
        if shown_ns is not None:
            _wait(due + BETWEEN_LOOPS_S, channels, still, shown_ns, subscriptions, stop)


def _wait(
    due: float, channels: Channels, still: Still, now_ns: int, subscriptions: Subscriptions, stop: threading.Event
) -> None:
    """Until `due` (monotonic seconds), logging for late subscribers what stands still."""
    while True:
        channels.log_still(still, now_ns, subscriptions.take())
        remaining = due - time.monotonic()
        if remaining <= 0 or stop.wait(min(remaining, POLL_S)):
            return
