"""Images out of the packets of a video stream (H.264, H.265) that come one by one, as a topic carries them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from campose_core.errors import CaptureError
from campose_core.extras import load_extra
from campose_core.image_files import MAX_PHOTO_PIXELS
from campose_core.pixels.image_codec import Image

if TYPE_CHECKING:
    import av

NANOSECONDS = 1_000_000_000
BOUNDED = {"max_pixels": str(MAX_PHOTO_PIXELS)}  # options of FFmpeg, whose decoders take no memory for larger images
START_CODE = re.compile(rb"\x00\x00\x01")  # of a unit in a byte stream (ITU-T H.264, annex B)
# What a message calls its stream: names of codecs and of their encoders (libx264, hevc_nvenc, h264;yuv420p;...).
H264, H265 = re.compile("h264|x264|h\\.264|avc", re.I), re.compile("h265|x265|h\\.265|hevc", re.I)


def codec_of(name: str) -> str | None:
    """Return the decoder for a stream that its message calls `name`; None for what is no such video."""
    return "h264" if H264.search(name) else "hevc" if H265.search(name) else None


class StampedImage(NamedTuple):
    """A decoded image whose colours are not yet computed: of several in a row mostly the last one counts."""

    stamp_ns: int
    decoded: av.VideoFrame

    def pixels(self) -> Image:
        """Return the pixels (H, W, 3) uint8 RGB."""
        return np.asarray(self.decoded.to_ndarray(format="rgb24"), dtype=np.uint8)


class PacketDecoder:
    """Decodes one stream from its next key image on. Each image is told by its predecessors: every packet counts.

    waited_for: packets since the last image that came before a key image, and so could not be decoded.

    Raises:
        MissingDependency: PyAV is not installed.
    """

    def __init__(self, codec: str) -> None:
        self.codec = codec
        self.waited_for = 0
        self._context: Any = None
        load_extra("av", "robot")

    def feed(self, stamp_ns: int, data: bytes) -> list[StampedImage]:
        """Return the images that a packet completes, in the order in which they are shown, each at its packet's stamp.

        Raises:
            CaptureError: it is no key image and those before it are unknown, or it is damaged.
        """
        import av

        if self._context is None:
            if not has_parameters(data, self.codec):
                self.waited_for += 1
                raise CaptureError(
                    f"{self.codec}: waiting for a key image with its parameters, {self.waited_for} packets so far; "
                    "a camera sends one now and then (the encoder's GOP size)"
                )
            self._context = av.CodecContext.create(self.codec, "r")
            self._context.thread_count = 1  # threads would hold images back
            self._context.options = BOUNDED
        packet = av.Packet(data)
        packet.pts = stamp_ns
        try:
            images = self._context.decode(packet)
        except av.error.FFmpegError as error:
            self._context = None
            raise CaptureError(f"{self.codec}: damaged packet of {len(data)} bytes") from error
        self.waited_for = 0
        return [StampedImage(image.pts, image) for image in images if not image.is_corrupt]

    def flush(self) -> list[StampedImage]:
        """Return the images that a stream with images out of order still holds back; the stream is at its end."""
        context, self._context = self._context, None
        return [] if context is None else [StampedImage(image.pts, image) for image in context.decode(None)]


def has_parameters(data: bytes, codec: str) -> bool:
    """Tell whether a packet brings the sequence's parameters, as a key image does from which one can start."""
    units = [data[match.end()] for match in START_CODE.finditer(data) if match.end() < len(data)]
    if codec == "h264":
        return any(unit & 0x1F == 7 for unit in units)
    return any((unit >> 1) & 0x3F == 33 for unit in units)
