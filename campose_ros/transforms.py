"""tf without tf2_ros: /tf is published and listened to as tf2 does, and looked up in campose_core's own tree.

tf2_ros is C++ and comes with a distribution alone; the message package tf2_msgs can be built on the wheels as well.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, QoSProfile

from campose_core.errors import GeometryError, MissingDependency, TransformError
from campose_core.geometry import Pose
from campose_core.transforms import KEEP_S, WAIT_S, TransformTree
from campose_ros.conversions import pose_of_transform, stamp_ns_of, transform_stamped

if TYPE_CHECKING:
    from rclpy.node import Node

# tf2's own qualities of service, in both directions.
MOVING = QoSProfile(depth=100)
STATIC = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def tf_message() -> Any:
    """The class tf2_msgs.msg.TFMessage.

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
    """The broadcaster and the listener of a node.

    Raises:
        MissingDependency: tf is asked for and tf2_msgs is not there.
    """

    def __init__(self, node: Node, *, broadcast: bool, listen: bool) -> None:
        self._node = node
        self._tree = TransformTree(KEEP_S)
        self._publisher = node.create_publisher(tf_message(), "/tf", MOVING) if broadcast else None
        self._subscriptions = []
        self._jumps = None
        if listen:
            back = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=False)
            self._jumps = node.get_clock().create_jump_callback(
                back, post_callback=lambda _: self._tree.forget_moving()
            )
            self._subscriptions = [
                node.create_subscription(tf_message(), "/tf", self._on_moving, MOVING),
                node.create_subscription(tf_message(), "/tf_static", self._on_static, STATIC),
            ]

    def broadcast(self, parent: str, child: str, stamp_ns: int, parent_from_child: Pose) -> None:
        if self._publisher is not None:
            transform = transform_stamped(parent, child, stamp_ns, parent_from_child)
            self._publisher.publish(tf_message()(transforms=[transform]))

    def lookup(self, target: str, source: str, stamp_ns: int) -> Pose:
        """`target_from_source` at the stamp; waits a moment for a moving link that is not there yet.

        Raises:
            TransformError: which link is missing, or by how much the stamp is too new or too old.
        """
        assert self._subscriptions, "made with listen"
        try:
            return self._tree.lookup(target, source, stamp_ns, WAIT_S)
        except TransformError as error:
            raise TransformError(f"tf does not say where {source!r} sits on {target!r}: {error}") from error

    def _on_moving(self, message: Any) -> None:
        for link in message.transforms:
            stamp_ns = stamp_ns_of(link.header.stamp)
            if stamp_ns == 0:
                self._refuse(link, "its stamp is zero")
            elif (pose := self._pose(link)) is not None:
                self._tree.add(link.header.frame_id.lstrip("/"), link.child_frame_id.lstrip("/"), stamp_ns, pose)

    def _on_static(self, message: Any) -> None:
        for link in message.transforms:
            if (pose := self._pose(link)) is not None:
                self._tree.add_static(link.header.frame_id.lstrip("/"), link.child_frame_id.lstrip("/"), pose)

    def _pose(self, link: Any) -> Pose | None:
        try:
            return pose_of_transform(link)
        except GeometryError as error:
            self._refuse(link, str(error))
        return None

    def _refuse(self, link: Any, reason: str) -> None:
        self._node.get_logger().warning(
            f"tf {link.header.frame_id} -> {link.child_frame_id} refused: {reason}", throttle_duration_sec=5.0
        )

    def close(self) -> None:
        if self._jumps is not None:
            self._jumps.unregister()
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)
