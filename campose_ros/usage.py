"""What --help of the nodes shows."""

from collections.abc import Iterable

from campose_ros.parameters import TABLE
from campose_ros.start_pose import START

LOCALIZER = """usage: campose_localizer --ros-args -p NAME:=VALUE ... --params-file FILE -r FROM:=TO

Camera images in, the robot's pose on the floor plan out. A lifecycle node; it starts by itself unless autostart is
false. At least the scene is given: --ros-args -p scene:=/path/to/scene"""
VIEWER = """usage: campose_viewer --ros-args -p NAME:=VALUE ... --params-file FILE

What a localizer takes in and puts out, shown in Foxglove and Lichtblick: it serves a WebSocket, and changes nothing."""


def localizer_usage() -> str:
    """Return how the localizer is started, and all its parameters."""
    rows = [(name, row.default, row.metadata["description"]) for name, row in TABLE.items()]
    return _usage(LOCALIZER, [*rows, *((name, 0.0, meaning) for name, meaning in START.items())])


def viewer_usage(rows: Iterable[tuple[str, object, str]]) -> str:
    """Return how the viewer is started. rows: name, default and description of its parameters."""
    return _usage(VIEWER, rows)


def _usage(head: str, rows: Iterable[tuple[str, object, str]]) -> str:
    listed = [f"  {name} (default {default!r}): {description}" for name, default, description in rows]
    return "\n".join([head, "", "parameters:", *listed])
