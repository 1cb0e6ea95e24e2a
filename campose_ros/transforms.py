"""tf without tf2_ros: /tf is published and listened to as tf2 does, and looked up as campose_core does in bags.

tf2_ros is C++ and comes with a distribution alone; the message package tf2_msgs can be built on the wheels as well.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, QoSProfile

from campose_core.errors import MissingDependency
from campose_core.geometry import Pose
from campose_core.session.heard_transforms import HeardTransforms
from campose_core.session.message_reading import frame_name
from campose_ros.conversions import transform_stamped
from campose_ros.refusal_log import RefusalLog

if TYPE_CHECKING:
    from rclpy.node import Node

# tf2's own qualities of service, in both directions.
MOVING = QoSProfile(depth=100)
STATIC = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def tf_message() -> Any:
    """Return the class tf2_msgs.msg.TFMessage.

    Raises:
        MissingDependency: the package is not there.
    """
    try:
        return importlib.import_module("tf2_msgs.msg").TFMessage
    except ImportError as error:
        raise MissingDependency(
            "publish_tf and base_from_camera_tf need tf2_msgs, which is not installed: "
            "apt install ros-$ROS_DISTRO-tf2-msgs, or with the wheels of PyPI: python -m campose_ros.build_tf2_msgs"
        ) from error


class Transforms:
    """The broadcaster and the listener of a node; `heard`: what came on /tf and /tf_static.

    Raises:
        MissingDependency: tf is asked for and tf2_msgs is not there.
    """

    def __init__(self, node: Node, *, broadcast: bool, listen: bool) -> None:
        self._node = node
        self.heard = HeardTransforms(RefusalLog(node))
        self._publisher = node.create_publisher(tf_message(), "/tf", MOVING) if broadcast else None
        self._subscriptions = []
        self._jumps = None
        if broadcast or listen:
            static = node.create_subscription(tf_message(), "/tf_static", self.heard.take_static, STATIC)
            self._subscriptions.append(static)
        if listen:
            back = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=False)
            self._jumps = node.get_clock().create_jump_callback(
                back, post_callback=lambda _: self.heard.forget_moving()
            )
            self._subscriptions.append(node.create_subscription(tf_message(), "/tf", self.heard.take_moving, MOVING))

    def broadcast(self, parent: str, child: str, stamp_ns: int, parent_from_child: Pose) -> None:
        """Publish one link on /tf, where the node is to; else do nothing."""
        if self._publisher is not None:
            transform = transform_stamped(parent, child, stamp_ns, parent_from_child)
            self._publisher.publish(tf_message()(transforms=[transform]))

    def broadcast_camera(self, base: str, camera: str, stamp_ns: int, base_from_cam: Pose) -> None:
        """Publish where a camera sits, unless /tf_static says so: a frame has one parent (REP-105)."""
        camera = frame_name(camera)
        if camera and not self.heard.is_static(camera):
            self.broadcast(base, camera, stamp_ns, base_from_cam)

    def close(self) -> None:
        """End subscriptions and publisher; what was heard stays."""
        if self._jumps is not None:
            self._jumps.unregister()
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)
