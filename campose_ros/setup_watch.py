"""How the node was started, and whether it runs: unknown parameters, a file of another node's, a name or a map that is
there twice, a process that stood still.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticStatus

from campose_ros.diagnostics import WARN, Fault, merged, name_of
from campose_ros.overrides import unknown_overrides
from campose_ros.ros_arguments import unheard_files

if TYPE_CHECKING:
    from rclpy.node import Node

STOOD_STILL_S = 3.0  # between two reports, which come once a second
TOLD_S = 10.0


class SetupWatch:
    """Made when all parameters are declared; `status` is asked for now and then."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._unheard = unheard_files(sys.argv, node.get_fully_qualified_name())
        self._told = ""
        self._reported = time.monotonic()
        self._stood_still, self._ran_again = "", 0.0

    def status(self, other_map: str) -> DiagnosticStatus:
        """Write the line of the diagnostics; what is new in it goes into the log as well. other_map: of Outputs."""
        texts = [*unknown_overrides(self._node), *self._unheard, self._namesake(), other_map, self._pause()]
        status = merged(f"{name_of(self._node)}: setup", [Fault(WARN, text) for text in texts], "as it should be", {})
        if status.level != DiagnosticStatus.OK and status.message != self._told:
            self._node.get_logger().warning(status.message)
        self._told = status.message
        return status

    def _pause(self) -> str:
        """Say that nothing ran for a while: what DDS lost meanwhile is no fault of the network."""
        now = time.monotonic()
        still_s, self._reported = now - self._reported, now
        if still_s > STOOD_STILL_S:
            self._ran_again = now
            self._stood_still = (
                f"this process stood still for {still_s:.0f} s, and what came meanwhile is lost: it was stopped, a "
                "scene was loaded, or others take its processor"
            )
        return self._stood_still if now - self._ran_again < TOLD_S else ""

    def _namesake(self) -> str:
        own = self._node.get_name(), self._node.get_namespace()
        if self._node.get_node_names_and_namespaces().count(own) < 2:
            return ""
        return (
            f"another node is called {self._node.get_fully_qualified_name()} as well: services and parameters reach "
            "either of them. End one, or start it with name:= or namespace:= (ros2 launch), or -r __node:=NAME"
        )
