"""Where to start, as AMCL is told: the parameters set_initial_pose and initial_pose.*, read at each activation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.errors import LocalizationError
from campose_core.geometry import Pose

if TYPE_CHECKING:
    from rclpy.node import Node

START = {
    "initial_pose.x": "Metres along the x axis of map_frame.",
    "initial_pose.y": "Metres along its y axis.",
    "initial_pose.z": "Metres above the floor map.",
    "initial_pose.yaw": "Heading in radians, about its z axis.",
}


def declare_start(node: Node) -> None:
    """Declare initial_pose.x, .y, .z and .yaw on a node."""
    from rcl_interfaces.msg import ParameterDescriptor

    for name, meaning in START.items():
        description = f"With set_initial_pose, of the base: {meaning} [read at activate]"
        node.declare_parameter(name, 0.0, ParameterDescriptor(description=description))


def read_start(node: Node) -> Pose | None:
    """Return map_from_base to start near, None without set_initial_pose.

    Raises:
        LocalizationError: a number that is none.
    """
    if not node.get_parameter("set_initial_pose").value:
        return None
    numbers = [float(node.get_parameter(name).value) for name in START]
    for name, number in zip(START, numbers, strict=True):
        if not math.isfinite(number):
            raise LocalizationError(f"{name} must be a finite number, got {number}")
    return Pose(Rotation.from_euler("z", numbers[3]), np.array(numbers[:3]))
