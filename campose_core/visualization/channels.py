"""The topics a viewer sees, and what is logged on them: the same calls feed a live server and an MCAP file.

A foxglove context connects channels to sinks. Whoever makes the context (`server.py`, `mcap.py`) attaches its sink.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.camera import Camera
from campose_core.errors import UsageError
from campose_core.floor import FloorMap
from campose_core.geometry import Array, Pose
from campose_core.trajectory import Trajectory

if TYPE_CHECKING:
    import foxglove

MAP, LANDMARKS, LOG = "/map", "/landmarks", "/log"
TRANSFORMS, IMAGE, CALIBRATION, STATUS = "/tf", "/camera/image", "/camera/calibration", "/status"

# Topic -> schema, of everything config/foxglove_layout.json may show. Further estimates come beside these by name.
TOPICS = {
    MAP: "foxglove.Grid",
    LANDMARKS: "foxglove.PointCloud",
    "/path/reference": "foxglove.SceneUpdate",
    "/path/raw": "foxglove.SceneUpdate",
    "/path/snapped": "foxglove.SceneUpdate",
    "/pose": "foxglove.PoseInFrame",
    "/pose_raw": "foxglove.PoseInFrame",
    "/error/raw": "campose.PoseError",
    "/error/snapped": "campose.PoseError",
    TRANSFORMS: "foxglove.FrameTransform",
    IMAGE: "foxglove.CompressedImage",
    CALIBRATION: "foxglove.CameraCalibration",
    STATUS: "campose.Status",
    LOG: "foxglove.Log",
}
JSON_SCHEMAS: dict[str, dict[str, Any]] = {
    "campose.PoseError": {
        "title": "campose.PoseError",
        "type": "object",
        "properties": {"position_m": {"type": "number"}, "rotation_deg": {"type": "number"}},
    },
    "campose.Status": {
        "title": "campose.Status",
        "type": "object",
        "properties": {
            "image": {"type": "string"},
            "state": {"type": "string"},
            "inliers": {"type": "integer"},
            "latency_ms": {"type": "number"},
        },
    },
}
PATH_COLORS = {"reference": "#2ca02c", "raw": "#ff7f0e", "snapped": "#1f77b4"}
OTHER_COLOR = "#9467bd"


def path_topic(name: str) -> str:
    return f"/path/{_checked(name)}"


def pose_topic(name: str) -> str:
    """The node's own names for what it publishes; `/pose/NAME` for anything else."""
    return {"snapped": "/pose", "raw": "/pose_raw"}.get(name) or f"/pose/{_checked(name)}"


def error_topic(name: str) -> str:
    return f"/error/{_checked(name)}"


def _checked(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise UsageError(f"{name!r} cannot be part of a topic: use letters, digits, '_', '.' and '-'")
    return name


class Landmarks(NamedTuple):
    """xyz (N, 3) metres in the map frame, rgb (N, 3) uint8."""

    xyz: Array
    rgb: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Still:
    """What does not change while time goes on. `walkable` (rows, cols) bool marks cells of `floor`."""

    floor: FloorMap | None = None
    walkable: NDArray[np.bool_] | None = None
    landmarks: Landmarks | None = None
    paths: Mapping[str, Sequence[Trajectory]] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Moment:
    """What is known at one stamp.

    jpeg: the picture, seen by `camera` from the optical frame `camera_frame`, which stood at `map_from_cam`.
    poses: pose by estimate name. errors: (metres, radians) against the reference, by estimate name.
    status: fields of campose.Status.
    """

    stamp_ns: int
    camera_frame: str = "camera_optical"
    jpeg: bytes | None = None
    camera: Camera | None = None
    map_from_cam: Pose | None = None
    poses: Mapping[str, Pose] = field(default_factory=dict)
    errors: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    status: Mapping[str, Any] = field(default_factory=dict)


class Channels:
    """One channel for each of TOPICS, open from the start so that a viewer can subscribe before the first message."""

    def __init__(self, context: foxglove.Context) -> None:
        self._context = context
        self._channels = {topic: self._open(topic, schema) for topic, schema in TOPICS.items()}

    def _open(self, topic: str, schema: str) -> Any:
        import foxglove
        import foxglove.channels

        if schema in JSON_SCHEMAS:
            return foxglove.Channel(topic, schema=JSON_SCHEMAS[schema], context=self._context)
        return getattr(foxglove.channels, schema.removeprefix("foxglove.") + "Channel")(topic, context=self._context)

    def _log(self, topic: str, message: Any, stamp_ns: int, like: str = "") -> None:
        """`like` names the topic whose schema a topic outside TOPICS has."""
        if topic not in self._channels:
            self._channels[topic] = self._open(topic, TOPICS[like])
        self._channels[topic].log(message, log_time=stamp_ns)

    def log_still(self, still: Still, stamp_ns: int, topics: Collection[str] | None = None) -> None:
        """Log what does not change, on all its topics or on those of `topics`."""
        from campose_core.visualization import messages

        things: dict[str, Callable[[], list[Any]]] = {
            LOG: lambda: [messages.log_line(note, stamp_ns) for note in still.notes]
        }
        if still.floor is not None:
            floor = still.floor
            things[MAP] = lambda: [messages.floor_grid(floor, still.walkable, stamp_ns)]
        if still.landmarks is not None:
            landmarks = still.landmarks
            things[LANDMARKS] = lambda: [messages.point_cloud(landmarks.xyz, landmarks.rgb, stamp_ns)]
        for name, path in still.paths.items():
            things[path_topic(name)] = lambda name=name, path=path: [  # type: ignore[misc]
                messages.path_lines(path, PATH_COLORS.get(name, OTHER_COLOR), stamp_ns)
            ]
        for topic in things if topics is None else [topic for topic in things if topic in topics]:
            for message in things[topic]():
                self._log(topic, message, stamp_ns, like="/path/raw")

    def log_moment(self, moment: Moment) -> None:
        """Log everything the moment knows; what it does not know stays as it was logged last."""
        from campose_core.visualization import messages

        stamp_ns, frame = moment.stamp_ns, moment.camera_frame
        if moment.map_from_cam is not None:
            self._log(TRANSFORMS, messages.transform(moment.map_from_cam, frame, stamp_ns), stamp_ns)
        if moment.camera is not None:
            self._log(CALIBRATION, messages.calibration(moment.camera, frame, stamp_ns), stamp_ns)
        if moment.jpeg is not None:
            self._log(IMAGE, messages.jpeg_image(moment.jpeg, frame, stamp_ns), stamp_ns)
        for name, pose in moment.poses.items():
            self._log(pose_topic(name), messages.pose_in_map(pose, stamp_ns), stamp_ns, like="/pose")
        for name, (metres, radians) in moment.errors.items():
            error = {"position_m": float(metres), "rotation_deg": float(np.degrees(radians))}
            self._log(error_topic(name), error, stamp_ns, like="/error/raw")
        if moment.status:
            self._log(STATUS, dict(moment.status), stamp_ns)
