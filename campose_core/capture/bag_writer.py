"""ROS 2 bags written from frames: any recording plus its trajectory becomes a bag (rosbags, MCAP, metadata version 9).

Topics: /camera/image_raw/compressed, /camera/camera_info, /odom, /tf (odom -> base_link), /tf_static (base_link ->
camera). Every message carries the stamp of its frame or pose, and is logged at that time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from campose_core.camera import MODEL_PARAMS, Camera
from campose_core.capture.frame import Frame
from campose_core.capture.image_codec import encode_jpeg
from campose_core.errors import CaptureError
from campose_core.extras import load_extra
from campose_core.files import replacing
from campose_core.geometry import Array, Pose
from campose_core.trajectory import Trajectory

if TYPE_CHECKING:
    from rosbags.rosbag2 import Writer

IMAGE_TOPIC = "/camera/image_raw/compressed"
INFO_TOPIC = "/camera/camera_info"
ODOM_TOPIC = "/odom"
CAMERA_FRAME, BASE_FRAME, ODOM_FRAME = "camera_optical_frame", "base_link", "odom"
JPEG_QUALITY = 92


def write_bag(
    path: Path,
    frames: Iterable[Frame],
    camera: Camera,
    odom_from_base: Trajectory | None = None,
    base_from_cam: Pose | None = None,
) -> int:
    """Write the bag folder `path`, whole or not at all, one frame in memory at a time. Returns the number of frames.

    odom_from_base: what /odom and /tf say, at its own rate; both topics are left out without it.
    base_from_cam: the mounting on /tf_static; left out without it.

    Raises:
        CaptureError: no frames, stamps that do not increase, a picture of another size than the camera's, or a camera
            that CameraInfo cannot express.
    """
    load_extra("rosbags", "bag")
    from rosbags.rosbag2 import StoragePlugin, Writer

    messages = _Messages(camera)
    with replacing(path) as beside:
        beside.mkdir()
        # Written in a folder of the final name, since the name of the data file and the metadata follow from it.
        folder = beside / path.name
        with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            count = _write(_Output(writer, messages.store), messages, frames, odom_from_base, base_from_cam)
        if count == 0:
            raise CaptureError(f"{path}: there are no frames to write into a bag")
        for file in sorted(folder.iterdir()):
            file.rename(beside / file.name)
        folder.rmdir()
    return count


def _write(
    output: _Output,
    messages: _Messages,
    frames: Iterable[Frame],
    odom_from_base: Trajectory | None,
    base_from_cam: Pose | None,
) -> int:
    odometry = _odometry(messages, odom_from_base)
    upcoming = next(odometry, None)
    last_ns, count = None, 0
    for frame in frames:
        if last_ns is not None and frame.stamp_ns <= last_ns:
            raise CaptureError(f"frame {frame.name}: its stamp {frame.stamp_ns} ns is not later than the one before")
        if count == 0 and base_from_cam is not None:
            static = messages.transform(frame.stamp_ns, BASE_FRAME, CAMERA_FRAME, base_from_cam)
            output.write("/tf_static", frame.stamp_ns, messages.make("tf2_msgs/msg/TFMessage", transforms=[static]))
        while upcoming is not None and upcoming[0] <= frame.stamp_ns:
            stamp_ns, odom, tf = upcoming
            output.write(ODOM_TOPIC, stamp_ns, odom)
            output.write("/tf", stamp_ns, tf)
            upcoming = next(odometry, None)
        output.write(INFO_TOPIC, frame.stamp_ns, messages.camera_info(frame.stamp_ns))
        output.write(IMAGE_TOPIC, frame.stamp_ns, messages.compressed_image(frame))
        last_ns, count = frame.stamp_ns, count + 1
    return count


def _odometry(messages: _Messages, odom_from_base: Trajectory | None) -> Iterator[tuple[int, Any, Any]]:
    """(stamp, Odometry, TFMessage) per pose; the twist is the motion since the pose before, in the base frame."""
    if odom_from_base is None:
        return
    before: Pose | None = None
    before_ns = 0
    for stamp, pose in odom_from_base:
        stamp_ns = int(stamp)
        linear, angular = np.zeros(3), np.zeros(3)
        if before is not None:
            motion, seconds = before.inverse() * pose, (stamp_ns - before_ns) / 1e9
            linear, angular = motion.translation / seconds, motion.rotation.as_rotvec() / seconds
        transform = messages.transform(stamp_ns, ODOM_FRAME, BASE_FRAME, pose)
        yield (
            stamp_ns,
            messages.odometry(stamp_ns, pose, linear, angular),
            messages.make("tf2_msgs/msg/TFMessage", transforms=[transform]),
        )
        before, before_ns = pose, stamp_ns


class _Output:
    """A rosbags writer whose topics appear when they are first written to."""

    def __init__(self, writer: Writer, store: Any) -> None:
        self._writer, self._store = writer, store
        self._connections: dict[str, Any] = {}

    def write(self, topic: str, stamp_ns: int, message: Any) -> None:
        if topic not in self._connections:
            qos = [_latched()] if topic == "/tf_static" else []
            self._connections[topic] = self._writer.add_connection(
                topic, message.__msgtype__, typestore=self._store, offered_qos_profiles=qos
            )
        self._writer.write(self._connections[topic], stamp_ns, self._store.serialize_cdr(message, message.__msgtype__))


def _latched() -> Any:
    """The QoS of /tf_static: kept for subscribers that come late."""
    from rosbags.interfaces import (
        Qos,
        QosDurability,
        QosHistory,
        QosLiveliness,
        QosReliability,
        QosTime,
    )

    never = QosTime(2147483647, 4294967295)
    return Qos(
        QosHistory.KEEP_LAST, 1, QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL,
        never, never, QosLiveliness.AUTOMATIC, never, False,
    )  # fmt: skip


class _Messages:
    """ROS 2 messages about one camera and one robot.

    Raises:
        CaptureError: CameraInfo cannot express the camera model.
    """

    def __init__(self, camera: Camera) -> None:
        from rosbags.typesys import Stores, get_typestore

        self.store = get_typestore(Stores.ROS2_JAZZY)
        self._camera = camera
        self._model, self._distortion = _distortion(camera)

    def make(self, msgtype: str, **fields: Any) -> Any:
        return self.store.types[msgtype](**fields)

    def header(self, stamp_ns: int, frame_id: str) -> Any:
        stamp = self.make("builtin_interfaces/msg/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        return self.make("std_msgs/msg/Header", stamp=stamp, frame_id=frame_id)

    def compressed_image(self, frame: Frame) -> Any:
        height, width = frame.image.shape[:2]
        if (width, height) != (self._camera.width, self._camera.height):
            size = f"{self._camera.width}x{self._camera.height}"
            raise CaptureError(f"frame {frame.name} is {width}x{height}, but the camera is {size}")
        data = np.frombuffer(encode_jpeg(frame.image, JPEG_QUALITY), dtype=np.uint8)
        header = self.header(frame.stamp_ns, CAMERA_FRAME)
        return self.make(
            "sensor_msgs/msg/CompressedImage", header=header, format="rgb8; jpeg compressed bgr8", data=data
        )

    def camera_info(self, stamp_ns: int) -> Any:
        camera, k = self._camera, self._camera.matrix()
        roi = self.make("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
        return self.make(
            "sensor_msgs/msg/CameraInfo",
            header=self.header(stamp_ns, CAMERA_FRAME),
            height=camera.height,
            width=camera.width,
            distortion_model=self._model,
            d=self._distortion,
            k=k.reshape(-1),
            r=np.eye(3).reshape(-1),
            p=np.hstack([k, np.zeros((3, 1))]).reshape(-1),
            binning_x=0,
            binning_y=0,
            roi=roi,
        )

    def _vector(self, values: Array) -> Any:
        x, y, z = map(float, values)
        return self.make("geometry_msgs/msg/Vector3", x=x, y=y, z=z)

    def _quaternion(self, pose: Pose) -> Any:
        return self.make("geometry_msgs/msg/Quaternion", **dict(zip("xyzw", map(float, pose.quat_xyzw), strict=True)))

    def transform(self, stamp_ns: int, parent: str, child: str, parent_from_child: Pose) -> Any:
        transform = self.make(
            "geometry_msgs/msg/Transform",
            translation=self._vector(parent_from_child.translation),
            rotation=self._quaternion(parent_from_child),
        )
        header = self.header(stamp_ns, parent)
        return self.make("geometry_msgs/msg/TransformStamped", header=header, child_frame_id=child, transform=transform)

    def odometry(self, stamp_ns: int, odom_from_base: Pose, linear: Array, angular: Array) -> Any:
        x, y, z = map(float, odom_from_base.translation)
        position = self.make("geometry_msgs/msg/Point", x=x, y=y, z=z)
        pose = self.make("geometry_msgs/msg/Pose", position=position, orientation=self._quaternion(odom_from_base))
        twist = self.make("geometry_msgs/msg/Twist", linear=self._vector(linear), angular=self._vector(angular))
        # Zero covariance means "unknown" (sensor_msgs and nav_msgs convention): nothing is invented here.
        unknown = np.zeros(36)
        return self.make(
            "nav_msgs/msg/Odometry",
            header=self.header(stamp_ns, ODOM_FRAME),
            child_frame_id=BASE_FRAME,
            pose=self.make("geometry_msgs/msg/PoseWithCovariance", pose=pose, covariance=unknown),
            twist=self.make("geometry_msgs/msg/TwistWithCovariance", twist=twist, covariance=unknown),
        )


def _distortion(camera: Camera) -> tuple[str, Array]:
    """CameraInfo's distortion_model and D; the orders are OpenCV's (k1, k2, p1, p2, k3, k4, k5, k6)."""
    extra = dict(zip(("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"), [0.0] * 8, strict=True))
    for name, value in zip(MODEL_PARAMS[camera.model], camera.params, strict=True):
        if name in extra:
            extra[name] = value
    if camera.model == "OPENCV_FISHEYE":
        return "equidistant", np.array([extra[f"k{i}"] for i in (1, 2, 3, 4)])
    if camera.model == "FULL_OPENCV":
        return "rational_polynomial", np.array(list(extra.values()))
    return "plumb_bob", np.array([extra[name] for name in ("k1", "k2", "p1", "p2", "k3")])
