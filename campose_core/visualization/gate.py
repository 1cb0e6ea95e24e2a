"""What stands before a Foxglove server: it lets those through that may look, byte by byte.

The server of foxglove-sdk asks nobody where he comes from, nor can it be told to. So it listens where no web page finds
it, at an address of the loopback network and a port drawn by chance (2^24 addresses, 28000 ports), and the gate listens
where people expect the viewer.
"""

from __future__ import annotations

import logging
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from campose_core.visualization.origins import Handshake, may_look

log = logging.getLogger(__name__)

MAX_CLIENTS = 64  # each takes two threads
MAX_REQUEST = 16384  # bytes of headers
PATIENCE_S = 10.0  # for a request to come whole
CHUNK = 65536
WAITING = 4 * CHUNK  # bytes on their way to a slow client, beside what waits in the server: that drops the oldest
REFUSAL = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    b"pages of this origin may not look: use Foxglove or Lichtblick\n"
)
MAX_TOLD = 20  # origins that are named in the log, each once


def hidden_host() -> str:
    """Draw an address of the loopback network, 127.0.0.0/8."""
    return "127." + ".".join(str(1 + secrets.randbelow(254)) for _ in range(3))


class Gate:
    """Listens on `host` and `port` (0: any free one), and passes to `hidden`, an address and a port.

    Raises:
        OSError: the address cannot be listened on.
    """

    def __init__(self, host: str, port: int, hidden: tuple[str, int]) -> None:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        self._listener = socket.create_server(address[:2], family=family)
        self.port: int = self._listener.getsockname()[1]
        self._hidden = hidden
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._told: set[str] = set()
        self._stopped = False
        threading.Thread(target=self._accept, name="gate", daemon=True).start()

    def stop(self) -> None:
        """Listen no more, and end all connections."""
        with self._lock:
            self._stopped = True
            connections = list(self._open)
        for connection in (self._listener, *connections):
            _end(connection)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # stopped
            with self._lock:
                full = self._stopped or len(self._open) >= 2 * MAX_CLIENTS
            if full:
                client.close()
            else:
                threading.Thread(target=self._serve, args=(client,), name="gate client", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, self._kept(client), suppress(OSError):  # one of the two has gone
            request = _request(client)
            asked = _handshake(request)
            if not may_look(asked):
                self._tell(", ".join(asked.origins))
                client.sendall(REFUSAL)
                return
            with socket.socket() as server, self._kept(server):
                server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WAITING)
                server.connect(self._hidden)
                _join(client, server, request)

    def _tell(self, origin: str) -> None:
        with self._lock:
            news = origin not in self._told and len(self._told) < MAX_TOLD
            if news:
                self._told.add(origin)
        if news:
            log.warning(f"a web page of {origin[:200]} asked to look and may not: only Foxglove's and Lichtblick's may")

    @contextmanager
    def _kept(self, connection: socket.socket) -> Iterator[None]:
        """Hold a connection among those that `stop` ends."""
        with self._lock:
            self._open.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)


def _request(client: socket.socket) -> bytes:
    """Read to the end of the headers, and what came with them.

    Raises:
        OSError: they do not come in time, or are too long, or a line ends otherwise than HTTP's do: what is one header
            here must be one to the server behind.
    """
    client.settimeout(PATIENCE_S)
    request = b""
    while b"\r\n\r\n" not in request:
        news = client.recv(CHUNK)
        request += news
        if not news or len(request) > MAX_REQUEST:
            raise OSError("no request")
    headers = request.partition(b"\r\n\r\n")[0].replace(b"\r\n", b"")
    if b"\n" in headers or b"\r" in headers:
        raise OSError("no request")
    return request


def _handshake(request: bytes) -> Handshake:
    headers = list(_headers(request))
    origins, hosts, agents = (
        [value for name, value in headers if name == wanted] for wanted in ("origin", "host", "user-agent")
    )
    return Handshake(origins, hosts, agents)


def _headers(request: bytes) -> Iterator[tuple[str, str]]:
    for line in request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        yield name.strip().lower(), value.strip()


def _join(client: socket.socket, server: socket.socket, request: bytes) -> None:
    """Pass on what either says until one ends."""
    for one in (client, server):
        one.settimeout(None)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    server.sendall(request)
    back = threading.Thread(target=_pump, args=(server, client), name="gate answers", daemon=True)
    back.start()
    _pump(client, server)
    back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    buffer = memoryview(bytearray(CHUNK))
    with suppress(OSError):
        while count := source.recv_into(buffer):
            sink.sendall(buffer[:count])
    _end(source)
    _end(sink)


def _end(connection: socket.socket) -> None:
    """Let whoever waits on it, in any thread, go on."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
