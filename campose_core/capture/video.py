"""Video files, by PyAV: frames with their own time stamps, upright."""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from campose_core.camera import Camera
from campose_core.capture.frame import Frame, Image
from campose_core.capture.thinning import thinned
from campose_core.errors import CaptureError
from campose_core.extras import load_extra
from campose_core.progress import say

if TYPE_CHECKING:
    import av

SUFFIXES = {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mts", ".m2ts", ".ts", ".mpg", ".mpeg", ".3gp", ".wmv"}


class VideoRecording:
    """The frames of a video file.

    Stamps are the presentation times the file holds, in nanoseconds: never a frame number over a frame rate, which is
    wrong for the variable-rate video of phones. The display rotation is applied to the pixels, so that a camera given
    for a video is the camera of the picture as a player shows it. A video knows no intrinsics: `camera` is None.

    A file that was cut off yields what can be decoded; `dropped` and a line on stderr tell what is missing.

    Raises:
        CaptureError: no video, or not readable at all; from `frames`, also when not one frame can be decoded.
    """

    camera: Camera | None = None
    calibrated = False

    def __init__(self, path: Path, name: str | None = None) -> None:
        self.path = path
        self.name = name or path.stem
        self.dropped: dict[str, int] = Counter()
        with _opened(path):
            pass

    def describe(self) -> dict[str, str]:
        return {"kind": "video", "path": str(self.path)}

    def frames(self, fps: float | None = None) -> Iterator[Frame]:
        """Frames named by their number in the video.

        Raises:
            CaptureError: not one frame can be decoded.
        """
        self.dropped.clear()
        for stamp_ns, (number, picture) in thinned(self._pictures(), fps):
            pixels: Image = np.asarray(picture.to_ndarray(format="rgb24"), dtype=np.uint8)
            if picture.rotation:
                pixels = np.ascontiguousarray(np.rot90(pixels, self._quarter_turns(picture.rotation)))
            yield Frame(stamp_ns, pixels, self.name, f"{number:06d}")

    def _quarter_turns(self, rotation_deg: int) -> int:
        # av_display_rotation_get: degrees counter-clockwise, as numpy.rot90 turns.
        if rotation_deg % 90:
            raise CaptureError(f"{self.path}: is to be shown turned by {rotation_deg} degrees; only quarter turns work")
        return rotation_deg // 90

    def _pictures(self) -> "Iterator[tuple[int, tuple[int, av.VideoFrame]]]":
        with _opened(self.path) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            last_ns: int | None = None
            for number, picture in enumerate(self._decoded(container, stream)):
                stamp_ns = _nanoseconds(picture.pts, picture.time_base)
                if stamp_ns is None:
                    self.dropped["no time stamp"] += 1
                elif picture.is_corrupt:
                    self.dropped["damaged"] += 1
                elif last_ns is not None and stamp_ns <= last_ns:
                    self.dropped["time stamp does not increase"] += 1
                else:
                    last_ns = stamp_ns
                    yield stamp_ns, (number, picture)
            if last_ns is None:
                reasons = ", ".join(f"{count} {reason}" for reason, count in self.dropped.items())
                raise CaptureError(f"{self.path}: not one frame can be decoded ({reasons or 'the video is empty'})")
            self._report_cut(stream, last_ns)

    def _decoded(self, container: Any, stream: Any) -> "Iterator[av.VideoFrame]":
        import av

        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError as error:
                self.dropped["file damaged or cut off"] += 1
                say(f"{self.path}: reading stopped: {error.strerror}")
                packet = av.Packet()  # an empty packet flushes the decoder
                packet.stream = stream
            if packet is None:
                return
            try:
                yield from packet.decode()
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self.dropped["undecodable packet"] += 1
            if packet.size == 0:
                return

    def _report_cut(self, stream: Any, last_ns: int) -> None:
        """Compare the last frame with the length the header promises; both are the file's own statements."""
        promised_ns = _nanoseconds(stream.duration, stream.time_base)
        if promised_ns is None:
            return
        end_ns = (_nanoseconds(stream.start_time, stream.time_base) or 0) + promised_ns
        if end_ns - last_ns > 1_000_000_000:
            self.dropped["file damaged or cut off"] = max(1, self.dropped["file damaged or cut off"])
            say(
                f"{self.path}: stopped at {last_ns / 1e9:.3f} s of {end_ns / 1e9:.3f} s: the file is damaged or cut off"
            )


def _opened(path: Path) -> Any:
    av = load_extra("av", "map")
    try:
        container = av.open(str(path))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CaptureError(
            f"{path}: not a readable video ({reason}); one that was cut off may have lost the index at its end"
        ) from error
    if not container.streams.video:
        container.close()
        raise CaptureError(f"{path}: holds no video stream")
    return container


def _nanoseconds(ticks: int | None, time_base: Fraction | None) -> int | None:
    if ticks is None or time_base is None:
        return None
    return round(ticks * time_base * 1_000_000_000)
