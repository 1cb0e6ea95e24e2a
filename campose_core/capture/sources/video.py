"""Video files, by PyAV: frames with their own time stamps, upright."""

import logging
import re
import struct
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from campose_core.camera import Camera
from campose_core.capture.thinning import thinned
from campose_core.errors import CaptureError
from campose_core.extras import load_extra
from campose_core.frame import Frame, Image
from campose_core.pixels.levels import Levels
from campose_core.pixels.video_packets import BOUNDED
from campose_core.trajectory import stamp_from_seconds

if TYPE_CHECKING:
    import av

log = logging.getLogger(__name__)

CUT = "file cut off or damaged"
NEARLY_SQUARE, MOST_STRETCHED = 0.01, 4  # what a header says beyond is a mistake
DEEP_GREY, LOOK_EVERY = r"gray(9|1\d)(le|be)", 10  # images that are looked at, to see which values are used
RAW_FORMATS, RAW_RATE = ("h264", "hevc"), 30  # raspivid and libcamera-vid record as many a second unless told otherwise


class VideoRecording:
    """The frames of a video file.

    Stamps are the presentation times the file holds, in nanoseconds: never a frame number over a frame rate, which is
    wrong for the variable-rate video of phones. Only of a raw H.264 or H.265 stream, which holds none, images come at
    the rate that the stream names, else at RAW_RATE. The display matrix is applied to the pixels, so that a camera
    given for a video is the camera of the image as a player shows it. A video knows no intrinsics: `camera` is None.

    Of several streams the largest that moves is taken; a line tells which. Pixels that are not square are stretched
    until they are, and grey of more than 8 bits as in bags; lines tell both.

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
        self._stamps = ""
        self._levels: Levels | None = None  # of grey images of more than 8 bits
        with _opened(path) as container:
            chosen, streams = _chosen(path, container), container.streams.video
            self.stored_size = (chosen.codec_context.width, chosen.codec_context.height)  # before it is turned upright
            self._square_size = _square_size(chosen)
            self._is_deep = re.fullmatch(DEEP_GREY, str(chosen.codec_context.pix_fmt)) is not None
            if self._square_size is not None:
                size = "x".join(map(str, self._square_size))
                log.info(f"{path}: its pixels are not square, as it says: images are stretched to {size}")
            if len(streams) > 1:
                others = ", ".join(_described(stream) for stream in streams if stream.index != chosen.index)
                log.info(f"{path}: of its video streams {_described(chosen)} is taken, not {others}")

    def describe(self) -> dict[str, str]:
        """After `frames`, also where stamps come from that the file does not hold."""
        return {"kind": "video", "path": str(self.path), **({"stamps": self._stamps} if self._stamps else {})}

    def frames(self, fps: float | None = None) -> Iterator[Frame]:
        """Yield frames named by their number in the video.

        Raises:
            CaptureError: not one frame can be decoded.
        """
        self.dropped.clear()
        yield from self._upright_frames(thinned(self._images(), fps))

    def numbered(self, numbers: Collection[int]) -> Iterator[Frame]:
        """Yield, as `frames`, those of these numbers that the video holds."""
        self.dropped.clear()
        yield from self._upright_frames(item for item in self._images() if item[1][0] in numbers)

    def _upright_frames(self, images: "Iterable[tuple[int, tuple[int, av.VideoFrame]]]") -> Iterator[Frame]:
        if self._is_deep and self._levels is None:
            self._levels = self._looked_at()
        rotation_deg: int | None = None
        shown: Callable[[Image], Image] = _upright
        for stamp_ns, (number, image) in images:
            pixels = self._pixels(image)
            if image.rotation != rotation_deg:  # a matrix that is read keeps its image in memory: once for all alike
                rotation_deg, shown = image.rotation, self._as_shown(image)
            yield Frame(stamp_ns, shown(pixels), self.name, f"{number:06d}")

    def _pixels(self, image: "av.VideoFrame") -> Image:
        width, height = self._square_size or (image.width, image.height)
        if self._levels is None:
            return np.asarray(image.to_ndarray(format="rgb24", width=width, height=height), dtype=np.uint8)
        grey = self._levels.to_bytes(np.asarray(image.to_ndarray(format="gray16le", width=width, height=height)))
        return np.repeat(grey[..., None], 3, axis=2)

    def _looked_at(self) -> Levels:
        """Return the levels of grey images of more than 8 bits, by some from all over the video."""
        import av

        levels = Levels()
        with _opened(self.path) as container:
            try:
                for number, image in enumerate(container.decode(_chosen(self.path, container))):
                    if number % LOOK_EVERY == 0:
                        levels.look_at(np.asarray(image.to_ndarray(format="gray16le")))
            except av.error.FFmpegError:
                pass  # said when it is read
        levels.fixed = True
        if levels.said:
            log.info(f"{self.path}: {levels.said}")
        return levels

    def _as_shown(self, image: "av.VideoFrame") -> Callable[[Image], Image]:
        """Return turns and mirrors by the display matrix (ISO 14496-12): x' = a x + c y, y' = b x + d y."""
        matrix: Any = image.side_data.get("DISPLAYMATRIX")
        if matrix is None:
            return _upright
        a, b, _, c, d = struct.unpack_from("=5i", bytes(matrix))
        if max(abs(b), abs(c)) < min(abs(a), abs(d)) / 100:
            is_turned, across, down = False, a, d
        elif max(abs(a), abs(d)) < min(abs(b), abs(c)) / 100:
            is_turned, across, down = True, c, b
        else:
            angle = f"{image.rotation} degrees"
            raise CaptureError(f"{self.path}: is to be shown turned by {angle}; only quarter turns and mirrors work")

        def shown(pixels: Image) -> Image:
            turned = pixels.swapaxes(0, 1) if is_turned else pixels
            return np.ascontiguousarray(turned[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1])

        return shown

    def _images(self) -> "Iterator[tuple[int, tuple[int, av.VideoFrame]]]":
        with _opened(self.path) as container:
            stream = _chosen(self.path, container)
            raw_rate = self._raw_rate(container, stream)
            stream.thread_type = "AUTO"
            number, last_ns = -1, None
            for number, image in enumerate(self._decoded(container, stream)):
                stamp_ns = _nanoseconds(image.pts, image.time_base)
                if stamp_ns is None and raw_rate is not None:
                    stamp_ns = round(number * 1_000_000_000 / raw_rate)
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

    def _raw_rate(self, container: Any, stream: Any) -> Fraction | None:
        """Images a second of a raw stream; None of a file that holds time stamps."""
        if container.format.name not in RAW_FORMATS:
            return None
        named = stream.codec_context.framerate
        is_named = named is not None and 1 <= named <= 1000
        rate, source = (named, "as it says") if is_named else (RAW_RATE, "since it does not say")
        if not self._stamps:
            self._stamps = f"a raw stream without time stamps: {float(rate):g} images a second, {source}"
            log.info(f"{self.path}: {self._stamps}")
        return Fraction(rate)

    def _decoded(self, container: Any, stream: Any) -> "Iterator[av.VideoFrame]":
        import av

        packets = container.demux(stream)
        flushed = False
        while not flushed:
            try:
                packet = next(packets)
            except av.error.FFmpegError as error:
                log.info(f"{self.path}: {_why(error)}: what came before is used; for the rest copy the file once more")
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


def _square_size(stream: Any) -> tuple[int, int] | None:
    """Return the width and height at which pixels are square; None where they are already."""
    ratio = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    width, height = stream.codec_context.width, stream.codec_context.height
    if not ratio or abs(float(ratio) - 1) < NEARLY_SQUARE or not 1 / MOST_STRETCHED < ratio < MOST_STRETCHED:
        return None
    return (round(width * ratio), height) if ratio > 1 else (width, round(height / ratio))


def _upright(pixels: Image) -> Image:
    return pixels


def _promised_end_ns(stream: Any) -> int | None:
    start_ns = _nanoseconds(stream.start_time, stream.time_base) or 0
    duration_ns = _nanoseconds(stream.duration, stream.time_base)
    if duration_ns is None and "DURATION" in stream.metadata:  # Matroska: hh:mm:ss.nnnnnnnnn
        try:
            hours, minutes, seconds = stream.metadata["DURATION"].split(":")
            # The end, counted from zero, also of what begins later.
            return (int(hours) * 60 + int(minutes)) * 60_000_000_000 + stamp_from_seconds(seconds)
        except (ValueError, ArithmeticError):
            return None
    return None if duration_ns is None else start_ns + duration_ns


def _opened(path: Path) -> Any:
    av = load_extra("av", "robot")
    try:
        container = av.open(str(path.absolute()))  # FFmpeg takes what stands before the colon of a:b.mp4 for a protocol
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise CaptureError(
            f"{path}: not a readable video ({_why(error)}); one that was cut off may have lost the index at its end: "
            "copy it from the camera once more, or record anew; another kind of file: convert it to MP4"
        ) from error
    return container


def _why(error: Exception) -> str:
    """Return in our words why a file cannot be read on."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "it may not be read: allow it with `chmod u+r`"
    if isinstance(error, EOFError):
        return "it ends before any image"
    return "its data are no video, or damaged"


def _chosen(path: Path, container: Any) -> Any:
    """Return the largest video stream, of equal ones the default; no image beside a video, and what can be decoded.

    Raises:
        CaptureError: there is none.
    """
    from av.stream import Disposition

    beside = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    moving = [stream for stream in container.streams.video if not stream.disposition & beside]
    if not moving:
        raise CaptureError(f"{path}: holds no video stream")
    known = [stream for stream in moving if stream.codec_context is not None]
    if not known:
        raise CaptureError(f"{path}: its video codec is unknown")
    most = max(stream.frames for stream in known)  # 0 where the file does not tell
    often = [stream for stream in known if not stream.frames or 10 * stream.frames >= most]  # no thumbnails
    chosen = max(often, key=lambda s: (s.width * s.height, bool(s.disposition & Disposition.default), -s.index))
    chosen.codec_context.options = BOUNDED
    return chosen


def _described(stream: Any) -> str:
    codec = stream.codec_context
    return f"{codec.width}x{codec.height} {codec.name}" if codec is not None else "one of an unknown codec"


def _nanoseconds(ticks: int | None, time_base: Fraction | None) -> int | None:
    if ticks is None or time_base is None:
        return None
    return round(ticks * time_base * 1_000_000_000)
