"""Whose the publishers and subscriptions of a topic are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rclpy.node import Node

NOT_YET_KNOWN = "_NODE_NAME_UNKNOWN_"  # rmw's word, until discovery has brought the name as well


def node_of(endpoint: Any) -> str:
    """Return the full name of the node that a TopicEndpointInfo is of."""
    return str(endpoint.node_namespace.rstrip("/") + "/" + endpoint.node_name)


def other_publishers(node: Node, topic: str) -> list[str]:
    """Return the full names of all nodes but this one that publish a topic, in order."""
    endpoints = node.get_publishers_info_by_topic(topic)
    names = {node_of(endpoint) for endpoint in endpoints if endpoint.node_name != NOT_YET_KNOWN}
    return sorted(names - {node.get_fully_qualified_name()})
