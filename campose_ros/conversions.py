"""ROS messages of rclpy, and parts of theirs, from the nouns of campose_core. Nothing here keeps state."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from functools import cache, partial
from importlib import import_module
from typing import Any

from diagnostic_msgs.msg import KeyValue
from numpy.typing import NDArray

from campose_core.bag.ros_messages import RosMessages
from campose_core.visualization.localization_status import localization_status


@cache
def message_class(msgtype: str) -> Any:
    """Return the class of a type named as in a bag or the graph: package/msg/Name.

    Raises:
        ImportError, AttributeError: its package is not installed, or knows no such message.
    """
    package, _, name = msgtype.split("/")
    return getattr(import_module(f"{package}.msg"), name)


def _array(values: NDArray[Any]) -> Any:
    """Return what rclpy takes at once; an ndarray it would check number by number."""
    message_array = array(values.dtype.char)
    message_array.frombytes(values.data.cast("B") if values.size else b"")
    return message_array


MESSAGES = RosMessages(message_class, _array)
time_message, header, pose_message = MESSAGES.time, MESSAGES.header, MESSAGES.pose
pose_stamped, pose_with_covariance = MESSAGES.pose_stamped, MESSAGES.pose_with_covariance
transform_stamped = MESSAGES.transform_stamped
occupancy_grid, status_message = MESSAGES.occupancy_grid, partial(localization_status, MESSAGES)


def key_values(values: Mapping[str, object]) -> list[KeyValue]:
    """Turn values into what a DiagnosticStatus holds: their texts."""
    return [KeyValue(key=key, value=str(value)) for key, value in values.items()]
