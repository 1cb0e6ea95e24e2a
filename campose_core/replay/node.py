"""What the node does with a message, without ROS."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from campose_core.camera import Camera
from campose_core.capture.bag.decoding import decoded
from campose_core.capture.bag.file import SerializedMessage
from campose_core.capture.bag.images import BagRecording, StampOrder, header_stamp_ns
from campose_core.capture.frame import Frame
from campose_core.capture.image_messages import ImageDecoder
from campose_core.errors import CamposeError, CaptureError, LocalizationError, TransformError
from campose_core.geometry import Pose
from campose_core.landmark_map.intrinsics import scene_camera
from campose_core.localization.localizer import LocalizationResult, Localizer
from campose_core.localization.odometry import OdometryBuffer
from campose_core.ros_messages import pose_of_parts
from campose_core.scene import Scene
from campose_core.transforms import KEEP_S, TransformTree

MAP_FRAME = "map"
TF, TF_STATIC = "/tf", "/tf_static"
ODOMETRY, INITIALPOSE = "nav_msgs/msg/Odometry", "geometry_msgs/msg/PoseWithCovarianceStamped"


class Answer(NamedTuple):
    """What became of one image.

    latency_s: from the image's arrival to its pose, decoding included. base_from_cam: where the camera was on the base.
    root: the frame at the top of the camera's tf tree, its own frame where there is no tf; root_from_cam is None where
    tf does not know it at the image's stamp.
    """

    frame: Frame
    camera: Camera
    result: LocalizationResult
    latency_s: float
    base_from_cam: Pose
    root: str
    root_from_cam: Pose | None


class ReplayedNode:
    """A localizer and what it has heard, message by message.

    Images are those of the topic of `recording`, whose `dropped` counts those that get no answer. base_from_cam: where
    the camera sits on the base, unless base_frame asks tf for it at each image. camera: instead of the topic of
    intrinsics. odometry, initialpose: topics of odom_from_base, and of poses to start over at.
    """

    def __init__(
        self,
        scene: Scene,
        recording: BagRecording,
        localizer: Localizer,
        base_from_cam: Pose,
        base_frame: str | None = None,
        camera: Camera | None = None,
        odometry: str | None = None,
        initialpose: str | None = None,
    ) -> None:
        self._scene, self._localizer = scene, localizer
        self._base_from_cam, self._base_frame = base_from_cam, base_frame
        self._camera = camera or recording.camera
        self._recording, self._order, self._decoder = recording, StampOrder(recording.dropped), ImageDecoder()
        self._odometry, self._frames = OdometryBuffer(), TransformTree(KEEP_S)
        info_topic = recording.info_topic if camera is None else None
        listeners = {
            TF: self._on_tf, TF_STATIC: self._on_tf_static, info_topic: self._on_camera_info,
            odometry: self._on_odometry, initialpose: self._on_initialpose,
        }  # fmt: skip
        self._listeners = {topic: listener for topic, listener in listeners.items() if topic is not None}
        self.refused: dict[str, str] = {}  # why the last message that was of no use was not, by topic

    def hear(self, message: SerializedMessage) -> Answer | None:
        """The answer where the message is an image."""
        arrived, topic = time.perf_counter(), message.topic
        if topic != self._recording.topic and topic not in self._listeners:
            return None
        content = decoded(message.data, message.msgtype)
        try:
            if topic == self._recording.topic:
                return self._on_image(content, arrived)
            if isinstance(content, CaptureError):
                raise content
            self._listeners[topic](content)
        except CamposeError as error:
            self.refused[topic] = str(error)
        return None

    def _on_image(self, message: Any, arrived: float) -> Answer | None:
        if not self._order.accepts(message):
            return None
        try:
            pictures = self._decoder.feed(message)  # of a video the newest counts, where a packet completes one
            return self.see(pictures[-1].frame(""), self._camera, arrived) if pictures else None
        except CamposeError as error:
            reason = "undecodable image" if isinstance(error, CaptureError) else "refused image"
            self._recording.dropped[reason] = self._recording.dropped.get(reason, 0) + 1
            raise

    def see(self, frame: Frame, camera: Camera | None, arrived: float) -> Answer:
        """arrived: the reading of time.perf_counter; camera: None takes the scene's.

        Raises:
            TransformError: tf does not know where the camera is on the base. LocalizationError: there are no
                intrinsics for such an image.
        """
        height, width = frame.image.shape[:2]
        camera = camera or scene_camera(self._scene, width, height)
        optical, base_from_cam = frame.camera_frame.lstrip("/"), self._base_from_cam
        if self._base_frame is not None:
            base_from_cam = self._frames.lookup(self._base_frame, optical, frame.stamp_ns)
        result = self._localizer.localize(frame, camera, base_from_cam, self._odometry.at(frame.stamp_ns))
        latency_s = time.perf_counter() - arrived
        self._localizer.refresh()
        root = self._frames.chain(optical)[-1]
        try:
            root_from_cam = self._frames.lookup(root, optical, frame.stamp_ns)
        except TransformError:
            return Answer(frame, camera, result, latency_s, base_from_cam, root, None)
        return Answer(frame, camera, result, latency_s, base_from_cam, root, root_from_cam)

    def _on_camera_info(self, message: Any) -> None:
        if self._camera is not None:
            self._camera = self._recording.camera_of(message)

    def _on_odometry(self, message: Any) -> None:
        if self._base_frame is not None and message.child_frame_id not in ("", self._base_frame):
            raise LocalizationError(f"it is of {message.child_frame_id}, and the base is {self._base_frame}")
        self._odometry.add(header_stamp_ns(message), _pose(message.pose.pose))

    def _on_initialpose(self, message: Any) -> None:
        if message.header.frame_id not in ("", MAP_FRAME):
            raise LocalizationError(f"it is in {message.header.frame_id}, and the map's frame is {MAP_FRAME}")
        self._localizer.reset(_pose(message.pose.pose))

    def _on_tf(self, message: Any) -> None:
        for link in message.transforms:
            parent, child, pose = _link(link)
            self._frames.add(parent, child, header_stamp_ns(link), pose)

    def _on_tf_static(self, message: Any) -> None:
        for link in message.transforms:
            self._frames.add_static(*_link(link))


def _pose(message: Any) -> Pose:
    return pose_of_parts(message.position, message.orientation)


def _link(message: Any) -> tuple[str, str, Pose]:
    pose = pose_of_parts(message.transform.translation, message.transform.rotation)
    return message.header.frame_id.lstrip("/"), message.child_frame_id.lstrip("/"), pose
