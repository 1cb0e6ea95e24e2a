"""Video files, by PyAV: frames with their own time stamps, upright."""

import logging
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
from campose_core.trajectory import stamp_from_seconds

if TYPE_CHECKING:
    import av

log = logging.getLogger(__name__)

CUT = "file cut off or damaged"


class VideoRecording:
    """The frames of a video file.

    Stamps are the presentation times the file holds, in nanoseconds: never a frame number over a frame rate, which is
    wrong for the variable-rate video of phones. The display rotation is applied to the pixels, so that a camera given
    for a video is the camera of the image as a player shows it. A video knows no intrinsics: `camera` is None.

    A file that was cut off yields what can be decoded; `dropped` and a line on stderr tell what is missing.

    Raises:
        CaptureError: no video, or not readable at all; from `frames`, also when not one frame can be decoded.
    """

    form = "a video file"
    has_topics = False
    camera: Camera | None = None
    calibrated = False

    @staticmethod
    def recognizes(path: Path) -> bool:
        """Accept any file: whether it is one shows when it is opened."""
        return path.is_file()

    def __init__(self, path: Path, name: str | None = None) -> None:
        self.path = path
        self.name = name or path.stem
        self.dropped: dict[str, int] = Counter()
        with _opened(path):
            pass

    def describe(self) -> dict[str, str]:
        return {"kind": "video", "path": str(self.path)}

    def frames(self, fps: float | None = None) -> Iterator[Frame]:
        """Yield frames named by their number in the video.

        Raises:
            CaptureError: not one frame can be decoded.
        """
        self.dropped.clear()
        for stamp_ns, (number, image) in thinned(self._images(), fps):
            pixels: Image = np.asarray(image.to_ndarray(format="rgb24"), dtype=np.uint8)
            if image.rotation:
                pixels = np.ascontiguousarray(np.rot90(pixels, self._quarter_turns(image.rotation)))
            yield Frame(stamp_ns, pixels, self.name, f"{number:06d}")

    def _quarter_turns(self, rotation_deg: int) -> int:
        # av_display_rotation_get: degrees counter-clockwise, as numpy.rot90 turns.
        if rotation_deg % 90:
            raise CaptureError(f"{self.path}: is to be shown turned by {rotation_deg} degrees; only quarter turns work")
        return rotation_deg // 90

    def _images(self) -> "Iterator[tuple[int, tuple[int, av.VideoFrame]]]":
        with _opened(self.path) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            number, last_ns = -1, None
            for number, image in enumerate(self._decoded(container, stream)):
                stamp_ns = _nanoseconds(image.pts, image.time_base)
                if stamp_ns is None:
                    self.dropped["no time stamp"] += 1
                elif image.is_corrupt:
                    self.dropped["damaged frame"] += 1
                elif last_ns is not None and stamp_ns <= last_ns:
                    self.dropped["time stamp does not increase"] += 1
                else:
                    last_ns = stamp_ns
                    yield stamp_ns, (number, image)
            if last_ns is None:
                reasons = ", ".join(f"{count} x {reason}" for reason, count in self.dropped.items())
                raise CaptureError(f"{self.path}: not one frame can be decoded ({reasons or 'the video is empty'})")
            self._report_cut(stream, last_ns, frames=number + 1)

    def _decoded(self, container: Any, stream: Any) -> "Iterator[av.VideoFrame]":
        import av

        packets = container.demux(stream)
        flushed = False
        while not flushed:
            try:
                packet = next(packets)
            except av.error.FFmpegError as error:
                log.info(f"{self.path}: reading stopped: {error.strerror}")
                self.dropped[CUT] += 1
                packet = av.Packet()
                packet.stream = stream
            if packet.size == 0 and packet.dts is not None:
                continue
            flushed = packet.size == 0  # the last packet makes the decoder give the frames it still holds back
            try:
                yield from packet.decode()
            except av.error.FFmpegError:
                self.dropped["undecodable packet"] += 1

    def _report_cut(self, stream: Any, last_ns: int, frames: int) -> None:
        """Compare what was decoded with the length and number of frames that the header promises, if it does."""
        missing = max(0, stream.frames - frames)
        end_ns = _promised_end_ns(stream)
        too_short = end_ns is not None and end_ns - last_ns > 1_000_000_000
        if too_short or missing > 2 + frames // 50:
            self.dropped[CUT] = max(1, missing)
            promise = f"{end_ns / 1e9:.3f} s" if end_ns is not None and too_short else f"{stream.frames} frames"
            log.info(f"{self.path}: cut off or damaged: {frames} frames up to {last_ns / 1e9:.3f} s, of {promise}")


def _promised_end_ns(stream: Any) -> int | None:
    start_ns = _nanoseconds(stream.start_time, stream.time_base) or 0
    duration_ns = _nanoseconds(stream.duration, stream.time_base)
    if duration_ns is None and "DURATION" in stream.metadata:  # Matroska: hh:mm:ss.nnnnnnnnn
        try:
            hours, minutes, seconds = stream.metadata["DURATION"].split(":")
            duration_ns = (int(hours) * 60 + int(minutes)) * 60_000_000_000 + stamp_from_seconds(seconds)
        except (ValueError, ArithmeticError):
            return None
    return None if duration_ns is None else start_ns + duration_ns


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
    if container.streams.video[0].codec_context is None:
        container.close()
        raise CaptureError(f"{path}: its video codec is unknown")
    return container


def _nanoseconds(ticks: int | None, time_base: Fraction | None) -> int | None:
    if ticks is None or time_base is None:
        return None
    return round(ticks * time_base * 1_000_000_000)
