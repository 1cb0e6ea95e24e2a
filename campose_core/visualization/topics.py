"""What a viewer can be shown: messages on topics, each a ROS 2 message in CDR, from a scene or from a bag.

The names are the node's own, so that one layout serves the node, a scene, and what `campose replay` writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Protocol

MAP, WALKABLE, LANDMARKS = "/map", "/localizer/walkable", "/localizer/landmarks"
POSE, POSE_RAW, COVARIANCE = "/localizer/pose", "/localizer/pose_raw", "/localizer/pose_with_covariance"
PATH, TRAIL, MATCHES = "/localizer/path", "/localizer/trail", "/localizer/matches/compressed"
STATUS, DIAGNOSTICS = "/localizer/status", "/diagnostics"
IMAGE, CAMERA_INFO = "/camera/image_raw/compressed", "/camera/camera_info"
TF, TF_STATIC = "/tf", "/tf_static"
REFERENCE_POSE, REFERENCE_PATH, ERROR = "/reference/pose", "/reference/path", "/error"

# Topic -> type, of everything config/foxglove_layout.json may show.
TYPES = {
    MAP: "nav_msgs/msg/OccupancyGrid",
    WALKABLE: "nav_msgs/msg/OccupancyGrid",
    LANDMARKS: "sensor_msgs/msg/PointCloud2",
    POSE: "geometry_msgs/msg/PoseStamped",
    POSE_RAW: "geometry_msgs/msg/PoseStamped",
    COVARIANCE: "geometry_msgs/msg/PoseWithCovarianceStamped",
    PATH: "nav_msgs/msg/Path",
    TRAIL: "visualization_msgs/msg/Marker",
    MATCHES: "sensor_msgs/msg/CompressedImage",
    STATUS: "diagnostic_msgs/msg/DiagnosticArray",
    DIAGNOSTICS: "diagnostic_msgs/msg/DiagnosticArray",
    IMAGE: "sensor_msgs/msg/CompressedImage",
    CAMERA_INFO: "sensor_msgs/msg/CameraInfo",
    TF: "tf2_msgs/msg/TFMessage",
    TF_STATIC: "tf2_msgs/msg/TFMessage",
    REFERENCE_POSE: "geometry_msgs/msg/PoseStamped",
    REFERENCE_PATH: "nav_msgs/msg/Path",
    ERROR: "diagnostic_msgs/msg/DiagnosticArray",
}
LATCHED = {MAP, WALKABLE, LANDMARKS, PATH, TRAIL, DIAGNOSTICS, TF_STATIC, REFERENCE_PATH}


class Message(NamedTuple):
    """`data` is CDR."""

    topic: str
    stamp_ns: int
    data: bytes


class TopicKind(NamedTuple):
    """definition: the text of the type and of its parts (schema encoding ros2msg).

    latched: whoever comes late gets the last message, as from a publisher with durability TRANSIENT_LOCAL.
    """

    msgtype: str
    definition: str
    latched: bool


class Source(Protocol):
    """Something with a beginning and an end, that can be shown from any moment on."""

    @property
    def name(self) -> str:
        """Return what viewers call it."""
        ...

    @property
    def topics(self) -> Mapping[str, TopicKind]:
        """Return what there is to see, by topic."""
        ...

    @property
    def span_ns(self) -> tuple[int, int]:
        """Return the stamps of the first and of the last message."""
        ...

    def latched(self, at_ns: int) -> list[Message]:
        """List what is known at `at_ns` on the latched topics: the last message of each."""
        ...

    def messages(self, from_ns: int, wanted: Callable[[str], bool]) -> Iterator[Message]:
        """Yield the messages from `from_ns` on, in order.

        Topics that are not `wanted` when it comes to them may be left out.
        """
        ...
