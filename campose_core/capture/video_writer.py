"""Video files written from frames, with the frames' own time stamps (PyAV, H.264 in MP4)."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

from campose_core.errors import CaptureError
from campose_core.extras import load_extra
from campose_core.files import replacing
from campose_core.frame import Frame

TIME_BASE = Fraction(1, 90_000)  # seconds; the clock of MPEG video
CODECS = (("libx264", {"crf": "18", "preset": "veryfast", "bf": "0"}), ("mpeg4", {"q:v": "2"}))


def write_video(path: Path, frames: Iterable[Frame]) -> int:
    """Write the MP4 file `path`, whole or not at all. Returns the number of frames.

    Presentation times are the stamps, rounded to 1/90000 s: a video that starts at a stamp of 1 s shows its first
    frame one second after the start.

    Raises:
        CaptureError: no frames, stamps that do not increase, or sizes that differ or are odd.
    """
    av: Any = load_extra("av", "map")
    codec, options = next(entry for entry in CODECS if entry[0] in av.codecs_available)
    count, last_ns = 0, -1
    with replacing(path) as beside, av.open(str(beside), "w", format="mp4") as container:
        stream = container.add_stream(codec, options=options)
        stream.pix_fmt, stream.time_base, stream.codec_context.time_base = "yuv420p", TIME_BASE, TIME_BASE
        stream.codec_context.gop_size = 30
        for frame in frames:
            height, width = frame.image.shape[:2]
            if count == 0:
                if width % 2 or height % 2:
                    raise CaptureError(f"{path}: a video needs an even width and height, got {width}x{height}")
                stream.width, stream.height = width, height
            if (width, height) != (stream.width, stream.height):
                raise CaptureError(
                    f"{path}: frame {frame.name} is {width}x{height}, the first {stream.width}x{stream.height}"
                )
            if frame.stamp_ns <= last_ns:
                raise CaptureError(f"{path}: the stamp of frame {frame.name} is not later than the one before")
            image = av.VideoFrame.from_ndarray(frame.image, format="rgb24")
            image.pts, image.time_base = round(frame.stamp_ns * TIME_BASE.denominator / 10**9), TIME_BASE
            container.mux(stream.encode(image))
            count, last_ns = count + 1, frame.stamp_ns
        if count == 0:
            raise CaptureError(f"{path}: there are no frames to write into a video")
        container.mux(stream.encode(None))
    return count
