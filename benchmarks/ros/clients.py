"""Clients of a viewer that look at everything it offers, and throw away what comes; or, slow, that never read it.

    python -m benchmarks.ros.clients PORT COUNT [slow]

Plain sockets once they have subscribed, so that fifty of them cost little. The megabytes they took are printed.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.uri import parse_uri

OFFERS_S = 2.0  # the channels come in several messages


def subscribed(port: int) -> Any:
    """The socket of a client that has subscribed to all channels."""
    protocol = ClientProtocol(parse_uri(f"ws://127.0.0.1:{port}"), subprotocols=["foxglove.sdk.v1"], max_size=None)  # type: ignore[list-item]
    connection = socket.create_connection(("127.0.0.1", port))
    protocol.send_request(protocol.connect())
    connection.sendall(b"".join(protocol.data_to_send()))
    channels: set[int] = set()
    connection.settimeout(OFFERS_S)
    with contextlib.suppress(TimeoutError):
        while True:
            protocol.receive_data(connection.recv(1 << 20))
            for event in protocol.events_received():
                if getattr(event, "opcode", None) is Opcode.TEXT:
                    message = json.loads(event.data)  # type: ignore[union-attr]
                    channels |= {channel["id"] for channel in message.get("channels", [])}
    protocol.send_text(
        json.dumps({"op": "subscribe", "subscriptions": [{"id": i, "channelId": i} for i in channels]}).encode()
    )
    connection.sendall(b"".join(protocol.data_to_send()))
    return connection


def main() -> None:
    os.nice(19)  # real ones are on other machines
    port, count, slow = int(sys.argv[1]), int(sys.argv[2]), "slow" in sys.argv[3:]
    with ThreadPoolExecutor(count) as pool:
        connections = list(pool.map(subscribed, [port] * count))
    print("subscribed", flush=True)
    taken = 0
    try:
        if slow:
            time.sleep(3600)
        selector = selectors.DefaultSelector()
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                taken += len(key.fileobj.recv(1 << 20))  # type: ignore[union-attr]
            time.sleep(0.005)
    except KeyboardInterrupt:
        print(f"took {taken / 1e6:.1f} MB", flush=True)


if __name__ == "__main__":
    main()
