"""Why a value cannot be a parameter of the localizer node. Importing this file needs no ROS."""

from __future__ import annotations

import math
import re
from typing import Any

from campose_core.errors import CamposeError
from campose_ros.parameters import TABLE, pose_of_numbers, row_of

# rcl_validate_topic_name's rules: tokens that start with no digit, {node} and {ns} among them.
TOKEN = r"[A-Za-z_{][A-Za-z0-9_{}]*"
CAMERA_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
TOPIC = re.compile(rf"(~/|/)?{TOKEN}(/{TOKEN})*")


def refusal(name: str, value: Any) -> str:
    """Say why `value` cannot be the parameter `name`; empty when it can. Ranges and types are rclpy's part."""
    row = row_of(name)
    if isinstance(value, float) and math.isnan(value):
        return f"{name} must be a number, got nan"
    if row not in TABLE:
        return ""
    choices = TABLE[row].metadata["choices"]
    if choices and value not in choices:
        return f"{name} must be one of {', '.join(choices)}, got {value!r}"
    if name.endswith("_topic") and not TOPIC.fullmatch(value):
        return f"{name} must be the name of a topic, got {value!r}"
    if name.endswith("_frame") and (not value or value.startswith("/")):
        return f"{name} must be the name of a frame, which starts with no slash, got {value!r}"
    if name == "cameras" and not _are_names(value):
        return f"{name} must be names of letters, digits and _, each once; one empty name is the single camera"
    if row in ("base_from_camera", "base_from_imu"):
        try:
            pose_of_numbers(value)
        except CamposeError as error:
            return f"{name} must be x y z qx qy qz qw: {error}"
    return ""


def _are_names(value: Any) -> bool:
    names = list(value)
    return names == [""] or (bool(names) and all(map(CAMERA_NAME.fullmatch, names)) and len({*names}) == len(names))
