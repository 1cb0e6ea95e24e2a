"""When each image of a video was shown: by the stamps of packets, put right where a file keeps them in another way."""

from bisect import insort
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from heapq import heappop, heappush
from statistics import median_low
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

RAW_RATE = 30  # raspivid, libcamera-vid and most cameras record as many images a second unless told otherwise
AT_RATE = "`ffmpeg -r RATE -i OLD -crf 15 NEW.mp4`"
HIGHEST_RATE = 1000  # from here on it is the unit of a clock, as in MPEG-4
RESTART_S = 0.2  # a clock that goes back further has started again
NEAR_S = 0.5  # behind where a clock was left, it is that clock again
MOST_REORDERED = 16  # images that H.264 and H.265 hold back at most, to show them in their order
STEPS = 99  # the last ones, which tell the usual one


def nanoseconds(ticks: int | None, time_base: Fraction | None) -> int | None:
    """Return a stamp in nanoseconds; None where there is none."""
    return None if ticks is None or time_base is None else round(ticks * time_base * 1_000_000_000)


def raw_rate(container: Any, stream: Any) -> tuple[Fraction, str] | None:
    """Return the images a second of a stream without time stamps, and where that is from; None of a file with stamps.

    FFmpeg invents stamps of 25 a second for such streams.
    """
    from av.format import Flags

    form = container.format
    if not form.flags & Flags.no_timestamps.value and not form.name.endswith("_pipe"):  # JPEG files behind each other
        return None
    named = stream.codec_context.framerate
    is_named = named is not None and 1 <= named < HIGHEST_RATE
    rate, source = (named, "as it says") if is_named else (RAW_RATE, f"since it does not say; if not so: {AT_RATE}")
    return Fraction(rate), f"a raw stream without time stamps: {float(rate):g} images a second, {source}"


class PacketClock:
    """Gives packets, in the order of the file, presentation times on one clock.

    A clock that starts again, as where MPEG-TS files were put behind each other, goes on one image after the last.
    AVI holds no presentation times: the place of a packet is one of them, though perhaps of another image.

    discarded: packets whose images are not to be shown. said: the first time it started again, in words.
    """

    def __init__(self, container: Any) -> None:
        self.discarded = 0
        self.said = ""
        self._is_avi = container.format.name == "avi"
        self._later = 0  # ticks that are added
        self._last_dts: int | None = None
        self._left: tuple[int, int] | None = None  # where the clock started again, and what was added before
        self._last_pts: int | None = None  # the largest
        self._steps: deque[int] = deque(maxlen=STEPS)

    def put_right(self, packet: Any) -> None:
        """Change the packet's `pts`, which its image will have."""
        self.discarded += packet.is_discard
        if self._is_avi:
            packet.pts = packet.dts
        if packet.dts is None:
            return
        if self._last_dts is not None:
            step, left, self._left = packet.dts - self._last_dts, self._left, None
            if left is not None and 0 < (packet.dts - left[0]) * packet.time_base < NEAR_S:
                self._later = left[1]  # one stamp was wrong, and not the clock
            elif step * packet.time_base < -RESTART_S:
                self._left = (self._last_dts, self._later)
                self._start_again(packet, -step)
            elif step > 0:
                self._steps.append(step)
        self._last_dts = packet.dts
        if packet.pts is not None:
            packet.pts += self._later
            self._last_pts = packet.pts if self._last_pts is None else max(self._last_pts, packet.pts)

    def _start_again(self, packet: Any, back: int) -> None:
        start, last = packet.dts if packet.pts is None else packet.pts, self._last_pts or 0
        self._later = last + (median_low(self._steps) if self._steps else 1) - start
        if not self.said:
            after_s, back_s = float(last * packet.time_base), float(back * packet.time_base)
            self.said = (
                f"its clock goes back by {back_s:.3f} s after {after_s:.3f} s, as of files that were joined: "
                "what follows continues there"
            )


class ShownOrder(Generic[Item]):
    """Gives images, which a decoder returns in the order in which they are shown, the stamps of packets in order.

    Where packets are stamped by their own order, as in AVI, the stamp that an image brings is that of its packet and
    not its own. Images wait until no earlier stamp can follow; those of rightly stamped files never do, unless a
    packet was lost.
    """

    def __init__(self) -> None:
        self._decoding: list[int] = []  # stamps of packets whose images have not come, sorted
        self._stamps: list[int] = []  # those of images that have, and wait: a heap
        self._waiting: deque[Item] = deque()

    def sent(self, stamp: int) -> None:
        """Take the stamp of a packet that is about to be decoded."""
        insort(self._decoding, stamp)

    def shown(self, stamp: int, item: Item, most: int = MOST_REORDERED) -> Iterator[tuple[int, Item]]:
        """Take an image; yield those whose stamp is known now. Never more than `most` wait."""
        if stamp in self._decoding:
            self._decoding.remove(stamp)
        heappush(self._stamps, stamp)
        self._waiting.append(item)
        while self._waiting:
            if self._decoding and self._decoding[0] < self._stamps[0]:
                if len(self._waiting) <= most:
                    return
                self._decoding.pop(0)  # its packet was lost
            else:
                yield heappop(self._stamps), self._waiting.popleft()

    def rest(self) -> Iterator[tuple[int, Item]]:
        """Yield what still waits, at the end."""
        while self._waiting:
            yield heappop(self._stamps), self._waiting.popleft()
