"""How the node was started: parameters that it does not have, and a name that another node has as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticStatus

from campose_ros.diagnostics import WARN, Fault, merged, name_of
from campose_ros.overrides import unknown_overrides

if TYPE_CHECKING:
    from rclpy.node import Node


class SetupWatch:
    """Made when all parameters are declared; `status` is asked for now and then."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._told = ""

    def status(self) -> DiagnosticStatus:
        """Write the line of the diagnostics; what is new in it goes into the log as well."""
        texts = [*unknown_overrides(self._node), self._namesake()]
        status = merged(f"{name_of(self._node)}: setup", [Fault(WARN, text) for text in texts], "as it should be", {})
        if status.level != DiagnosticStatus.OK and status.message != self._told:
            self._node.get_logger().warning(status.message)
        self._told = status.message
        return status

    def _namesake(self) -> str:
        own = self._node.get_name(), self._node.get_namespace()
        if self._node.get_node_names_and_namespaces().count(own) < 2:
            return ""
        return (
            f"another node is called {self._node.get_fully_qualified_name()} as well: services and parameters reach "
            "either of them. End one, or start it with name:= or namespace:= (ros2 launch), or -r __node:=NAME"
        )
