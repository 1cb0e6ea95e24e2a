"""tf2, where the distribution has it: it does not exist on PyPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from campose_core.errors import CamposeError, LocalizationError, MissingDependency
from campose_core.geometry import Pose
from campose_ros.conversions import pose_of_transform, time_message, transform_stamped

if TYPE_CHECKING:
    from rclpy.node import Node


def _tf2_ros() -> Any:
    try:
        import tf2_ros
    except ImportError as error:
        raise MissingDependency(
            "tf2_ros is not installed (it comes with a ROS distribution, not from PyPI): "
            "leave publish_tf and base_from_camera_tf false, and give base_from_camera"
        ) from error
    return tf2_ros


class Transforms:
    """The broadcaster and the listener of a node.

    Raises:
        MissingDependency: tf2 is asked for and is not there.
    """

    def __init__(self, node: Node, *, broadcast: bool, listen: bool) -> None:
        self._node = node
        self._broadcaster = _tf2_ros().TransformBroadcaster(node) if broadcast else None
        self._buffer = None
        if listen:
            # With `node` the buffer empties itself when simulated time jumps back.
            self._buffer = _tf2_ros().Buffer(node=node)
            self._listener = _tf2_ros().TransformListener(self._buffer, node, spin_thread=False)

    def broadcast(self, parent: str, child: str, stamp_ns: int, parent_from_child: Pose) -> None:
        if self._broadcaster is not None:
            self._broadcaster.sendTransform(transform_stamped(parent, child, stamp_ns, parent_from_child))

    def lookup(self, target: str, source: str, stamp_ns: int) -> Pose:
        """`target_from_source` at the stamp, without waiting.

        Raises:
            LocalizationError: tf does not know it.
        """
        assert self._buffer is not None, "made with listen"
        try:
            return pose_of_transform(self._buffer.lookup_transform(target, source, time_message(stamp_ns)))
        except (_tf2_ros().TransformException, CamposeError) as error:
            raise LocalizationError(f"tf does not know {target} <- {source!r} at the image's stamp: {error}") from error

    def close(self) -> None:
        if self._broadcaster is not None:
            self._node.destroy_publisher(self._broadcaster.pub_tf)
        if self._buffer is not None:
            self._listener.unregister()
            self._node.destroy_service(self._buffer.srv)
