"""One camera of the robot: its subscriptions, intrinsics and decoder."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo

from campose_core.camera import Camera
from campose_core.capture.bag.images import camera_from_info
from campose_core.capture.image_messages import IMAGE_TYPES, ImageDecoder, Picture, image_stamp_ns, video_name
from campose_core.errors import CamposeError, CaptureError, LocalizationError, MissingDependency
from campose_core.geometry import Pose
from campose_ros.camera_parameters import CameraParameters
from campose_ros.input_watch import InputWatch
from campose_ros.transforms import Transforms


class Transport(NamedTuple):
    """depth: of the queue. Of pictures the newest is enough, of a video every packet counts."""

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
        return image_stamp_ns(self.message)

    @property
    def is_video(self) -> bool:
        """Whether those before it are needed to decode it."""
        return video_name(self.message) is not None


class CameraInput:
    """The subscriptions of one camera, from activate to deactivate.

    known: its intrinsics, where they do not come on a topic. watches: what comes is watched there, by name; whoever
    made this closes them.

    Raises:
        MissingDependency: the message package of its transport is not installed.
    """

    def __init__(
        self,
        node: LifecycleNode,
        parameters: CameraParameters,
        known: Camera | None,
        on_image: Callable[[str, Any], None],
        reliability: ReliabilityPolicy,
        watches: dict[str, InputWatch],
    ) -> None:
        self.parameters = parameters
        self._camera = known
        self._no_camera = f"nothing came on {parameters.camera_info_topic}"
        self._decoder = ImageDecoder()
        transport = TRANSPORTS[parameters.image_transport]
        kind = _message_class(parameters.parameter("image_transport"), transport)
        topic = parameters.image_topic + transport.suffix
        self.images = InputWatch(
            node, kind, topic, lambda message: on_image(parameters.name, message),
            QoSProfile(depth=transport.depth, reliability=reliability), alike=IMAGE_TYPES,
        )  # fmt: skip
        prefix = f"{parameters.name}_" if parameters.name else ""
        watches[f"{prefix}image"] = self.images
        if parameters.camera_source == "camera_info":
            # Best effort connects to every publisher, a reliable one to reliable publishers alone.
            qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
            watches[f"{prefix}camera_info"] = InputWatch(
                node, CameraInfo, parameters.camera_info_topic, self._on_info, qos, what="camera_info"
            )

    def take_intrinsics(self, known: Camera | None) -> None:
        """Those of another scene, where they come from there."""
        self._camera = known or self._camera

    def intrinsics(self) -> Camera:
        """
        Raises:
            LocalizationError: none are known yet.
        """
        if self._camera is None:
            raise LocalizationError(
                f"no intrinsics: {self._no_camera}; with {self.parameters.parameter('camera_source')}:=scene those of "
                "the scene are used"
            )
        return self._camera

    def newest(self, received: Sequence[ReceivedImage]) -> Picture:
        """The last picture of what was received; the packets of a video are all decoded, for those that follow.

        Raises:
            CaptureError: there is none: damaged, or waiting for a key picture.
        """
        newest, fault = None, CaptureError(f"{self.images.topic}: no picture yet")
        for image in received:
            try:
                for picture in self._decoder.feed(image.message):
                    newest = picture
            except CaptureError as error:
                fault = CaptureError(f"{self.images.topic}: {error}")
        if newest is None:
            raise fault
        return newest

    def place(self, transforms: Transforms, base_frame: str, picture: Picture) -> Pose:
        """base_from_cam: out of tf at the picture's stamp where that is asked for, else the parameter's.

        Raises:
            LocalizationError: tf does not know it.
        """
        if not self.parameters.base_from_camera_tf:
            return self.parameters.mounting()
        return transforms.lookup(base_frame, picture.camera_frame, picture.stamp_ns)

    def _on_info(self, message: CameraInfo) -> None:
        try:
            self._camera = camera_from_info(message, self.parameters.rectified)
        except CamposeError as error:
            self._camera, self._no_camera = None, f"{self.parameters.camera_info_topic}: {error}"


def _message_class(parameter: str, transport: Transport) -> Any:
    try:
        return getattr(importlib.import_module(f"{transport.package}.msg"), transport.message)
    except ImportError as error:
        package = transport.package.replace("_", "-")
        raise MissingDependency(
            f"{parameter} needs the messages of {transport.package}, which are not installed: "
            f"apt install ros-$ROS_DISTRO-{package}, or build that package in your workspace"
        ) from error
