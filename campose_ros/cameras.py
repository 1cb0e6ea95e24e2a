"""One camera of the robot: its subscriptions, and what the session is told of it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo

from campose_core.bag.camera_info import read_camera_info
from campose_core.bag.image_messages import IMAGE_TYPES, image_stamp_ns, video_name
from campose_core.errors import MissingDependency
from campose_core.session.camera import InfoTopic, Known, SessionCamera
from campose_core.session.session import LocalizationSession
from campose_ros.camera_parameters import CameraParameters
from campose_ros.input_watch import InputWatch
from campose_ros.latched_watch import LatchedWatch


class Transport(NamedTuple):
    """depth: of the queue. Of images the newest is enough, of a video every packet counts."""

    package: str
    message: str
    suffix: str
    depth: int


TRANSPORTS = {
    "raw": Transport("sensor_msgs", "Image", "", 1),
    "compressed": Transport("sensor_msgs", "CompressedImage", "/compressed", 10),
    "ffmpeg": Transport("ffmpeg_image_transport_msgs", "FFMPEGPacket", "/ffmpeg", 100),
    "foxglove": Transport("foxglove_msgs", "CompressedVideo", "/foxglove", 100),
}


class ReceivedImage(NamedTuple):
    """`arrived` is the reading of time.perf_counter."""

    message: Any
    arrived: float

    @property
    def stamp_ns(self) -> int:
        """Return what the message says of when it was taken, nanoseconds."""
        return image_stamp_ns(self.message)

    @property
    def is_video(self) -> bool:
        """Tell whether those before it are needed to decode it."""
        return video_name(self.message) is not None


def session_camera(parameters: CameraParameters, known: Known | None) -> SessionCamera:
    """Make what the session knows of a camera. known: its intrinsics, where those of its topic need not come first."""
    place = None if parameters.base_from_camera_tf else parameters.mounting()
    read = partial(read_camera_info, rectified=parameters.rectified)
    info = InfoTopic(parameters.camera_info_topic, read)
    intrinsics, is_guess = known or (None, False)
    return SessionCamera(parameters.name, place, intrinsics, info, is_guess=is_guess)


class CameraInput:
    """The subscriptions of one camera, from activate to deactivate.

    session: takes its camera_info. watches: what comes is watched there, by name; whoever made this closes them.

    Raises:
        MissingDependency: the message package of its transport is not installed.
    """

    def __init__(
        self,
        node: LifecycleNode,
        parameters: CameraParameters,
        session: LocalizationSession,
        on_image: Callable[[str, Any], None],
        reliability: ReliabilityPolicy,
        watches: dict[str, InputWatch],
    ) -> None:
        self.parameters = parameters
        transport = TRANSPORTS[parameters.image_transport]
        kind = _message_class(parameters.parameter("image_transport"), transport)
        topic = parameters.base_topic
        if transport.suffix:  # behind the name that a remapping gives the images, as image_transport has it
            topic = node.resolve_topic_name(topic) + transport.suffix
        self.images = InputWatch(
            node, kind, topic, lambda message: on_image(parameters.name, message),
            QoSProfile(depth=transport.depth, reliability=reliability), alike=IMAGE_TYPES,
        )  # fmt: skip
        prefix = f"{parameters.name}_" if parameters.name else ""
        watches[f"{prefix}image"] = self.images
        self.infos = f"{prefix}camera_info"  # the name of their watch
        if parameters.camera_source == "camera_info":
            # Best effort connects to every publisher, a reliable one to reliable publishers alone.
            qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
            take = partial(session.take_camera_info, parameters.name)
            watches[self.infos] = LatchedWatch(
                node, CameraInfo, parameters.camera_info_topic, take, qos, what="camera_info"
            )


def _message_class(parameter: str, transport: Transport) -> Any:
    try:
        return getattr(importlib.import_module(f"{transport.package}.msg"), transport.message)
    except ImportError as error:
        package = transport.package.replace("_", "-")
        raise MissingDependency(
            f"{parameter} needs the messages of {transport.package}, which are not installed: "
            f"apt install ros-$ROS_DISTRO-{package}, or build that package in your workspace"
        ) from error
