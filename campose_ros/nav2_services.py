"""The services by which Nav2, RViz and behaviour trees tell a localizer to start over: AMCL's names and types."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from std_srvs.srv import Empty

if TYPE_CHECKING:
    from rclpy.node import Node


def offer_nav2_services(node: Node, start_over: Callable[[], object], start_at: Callable[[Any], object]) -> None:
    """Offer `reinitialize_global_localization`, and `set_initial_pose` where nav2_msgs is installed.

    Both answer with nothing, as AMCL's do: what came of it is in the log. start_at takes a PoseWithCovarianceStamped.
    """

    def on_reinitialize(request: Empty.Request, response: Empty.Response) -> Empty.Response:
        start_over()
        return response

    node.create_service(Empty, "reinitialize_global_localization", on_reinitialize)
    try:
        set_initial_pose = importlib.import_module("nav2_msgs.srv").SetInitialPose
    except ImportError:
        return

    def on_initial_pose(request: Any, response: Any) -> Any:
        start_at(request.pose)
        return response

    node.create_service(set_initial_pose, "set_initial_pose", on_initial_pose)
