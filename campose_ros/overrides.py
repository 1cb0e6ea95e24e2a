"""The values of parameters, at the start before they are declared and later on: made to fit, checked, and known."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from rclpy.parameter import Parameter

from campose_core.errors import LocalizationError
from campose_core.yaml_files import parse_yaml
from campose_ros.declared_parameters import plain
from campose_ros.parameter_refusal import refusal
from campose_ros.parameters import TABLE, row_of
from campose_ros.start_pose import START

if TYPE_CHECKING:
    from rclpy.node import Node

KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", tuple: "a list"}
NUMBERS = "a list of numbers, as [0.2, 0.0, 0.5, 0.0, 0.0, 0.0, 1.0]"


def fit_overrides(node: Node) -> None:
    """Turn whole numbers into those with a point where a parameter is one, alone and in lists.

    `-p max_speed_mps:=2` is integer for ROS, and refused. A launch file in XML hands on a list of mixed numbers as a
    text alone.

    Raises:
        LocalizationError: a value of another type, or one that the parameter cannot have.
    """
    overrides = node._parameter_overrides
    for name, given in list(overrides.items()):
        default = _default(name)
        if default is None:
            continue
        value = _fitted(default, given.value)
        if value is None:
            kind = NUMBERS if _holds_numbers(default) else KINDS[type(default)]
            raise LocalizationError(f"{name} must be {kind}, got {plain(given.value)!r}")
        if reason := refusal(name, value) or _out_of_range(name, value):
            raise LocalizationError(reason)
        overrides[name] = Parameter(name, value=value)


def fit_changes(parameters: list[Parameter]) -> list[Parameter]:
    """Do the same with what is set while the node runs, as by `ros2 param set NODE max_speed_mps 1`; what does not fit
    is left to be refused.
    """
    return [_fitted_change(parameter) for parameter in parameters]


def _fitted_change(parameter: Parameter) -> Parameter:
    default, value = _default(parameter.name), plain(parameter.value)
    fitted = None if default is None or isinstance(value, str) else _fitted(default, value)
    return parameter if fitted is None else Parameter(parameter.name, value=fitted)


def _default(name: str) -> Any:
    row = row_of(name)
    return 0.0 if name in START else TABLE[row].default if row in TABLE else None


def _fitted(default: Any, value: Any) -> Any:
    """Return the value as what the default is; None where it is something else."""
    if _holds_numbers(default):
        is_text = isinstance(value, str) and value.startswith("[")
        items = parse_yaml(value.encode("utf-8", "surrogateescape"), value, LocalizationError) if is_text else value
        items = None if isinstance(items, (str, bytes, int, float, type(None))) else list(items)
        are_numbers = items and all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in items)
        return [float(item) for item in items or ()] if are_numbers else None
    if isinstance(default, tuple):
        return list(value) if isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value) else None
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value if type(value) is type(default) else None


def _out_of_range(name: str, value: Any) -> str:
    row = row_of(name)
    bounds = TABLE[row].metadata["between"] if row in TABLE else None
    if bounds is None or bounds[0] <= value <= bounds[1]:
        return ""
    return f"{name} must be {bounds[0]:g} to {bounds[1]:g}, got {value:g}"


def _holds_numbers(default: Any) -> bool:
    return isinstance(default, tuple) and all(isinstance(item, float) for item in default)


def unknown_overrides(node: Node) -> list[str]:
    """Tell of each value that no parameter takes: mostly its name is misspelt."""
    return [_unknown(node, name) for name in node._parameter_overrides if not node.has_parameter(name)]


def _unknown(node: Node, name: str) -> str:
    camera, _, _ = name.rpartition(".")
    if camera and row_of(name) != name:
        return f"{name} is not used: {camera!r} is not in the parameter `cameras`"
    near = difflib.get_close_matches(name, list(node._parameters), n=1)
    return f"there is no parameter {name}" + (f": do you mean {near[0]}?" if near else "")
