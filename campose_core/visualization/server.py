"""A Foxglove server for a scene or a recording: it takes nothing from its clients but play, pause, speed and seek.

The protocol (foxglove.sdk.v1) keeps no last message for those who come late: what is latched is logged again whenever
someone subscribes to it. The server offers no way to publish, to call services or to set parameters, and web pages of
others do not get as far as it (`gate`). There is one clock for all clients; a viewer that knows no playback control
goes by it, and sees the show in a loop.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from campose_core.errors import CamposeError, UsageError
from campose_core.extras import load_extra
from campose_core.visualization.cdr_channels import CdrChannels
from campose_core.visualization.gate import Gate, hidden_host
from campose_core.visualization.layout import how_to_look
from campose_core.visualization.playback import Playback
from campose_core.visualization.topics import Source

if TYPE_CHECKING:
    from foxglove.websocket import ChannelView, Client, PlaybackControlRequest, PlaybackState, WebSocketServer

log = logging.getLogger(__name__)

# Per client; then the oldest messages are dropped. About 20 frames.
MESSAGE_BACKLOG = 128
POLL_S = 0.05  # how long a late subscriber waits for what is latched, and a spectator for what he asked
LONGEST_PAUSE_S = 2.0
BETWEEN_LOOPS_S = 1.0
LOOK_BACK_NS = 500_000_000  # whoever moves the clock while it stands still sees the messages of so long before


def serve(
    source: Source,
    host: str = "127.0.0.1",
    port: int = 8765,
    stop: threading.Event | None = None,
    layout: Path | None = None,
) -> None:
    """Serve a source until `stop` is set: in a loop at recorded speed, unless a viewer says otherwise.

    `host`: the address to listen on; others than the loopback let everybody in the network look. Port 0: any free one.
    layout: one that was written for the scene, for people to import.

    Raises:
        SceneError: an image of the scene is missing.
        UsageError: no such port.
        CamposeError: the address cannot be listened on (the port is taken).
        MissingDependency: foxglove-sdk is not installed.
    """
    foxglove = load_extra("foxglove", "view")
    context = foxglove.Context()
    channels = CdrChannels(context, source.topics)
    playback = Playback(source.span_ns)
    listener = Listener(playback)
    server = start_server(host, port, source.name, context, listener, clock=True, playback=playback)
    try:
        if host not in ("127.0.0.1", "localhost", "::1"):
            log.warning(f"warning: listening on {host}: everybody who reaches this machine can look")
        log.info(f"serving {source.name} on ws://{host}:{server.port} (Ctrl-C stops)")
        seen_from_here = "127.0.0.1" if host == "0.0.0.0" else host
        for line in how_to_look(f"Open connection, ws://{seen_from_here}:{server.port}", layout):
            log.info(line)
        _Show(server, channels, source, playback, listener, stop or threading.Event()).run()
    finally:
        server.stop()


class Listener:
    """What clients ask for; the server calls it from its own threads."""

    def __init__(self, playback: Playback) -> None:
        self._playback = playback
        self._lock = threading.Lock()
        self._topics: set[str] = set()

    def on_subscribe(self, client: Client, channel: ChannelView) -> None:
        with self._lock:
            self._topics.add(channel.topic)

    def on_unsubscribe(self, client: Client, channel: ChannelView) -> None:
        pass

    def on_playback_control_request(self, request: PlaybackControlRequest) -> PlaybackState:
        from foxglove.websocket import PlaybackCommand

        playing = request.playback_command == PlaybackCommand.Play
        self._playback.control(playing, request.playback_speed, request.seek_time)
        return playback_state(self._playback, did_seek=request.seek_time is not None, answers=request.request_id)

    def take_subscribed(self) -> set[str]:
        """Return topics that someone subscribed to since the last call."""
        with self._lock:
            topics, self._topics = self._topics, set()
        return topics


def playback_state(playback: Playback, did_seek: bool, answers: str | None = None) -> PlaybackState:
    """Describe the playback to viewers; `did_seek` makes them forget what they have drawn."""
    from foxglove.websocket import PlaybackState, PlaybackStatus

    status = PlaybackStatus.Playing if playback.playing else PlaybackStatus.Paused
    return PlaybackState(status, playback.now_ns, playback.speed, did_seek, answers)


def start_server(
    host: str,
    port: int,
    name: str,
    context: Any,
    listener: Any,
    *,
    clock: bool,
    backlog: int = MESSAGE_BACKLOG,
    playback: Playback | None = None,
) -> ViewerServer:
    """Start a server that takes nothing from its clients. `listener` hears of subscriptions, on the server's thread.

    clock: the server will broadcast the time; viewers wait for that then, and go by the wall clock otherwise.
    playback: what `listener` lets clients control.
    backlog: messages that wait for a slow client; the oldest are dropped for newer ones, for that client alone.

    Raises:
        UsageError: no such port.
        CamposeError: the address cannot be listened on (the port is taken).
        MissingDependency: foxglove-sdk is not installed.
    """
    foxglove = load_extra("foxglove", "view")
    if not 0 <= port <= 65535:
        raise UsageError(f"port must be 0 to 65535, got {port}")
    capabilities = [foxglove.Capability.Time] if clock else []
    if playback is not None:
        capabilities.append(foxglove.Capability.PlaybackControl)
    hidden = hidden_host()
    try:
        server = foxglove.start_server(
            name=f"campose: {name}",
            host=hidden,
            port=0,
            capabilities=capabilities,
            playback_time_range=None if playback is None else playback.span_ns,
            server_listener=listener,
            context=context,
            message_backlog_size=backlog,
        )
    except RuntimeError as error:
        reason = str(error).removeprefix("FoxgloveError: ")
        raise CamposeError(f"cannot listen on the loopback network ({reason}): is it up?") from error
    try:
        return ViewerServer(Gate(host, port, (hidden, server.port)), server)
    except OSError as error:
        server.stop()
        raise CamposeError(
            f"cannot listen on {host}:{port} ({error.strerror}): stop the other server, or choose another port or host"
        ) from error


class ViewerServer:
    """A server of foxglove-sdk behind its gate; `port`: where that listens."""

    def __init__(self, gate: Gate, server: WebSocketServer) -> None:
        self._gate, self._server = gate, server
        self.port = gate.port
        self.broadcast_time = server.broadcast_time
        self.broadcast_playback_state = server.broadcast_playback_state

    def stop(self) -> None:
        """Listen no more, and let all clients go."""
        self._gate.stop()
        self._server.stop()


class _Show:
    """Plays the source on the channels, as its playback says."""

    def __init__(
        self,
        server: ViewerServer,
        channels: CdrChannels,
        source: Source,
        playback: Playback,
        listener: Listener,
        stop: threading.Event,
    ) -> None:
        self._server, self._channels, self._source = server, channels, source
        self._playback, self._listener, self._stop = playback, listener, stop

    def run(self) -> None:
        begin_ns = now_ns = self._playback.span_ns[0]
        while not self._stop.is_set():
            # A clock that jumps back makes a viewer forget what it has drawn.
            self._server.broadcast_time(now_ns)
            self._log_latched(set(self._source.topics))
            if self._messages(now_ns) and self._hold(BETWEEN_LOOPS_S):
                now_ns = begin_ns
                self._playback.skip_to(begin_ns)
                self._server.broadcast_playback_state(playback_state(self._playback, did_seek=True))
            else:
                self._stop.wait(POLL_S)  # the answer that lets the viewer forget what it has drawn comes first
                now_ns = self._playback.now_ns

    def _messages(self, now_ns: int) -> bool:
        """From LOOK_BACK_NS before now to the end, each when it is due; False when the clock was moved meanwhile, or
        the server is to stop."""
        for message in self._source.messages(now_ns - LOOK_BACK_NS, self._channels.wanted):
            if not self._wait(message.stamp_ns):
                return False
            if message.stamp_ns > now_ns:
                self._server.broadcast_time(message.stamp_ns)
            self._channels.log([message])
        return True

    def _wait(self, stamp_ns: int) -> bool:
        if self._playback.playing and self._playback.seconds_until(stamp_ns) > LONGEST_PAUSE_S:
            self._playback.skip_to(stamp_ns - round(LONGEST_PAUSE_S * 1e9 * self._playback.speed))
        while True:
            self._greet()
            if self._stop.is_set() or self._playback.take_move():
                return False
            remaining_s = self._playback.seconds_until(stamp_ns)
            if remaining_s <= 0:
                return True
            self._stop.wait(min(remaining_s, POLL_S))

    def _hold(self, seconds: float) -> bool:
        """So long at the end, and as long as it stands still; False when the clock was moved."""
        held_s = 0.0
        while held_s < seconds or not self._playback.playing:
            self._greet()
            if self._stop.wait(POLL_S) or self._playback.take_move():
                return False
            held_s += POLL_S
        return True

    def _greet(self) -> None:
        """Tell who came since the last time how the clock goes, and what is latched on the topics they chose."""
        topics = self._listener.take_subscribed()
        if topics:
            self._server.broadcast_playback_state(playback_state(self._playback, did_seek=False))
            self._log_latched(topics)

    def _log_latched(self, topics: set[str]) -> None:
        now_ns = self._playback.now_ns
        latched = [message for message in self._source.latched(now_ns) if message.topic in topics]
        self._channels.log(message._replace(stamp_ns=now_ns) for message in latched)
