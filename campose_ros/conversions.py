"""Between ROS messages and the nouns of campose_core. Nothing here keeps state."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from functools import cache, partial
from importlib import import_module
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import KeyValue
from geometry_msgs.msg import Point, Quaternion, TransformStamped, Vector3
from geometry_msgs.msg import Pose as PoseMessage
from numpy.typing import NDArray

from campose_core.errors import GeometryError
from campose_core.geometry import Pose
from campose_core.ros_messages import RosMessages, pose_of_parts
from campose_core.visualization.localization_status import localization_status


def stamp_ns_of(stamp: Time) -> int:
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


@cache
def message_class(msgtype: str) -> Any:
    """The class of a type named as in a bag or the graph: package/msg/Name.

    Raises:
        ImportError, AttributeError: its package is not installed, or knows no such message.
    """
    package, _, name = msgtype.split("/")
    return getattr(import_module(f"{package}.msg"), name)


def _array(values: NDArray[Any]) -> Any:
    """What rclpy takes at once; an ndarray it would check number by number."""
    message_array = array(values.dtype.char)
    message_array.frombytes(memoryview(values).cast("B") if values.size else b"")
    return message_array


MESSAGES = RosMessages(message_class, _array)
time_message, header, pose_message = MESSAGES.time, MESSAGES.header, MESSAGES.pose
pose_stamped, pose_with_covariance = MESSAGES.pose_stamped, MESSAGES.pose_with_covariance
transform_stamped = MESSAGES.transform_stamped
occupancy_grid, status_message = MESSAGES.occupancy_grid, partial(localization_status, MESSAGES)


def pose_of(message: PoseMessage) -> Pose:
    """
    Raises:
        GeometryError: the message holds no valid pose.
    """
    return _pose(message.position, message.orientation)


def _pose(position: Point | Vector3, rotation: Quaternion) -> Pose:
    quat_xyzw = (rotation.x, rotation.y, rotation.z, rotation.w)
    if abs(np.linalg.norm(quat_xyzw) - 1.0) > 0.01:  # rounding is made good, anything else is not a rotation
        raise GeometryError(f"a quaternion (x, y, z, w) must be of length 1, got {quat_xyzw!r}")
    return pose_of_parts(position, rotation)


def pose_of_transform(message: TransformStamped) -> Pose:
    """`parent_from_child`.

    Raises:
        GeometryError: the message holds no valid transform.
    """
    return _pose(message.transform.translation, message.transform.rotation)


def key_values(values: Mapping[str, object]) -> list[KeyValue]:
    return [KeyValue(key=key, value=str(value)) for key, value in values.items()]
