"""Pixels out of the messages of one image topic: images by themselves, or packets of a video.

Messages are read by attribute only, so the same code serves bags and live ROS.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from campose_core.errors import CaptureError
from campose_core.frame import Frame, Image
from campose_core.pixels.image_codec import decode_compressed, decode_image, is_plain_jpeg
from campose_core.pixels.levels import Levels
from campose_core.pixels.video_packets import PacketDecoder, codec_of

log = logging.getLogger(__name__)

# Of packages that not everybody has. The format of Foxglove's two types tells which it is; video in
# sensor_msgs/CompressedImage says so in its format.
VIDEO_TYPES = {
    "foxglove_msgs/msg/CompressedVideo": (
        "builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\nstring format\n"
    ),
    "foxglove_msgs/msg/CompressedImage": (
        "builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\nstring format\n"
    ),
    "ffmpeg_image_transport_msgs/msg/FFMPEGPacket": (
        "std_msgs/Header header\nint32 width\nint32 height\nstring encoding\nuint64 pts\nuint8 flags\n"
        "bool is_bigendian\nuint8[] data\n"
    ),
}
IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", *VIDEO_TYPES)
IMAGE_FORMATS = ("jpeg", "jpg", "png", "webp", "avif")  # of foxglove_msgs/CompressedImage
TRANSPORTS = ("compressed", "ffmpeg", "foxglove")  # image_transport's: the topic of the image, and /TRANSPORT
OTHER_CODEC = "video of the codec {!r} is not read, known are h264 and h265"


class StampedImage(NamedTuple):
    """An image, its header stamp and frame; `pixels()` (H, W, 3) uint8 RGB decodes it, and raises CaptureError."""

    stamp_ns: int
    camera_frame: str
    pixels: Callable[[], Image]
    jpeg: bytes | None = None

    def frame(self, name: str) -> Frame:
        """Decode it into a frame called `name`.

        Raises:
            CaptureError: it cannot be decoded.
        """
        image = self.pixels()
        jpeg = self.jpeg if self.jpeg is not None and is_plain_jpeg(self.jpeg) else None
        return Frame(self.stamp_ns, image, self.camera_frame, name, jpeg)


def image_stamp_ns(message: Any) -> int:
    """Return the stamp of an image message in nanoseconds."""
    stamp = stamp_field(message)
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def stamp_field(message: Any) -> Any:
    """Where an image message keeps its stamp."""
    return message.header.stamp if hasattr(message, "header") else message.timestamp


def image_frame(message: Any) -> str:
    """Return the optical frame of an image message."""
    return str(message.header.frame_id if hasattr(message, "header") else message.frame_id)


def video_name(message: Any) -> str | None:
    """Return what a message calls the video that it is a packet of; None for an image by itself."""
    if hasattr(message, "timestamp"):  # foxglove_msgs/CompressedVideo, or CompressedImage
        return None if str(message.format).lower() in IMAGE_FORMATS else str(message.format)
    if hasattr(message, "pts"):  # ffmpeg_image_transport_msgs/FFMPEGPacket
        return str(message.encoding)
    name = str(getattr(message, "format", ""))
    return name if codec_of(name) else None


def base_topic(topic: str) -> str:
    """Return the image topic without its transport."""
    base, _, last = topic.rpartition("/")
    return base if last in TRANSPORTS else topic


class ImageDecoder:
    """Decodes the messages of one topic; for video it keeps what the next packet needs.

    levels: of 16 bit images, where the recording was looked at before; else by the images that have come.
    """

    def __init__(self, levels: Levels | None = None) -> None:
        self._video: PacketDecoder | None = None
        self._levels, self._said = levels or Levels(), levels is not None

    def feed(self, message: Any) -> list[StampedImage]:
        """Return the images that a message completes: itself, or those of a video up to it.

        Raises:
            CaptureError: a damaged packet, one before the first key image, or video of another codec.
            MissingDependency: it is video, and PyAV is not installed.
        """
        name = video_name(message)
        if name is None:
            return [self._single(message)]
        codec = codec_of(name)
        if codec is None:
            raise CaptureError(OTHER_CODEC.format(name))
        if self._video is None or self._video.codec != codec:
            self._video = PacketDecoder(codec)
        images, camera_frame = self._video.feed(image_stamp_ns(message), bytes(message.data)), image_frame(message)
        return [StampedImage(image.stamp_ns, camera_frame, image.pixels) for image in images]

    def _single(self, message: Any) -> StampedImage:
        jpeg = None if hasattr(message, "encoding") else bytes(message.data)
        return StampedImage(image_stamp_ns(message), image_frame(message), lambda: self._pixels(message), jpeg)

    def _pixels(self, message: Any) -> Image:
        decode = decode_image if hasattr(message, "encoding") else decode_compressed
        pixels = decode(message, self._levels)
        if self._levels.said and not self._said:
            self._said = True
            log.info(f"images of {image_frame(message) or 'a camera'}: {self._levels.said}")
        return pixels
