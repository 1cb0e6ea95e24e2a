"""ROS 2 bags written from frames: any recording plus its trajectory becomes a bag (rosbags, MCAP, metadata version 9).

Topics: /camera/image_raw/compressed, /camera/camera_info, /odom, /tf (odom -> base_link), /tf_static (base_link ->
camera). Every message carries the stamp of its frame or pose, and is logged at that time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from campose_core.bag.bag import Definition, SerializedMessage
from campose_core.bag.cdr import Cdr
from campose_core.bag.ros_messages import RosMessages
from campose_core.camera import Camera
from campose_core.errors import CaptureError
from campose_core.files import replacing
from campose_core.frame import Frame
from campose_core.geometry import Pose
from campose_core.pixels.image_codec import encode_jpeg
from campose_core.trajectory import Trajectory

if TYPE_CHECKING:
    from rosbags.rosbag2 import Writer

IMAGE_TOPIC = "/camera/image_raw/compressed"
INFO_TOPIC = "/camera/camera_info"
ODOM_TOPIC = "/odom"
CAMERA_FRAME, BASE_FRAME, ODOM_FRAME = "camera_optical_frame", "base_link", "odom"
JPEG_QUALITY = 92
UNKNOWN_DIGEST = "RIHS01_" + 64 * "0"


class BagOutput:
    """A bag folder that is being written; see `new_bag`. Topics appear when they are first written to.

    cdr: builds and serializes messages. latched: topics whose last message is kept for subscribers that come late.
    """

    def __init__(self, writer: Writer, cdr: Cdr, latched: Collection[str]) -> None:
        self._writer, self._cdr, self._latched = writer, cdr, latched
        self._connections: dict[str, Any] = {}

    def write(self, topic: str, log_ns: int, message: Any) -> None:
        """Write a message, of the type that its class names, as recorded at `log_ns`."""
        if topic not in self._connections:
            qos = [_latched()] if topic in self._latched else []
            self._connections[topic] = self._writer.add_connection(
                topic, message.__msgtype__, typestore=self._cdr.store, offered_qos_profiles=qos
            )
        self._writer.write(self._connections[topic], log_ns, self._cdr.serialize(message))

    def copy(self, message: SerializedMessage, definition: Definition) -> None:
        """Write a message of another bag, byte for byte. definition: of its topic there."""
        if message.topic not in self._connections:
            self._connections[message.topic] = self._writer.add_connection(
                message.topic,
                message.msgtype,
                msgdef=definition.text,
                rihs01=definition.digest or UNKNOWN_DIGEST,
                offered_qos_profiles=definition.qos,
            )
        self._writer.write(self._connections[message.topic], message.log_ns, message.data)


@contextmanager
def new_bag(path: Path, cdr: Cdr, latched: Collection[str]) -> Iterator[BagOutput]:
    """Make a bag folder at `path`, with one file PATH/NAME.mcap, whole or not at all.

    Raises:
        MissingDependency: rosbags is not installed.
    """
    from rosbags.rosbag2 import StoragePlugin, Writer

    with replacing(path) as beside:
        beside.mkdir()
        # Written in a folder of the final name, since the name of the data file and the metadata follow from it.
        folder = beside / path.name
        with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            yield BagOutput(writer, cdr, latched)
        for file in sorted(folder.iterdir()):
            file.rename(beside / file.name)
        folder.rmdir()


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
        CaptureError: no frames, stamps that do not increase, an image of another size than the camera's, or a camera
            that CameraInfo cannot express.
    """
    cdr = Cdr()
    with new_bag(path, cdr, {"/tf_static"}) as output:
        count = _write(output, cdr.messages, frames, camera, odom_from_base, base_from_cam)
        if count == 0:
            raise CaptureError(f"{path}: there are no frames to write into a bag")
    return count


def write_frame(output: BagOutput, messages: RosMessages, frame: Frame, camera: Camera, camera_frame: str) -> None:
    """Write the image, and the intrinsics that belong to it.

    Raises:
        CaptureError: an image of another size than the camera's, or a camera that CameraInfo cannot express.
    """
    height, width = frame.image.shape[:2]
    if (width, height) != (camera.width, camera.height):
        size = f"{camera.width}x{camera.height}"
        raise CaptureError(f"frame {frame.name} is {width}x{height}, but the camera is {size}")
    jpeg = frame.jpeg or encode_jpeg(frame.image, JPEG_QUALITY)
    output.write(INFO_TOPIC, frame.stamp_ns, messages.camera_info(camera_frame, frame.stamp_ns, camera))
    output.write(IMAGE_TOPIC, frame.stamp_ns, messages.compressed_image(camera_frame, frame.stamp_ns, jpeg))


def _write(
    output: BagOutput,
    messages: RosMessages,
    frames: Iterable[Frame],
    camera: Camera,
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
            static = messages.transform_stamped(BASE_FRAME, CAMERA_FRAME, frame.stamp_ns, base_from_cam)
            output.write("/tf_static", frame.stamp_ns, messages.tf(static))
        while upcoming is not None and upcoming[0] <= frame.stamp_ns:
            stamp_ns, odom, tf = upcoming
            output.write(ODOM_TOPIC, stamp_ns, odom)
            output.write("/tf", stamp_ns, tf)
            upcoming = next(odometry, None)
        write_frame(output, messages, frame, camera, CAMERA_FRAME)
        last_ns, count = frame.stamp_ns, count + 1
    return count


def _odometry(messages: RosMessages, odom_from_base: Trajectory | None) -> Iterator[tuple[int, Any, Any]]:
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
        transform = messages.transform_stamped(ODOM_FRAME, BASE_FRAME, stamp_ns, pose)
        yield (
            stamp_ns,
            messages.odometry(ODOM_FRAME, BASE_FRAME, stamp_ns, pose, linear, angular),
            messages.tf(transform),
        )
        before, before_ns = pose, stamp_ns


def _latched() -> Any:
    """Return the QoS of /tf_static: kept for subscribers that come late."""
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
