"""Whose web pages may read from a viewer: a browser says in `Origin` which page asks (RFC 6455, section 10.2).

Any page may open a WebSocket to a port of the machine that it is shown on, and no rule of the browser keeps it from
reading the answers; the server has to. Programs that are no browser send no origin.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

FOXGLOVE = "foxglove.dev"
LICHTBLICK_PORT = 8080  # where its container and its development server are, on the machine of the browser
DESKTOP_SCHEMES = ("file", "foxglove")


class Handshake(NamedTuple):
    """The headers that matter of the request that opens a WebSocket: each as often as it was sent."""

    origins: Sequence[str]
    hosts: Sequence[str]
    agents: Sequence[str]


def may_look(asked: Handshake) -> bool:
    """Tell whether who asks is no web page, or a page of Foxglove's or Lichtblick's."""
    if not asked.origins:
        return True
    try:
        (origin,) = map(urlsplit, asked.origins)
        port = origin.port
    except ValueError:
        return False
    name = origin.hostname or ""
    if origin.scheme in DESKTOP_SCHEMES:
        # Of a desktop application. A file that somebody opened in a browser says `file://` as well.
        return any("Electron/" in agent for agent in asked.agents)
    if origin.scheme == "https" and port is None:
        return name.endswith(f".{FOXGLOVE}")
    return origin.scheme == "http" and port == LICHTBLICK_PORT and _is_here(name, asked.hosts)


def _is_here(name: str, hosts: Sequence[str]) -> bool:
    """Whether a page comes from the machine that serves: by number, since a name points where its owner wants."""
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or [name] == [_hostname(host) for host in hosts]


def _hostname(host: str) -> str | None:
    try:
        return SplitResult("", host, "", "", "").hostname
    except ValueError:
        return None
