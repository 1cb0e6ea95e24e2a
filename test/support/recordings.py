"""Real recordings, written by the libraries that others write theirs with."""

import io
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from rosbags import rosbag1, rosbag2
from rosbags.typesys import Stores, get_typestore

START_NS = 1_700_000_000_000_000_000
TOPIC = "/camera/image_raw"


def picture(index: int, width: int = 64, height: int = 48) -> np.ndarray:
    """An image (H, W, 3) that tells its index: smooth, so that JPEG and video keep it, and brighter each time."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    planes = [(x * 2 + 5 * index) % 256, y * 3 % 256, np.full_like(x, 20 + 2 * index)]
    return np.clip(np.stack(planes, axis=-1), 0, 255).astype(np.uint8)


def jpeg(pixels: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    PillowImage.fromarray(pixels).save(file, "JPEG", quality=95, **options)
    return file.getvalue()


class Messages:
    """Makes sensor_msgs messages for one ROS version, and serializes them."""

    def __init__(self, ros1: bool = False) -> None:
        self.ros1 = ros1
        self.store = get_typestore(Stores.ROS1_NOETIC if ros1 else Stores.ROS2_JAZZY)
        self.types = self.store.types

    def serialize(self, message) -> bytes:
        serialize = self.store.serialize_ros1 if self.ros1 else self.store.serialize_cdr
        return bytes(serialize(message, message.__msgtype__))

    def header(self, stamp_ns: int, frame_id: str = "camera_optical"):
        stamp = self.types["builtin_interfaces/msg/Time"](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        sequence = {"seq": 0} if self.ros1 else {}
        return self.types["std_msgs/msg/Header"](**sequence, stamp=stamp, frame_id=frame_id)

    def image(self, stamp_ns: int, pixels: np.ndarray, encoding: str = "rgb8"):
        height, width, channels = pixels.shape
        return self.types["sensor_msgs/msg/Image"](
            header=self.header(stamp_ns), height=height, width=width, encoding=encoding, is_bigendian=0,
            step=width * channels, data=np.ascontiguousarray(pixels).reshape(-1),
        )  # fmt: skip

    def compressed(self, stamp_ns: int, data: bytes):
        return self.types["sensor_msgs/msg/CompressedImage"](
            header=self.header(stamp_ns), format="jpeg", data=np.frombuffer(data, dtype=np.uint8)
        )

    def camera_info(self, stamp_ns: int, width=64, height=48, focal=50.0, **changes):
        k = np.array([focal, 0, 31.5, 0, focal, 23.5, 0, 0, 1])
        p = np.array([focal / 2, 0, 30.0, 0, 0, focal / 2, 20.0, 0, 0, 0, 1, 0])
        names = {"d": np.array([0.1, 0.01, 0.0, 0.0, 0.0]), "k": k, "r": np.eye(3).reshape(-1), "p": p}
        names = {(name.upper() if self.ros1 else name): value for name, value in names.items()}
        region = self.types["sensor_msgs/msg/RegionOfInterest"](
            x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        )
        fields = {
            "header": self.header(stamp_ns), "height": height, "width": width, "distortion_model": "plumb_bob", **names,
            "binning_x": 0, "binning_y": 0, "roi": region, **changes,
        }  # fmt: skip
        return self.types["sensor_msgs/msg/CameraInfo"](**fields)


def write_bag(path: Path, entries, kind: str = "mcap", unused: dict[str, str] | None = None) -> Path:
    """entries: (topic, log time, message) or (topic, log time, msgtype, bytes); `make` them by `Messages(ros1=...)`.

    kind: ros1, sqlite3, mcap, or mcap-zstd (each message compressed). unused: types by the topics that were subscribed
    to and have no message.
    """
    messages = Messages(ros1=kind == "ros1")
    if kind == "ros1":
        writer = rosbag1.Writer(path)
    else:
        plugin = rosbag2.StoragePlugin.SQLITE3 if kind == "sqlite3" else rosbag2.StoragePlugin.MCAP
        writer = rosbag2.Writer(path, version=9, storage_plugin=plugin)
        if kind == "mcap-zstd":
            writer.set_compression(rosbag2.CompressionMode.MESSAGE, rosbag2.CompressionFormat.ZSTD)
    with writer:
        connections = {}
        for topic, log_ns, *content in entries:
            msgtype, data = content if len(content) == 2 else (content[0].__msgtype__, messages.serialize(content[0]))
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, msgtype, typestore=messages.store)
            writer.write(connections[topic], log_ns, data)
        for topic, msgtype in (unused or {}).items():
            writer.add_connection(topic, msgtype, typestore=messages.store)
    return path


def image_entries(count: int, ros1: bool = False, compressed: bool = False, topic: str = TOPIC, period_ns=100_000_000):
    make = Messages(ros1)
    for i in range(count):
        stamp_ns = START_NS + i * period_ns
        pixels = picture(i)
        message = make.compressed(stamp_ns, jpeg(pixels)) if compressed else make.image(stamp_ns, pixels)
        yield topic, stamp_ns + 5_000_000, message
