"""The table of parameters on a node: declared with their ranges, and read.

Importing this file needs no ROS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from campose_ros.parameters import TABLE, LocalizerParameters, row_of

if TYPE_CHECKING:
    from rcl_interfaces.msg import ParameterDescriptor
    from rclpy.node import Node


def is_fixed(name: str) -> bool:
    """Tell whether the value is read when the node is configured, and holds until cleanup."""
    return row_of(name) in TABLE and not TABLE[row_of(name)].metadata["live"]


def declare(node: Node) -> None:
    """Declare the table on a node. Each description ends with when a change of the value counts.

    Raises:
        rclpy.exceptions.InvalidParameterTypeException, InvalidParameterValueException: a value given on the command
            line or in a file has the wrong type, or is out of range.
    """
    defaults = LocalizerParameters()
    for name in TABLE:
        default = getattr(defaults, name)
        node.declare_parameter(name, list(default) if isinstance(default, tuple) else default, descriptor(name))


def read(node: Node) -> LocalizerParameters:
    """Return the present values of the table."""
    present = {name: value_of(node, name) for name in TABLE}
    fixed: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in present.items()
    }
    return LocalizerParameters(**fixed)


def value_of(node: Node, name: str) -> Any:
    """Return the present value of a parameter, an array as a list."""
    return plain(node.get_parameter(name).value)


def plain(value: Any) -> Any:
    """Return a value as Python writes it: the arrays of ROS as lists."""
    return value if value is None or isinstance(value, (str, bool, int, float)) else list(value)


def descriptor(name: str) -> ParameterDescriptor:
    """Make the descriptor of a row of the table."""
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

    metadata = TABLE[name].metadata
    when = "may change while the node runs" if metadata["live"] else "read at configure"
    description = metadata["description"] if metadata["read_only"] else f"{metadata['description']} [{when}]"
    descriptor = ParameterDescriptor(description=description, read_only=metadata["read_only"])
    if metadata["choices"]:
        descriptor.additional_constraints = f"one of: {', '.join(metadata['choices'])}"
    if metadata["between"]:
        low, high = metadata["between"]
        if isinstance(TABLE[name].default, int):
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=0)]
        else:
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high, step=0.0)]
    return descriptor
