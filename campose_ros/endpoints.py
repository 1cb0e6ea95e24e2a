"""Whose the publishers and subscriptions of a topic are, and what nodes are called."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from campose_core.errors import UsageError

if TYPE_CHECKING:
    from rclpy.node import Node

NAME = re.compile(r"/?[A-Za-z_]\w*(/+[A-Za-z_]\w*)*/?", re.ASCII)
NOT_YET_KNOWN = "_NODE_NAME_UNKNOWN_"  # rmw's word, until discovery has brought the name as well


def full_name(given: str, namespace: str = "/") -> str:
    """Return the full name of the node that somebody calls so, in a namespace unless it starts with a slash.

    Raises:
        UsageError: no node can be called so.
    """
    if not NAME.fullmatch(given):
        raise UsageError(f"the name of a node is made of letters, digits, _ and slashes, got {given!r}")
    whole = given if given.startswith("/") else f"{namespace}/{given}"
    return "/" + "/".join(part for part in whole.split("/") if part)


def node_of(endpoint: Any) -> str:
    """Return the full name of the node that a TopicEndpointInfo is of."""
    return str(endpoint.node_namespace.rstrip("/") + "/" + endpoint.node_name)


def other_publishers(node: Node, topic: str) -> list[str]:
    """Return the full names of all nodes but this one that publish a topic, in order."""
    endpoints = node.get_publishers_info_by_topic(topic)
    names = {node_of(endpoint) for endpoint in endpoints if endpoint.node_name != NOT_YET_KNOWN}
    return sorted(names - {node.get_fully_qualified_name()})
