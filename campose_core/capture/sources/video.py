"""Video files, by PyAV: frames with their own time stamps, upright."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from campose_core.camera import Camera
from campose_core.capture.joined_films import joined_films
from campose_core.capture.thinning import thinned
from campose_core.capture.video_file import (
    chosen_stream,
    cut_index,
    described,
    missing_at_end,
    opened,
    why,
)
from campose_core.capture.video_stamps import MOST_REORDERED, PacketClock, ShownOrder, nanoseconds, raw_rate
from campose_core.errors import CaptureError
from campose_core.frame import Frame, Image
from campose_core.pixels.levels import Levels
from campose_core.pixels.video_pixels import as_shown, as_stored, deep_form, pixels_of, refuse_panorama, square_size

if TYPE_CHECKING:
    import av

log = logging.getLogger(__name__)

CUT = "file cut off or damaged"
LOOK_EVERY = 10  # images that are looked at, to see which values are used


class VideoRecording:
    """The frames of a video file.

    Stamps are the presentation times the file holds, in nanoseconds: never a frame number over a frame rate, which is
    wrong for the variable-rate video of phones. Only of a raw stream, which holds none, images come at the rate that
    the stream names, else at RAW_RATE; a clock that starts again goes on. The display matrix is applied to the pixels,
    so that a camera given for a video is the camera of the image as a player shows it. A video knows no intrinsics:
    `camera` is None.

    Of several streams the largest that moves is taken; a line tells which. Pixels that are not square are stretched
    until they are, and grey or RGB of more than 8 bits as in bags; lines tell both.

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
        self._is_interlaced = False
        self._levels = Levels()  # of images of more than 8 bits
        with opened(path) as container:
            chosen, streams = chosen_stream(path, container), container.streams.video
            self.stored_size = (chosen.codec_context.width, chosen.codec_context.height)  # before it is turned upright
            self._square_size, self._deep_form = square_size(chosen), deep_form(chosen)
            joined = joined_films(path, container)
            if joined:
                log.info(f"{path}: {joined}")
            if self._square_size is not None:
                size = "x".join(map(str, self._square_size))
                log.info(f"{path}: its pixels are not square, as it says: images are stretched to {size}")
            if len(streams) > 1:
                others = ", ".join(described(stream) for stream in streams if stream.index != chosen.index)
                log.info(f"{path}: of its video streams {described(chosen)} is taken, not {others}")

    def describe(self) -> dict[str, str]:
        """After `frames`, also where stamps come from that the file does not hold, and what became of 16 bit values."""
        said = {"stamps": self._stamps, "values": self._levels.said}
        return {"kind": "video", "path": str(self.path), **{name: what for name, what in said.items() if what}}

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
        self._look()
        rotation_deg: int | None = None
        shown: Callable[[Image], Image] = as_stored
        for stamp_ns, (number, image) in images:
            # One of another size keeps it, which is told where it counts.
            square_size = self._square_size if (image.width, image.height) == self.stored_size else None
            pixels = pixels_of(image, square_size, self._deep_form, self._levels)
            if image.rotation != rotation_deg:  # a matrix that is read keeps its image in memory: once for all alike
                rotation_deg, shown = image.rotation, self._as_shown(image)
            yield Frame(stamp_ns, shown(pixels), self.name, f"{number:06d}")

    def _look(self) -> None:
        """Choose the levels of images of more than 8 bits, by some from all over the video."""
        import av

        if self._deep_form is None or self._levels.fixed:
            return
        with opened(self.path) as container:
            try:
                for number, image in enumerate(container.decode(chosen_stream(self.path, container))):
                    if number % LOOK_EVERY == 0:
                        self._levels.look_at(np.asarray(image.to_ndarray(format=self._deep_form)))
            except av.error.FFmpegError:
                pass  # said when it is read
        self._levels.fixed = True
        if self._levels.said:
            log.info(f"{self.path}: {self._levels.said}")

    def _as_shown(self, image: "av.VideoFrame") -> Callable[[Image], Image]:
        if image.interlaced_frame and not self._is_interlaced:
            self._is_interlaced = True
            log.info(
                f"{self.path}: its images are interlaced, as it says: if what moves looks like a comb, deinterlace it "
                "first (`ffmpeg -i OLD -vf bwdif=0 NEW.mp4`)"
            )
        try:
            refuse_panorama(image)
            return as_shown(image)
        except CaptureError as error:
            raise CaptureError(f"{self.path}: {error}") from error

    def _images(self) -> "Iterator[tuple[int, tuple[int, av.VideoFrame]]]":
        with opened(self.path) as container:
            stream, clock = chosen_stream(self.path, container), PacketClock(container)
            stream.thread_type = "AUTO"
            count, last_ns, longest_ns = 0, None, 0
            for stamp_ns, (number, image) in self._stamped(container, stream, clock):
                count += 1
                if stamp_ns is None:
                    self.dropped["no time stamp"] += 1
                elif image.is_corrupt:
                    self.dropped["damaged frame"] += 1
                elif last_ns is not None and stamp_ns <= last_ns:
                    self.dropped["time stamp does not increase"] += 1
                else:
                    longest_ns = max(longest_ns, stamp_ns - (stamp_ns if last_ns is None else last_ns))
                    last_ns = stamp_ns
                    yield stamp_ns, (number, image)
            if last_ns is None:
                reasons = ", ".join(f"{count} x {reason}" for reason, count in self.dropped.items())
                none = f"not one frame can be decoded ({reasons or 'the video is empty'})"
                raise CaptureError(f"{self.path}: {cut_index(self.path) or none}")
            missing = missing_at_end(stream, count, clock.discarded, last_ns, longest_ns)
            if missing is not None:
                self.dropped[CUT] = missing[0]
                log.info(f"{self.path}: {missing[1]}")

    def _stamped(
        self, container: Any, stream: Any, clock: PacketClock
    ) -> "Iterator[tuple[int | None, tuple[int, av.VideoFrame]]]":
        """Yield all images as they are shown, numbered, with their stamps."""
        raw, order = raw_rate(container, stream), ShownOrder["tuple[int, av.VideoFrame]"]()
        if raw is not None:
            self._say_stamps(raw[1])
        for number, image in enumerate(self._decoded(container, stream, clock, order)):
            if raw is not None:
                yield round(number * 1_000_000_000 / raw[0]), (number, image)
            elif image.pts is None:
                yield None, (number, image)
            else:
                most = MOST_REORDERED if stream.codec_context.has_b_frames else 0
                for ticks, item in order.shown(image.pts, (number, image), most):
                    yield nanoseconds(ticks, image.time_base), item
        for ticks, item in order.rest():
            yield nanoseconds(ticks, item[1].time_base), item

    def _say_stamps(self, what: str) -> None:
        if what and not self._stamps:
            self._stamps = what
            log.info(f"{self.path}: {what}")

    def _decoded(
        self, container: Any, stream: Any, clock: PacketClock, order: ShownOrder[Any]
    ) -> "Iterator[av.VideoFrame]":
        import av

        packets = container.demux(stream)
        flushed = False
        while not flushed:
            try:
                packet = next(packets)
            except av.error.FFmpegError as error:
                log.info(f"{self.path}: {why(error)}: what came before is used; for the rest copy the file once more")
                self.dropped[CUT] += 1
                packet = av.Packet()
                packet.stream = stream
            if packet.size == 0 and packet.dts is not None:
                continue
            clock.put_right(packet)
            self._say_stamps(clock.said)
            if packet.pts is not None and not packet.is_discard:
                order.sent(packet.pts)
            flushed = packet.size == 0  # the last packet makes the decoder give the frames it still holds back
            try:
                yield from packet.decode()
            except av.error.FFmpegError:
                self.dropped["undecodable packet"] += 1
