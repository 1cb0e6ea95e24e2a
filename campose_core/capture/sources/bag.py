"""An image topic of a bag as a recording."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from campose_core.bag.bag import Bag, Topic
from campose_core.bag.camera_info import InfoCamera, find_info_topic, first_camera, read_camera_info
from campose_core.bag.clock import AS_RECORDED, BagClock, UsableStamps
from campose_core.bag.file import is_bag, open_bag
from campose_core.bag.image_messages import IMAGE_TYPES, ImageDecoder, StampedImage, base_topic, image_frame
from campose_core.bag.images import StampOrder, read_image_stamps
from campose_core.camera import Camera
from campose_core.capture.thinning import thinned
from campose_core.errors import CaptureError
from campose_core.frame import Frame
from campose_core.pixels.image_codec import DEPTH, deep_values
from campose_core.pixels.levels import Levels

log = logging.getLogger(__name__)

LOOKED_AT = 24  # images of a recording, to see which values of 16 bits it uses
DRAWN = "/matches/compressed"  # what the localizer drew onto an image, recorded beside it: no image of a camera


class BagRecording:
    """The images of one topic, with their header stamps (or what stands in for them, see `stamps`), and the intrinsics
    of its camera_info topic.

    topic: None takes the only image topic of the bag; those without messages, and depth, count where no other is.

    A bag that was cut off yields what is whole; `dropped` and a line on stderr tell what is missing.

    Raises:
        CaptureError: not a readable bag; no image topic, or none by that name (the message lists those there are);
            from `frames`, also when not one message holds an image.
    """

    form = "a ROS 1 .bag file, a ROS 2 bag folder, a bare .mcap or .db3 file of one, or a folder of these"
    has_topics = True

    @staticmethod
    def recognizes(path: Path) -> bool:
        return is_bag(path)

    def __init__(self, path: Path, topic: str | None = None, name: str | None = None) -> None:
        self.path = path
        self.name = name or path.resolve().stem
        self.dropped: dict[str, int] = Counter()
        self._clock = AS_RECORDED  # of another camera of a rig
        with open_bag(path) as bag:
            self.topic = _image_topic(bag, topic)
            self.info_topic, said = find_info_topic(bag, self.topic)
            if said:
                log.info(f"{path}: {said}")
            known = self._camera(bag)
        self.camera: Camera | None = known and known.camera
        self.calibrated = known is not None and not known.doubt
        self._levels: Levels | None = None

    def describe(self) -> dict[str, Any]:
        """Say where it came from; after `frames`, also what was done to the stamps and to 16 bit values."""
        repaired = {"stamps": self.stamps.done} if "stamps" in vars(self) and self.stamps.done else {}
        clock = self.clock.to_dict() if "stamps" in vars(self) else {}
        values = {"values": self._levels.said} if self._levels and self._levels.said else {}
        return {
            "kind": "bag",
            "path": str(self.path),
            "topic": self.topic,
            **repaired,
            **({"clock": clock} if clock else {}),
            **values,
        }

    @cached_property
    def stamps(self) -> UsableStamps:
        """Return those of all messages of the topic, once it was read through; a line tells what was done to them."""
        with open_bag(self.path) as bag:
            found = read_image_stamps(bag, self.topic, self._clock)
        if found.done:
            log.info(f"{self.path}: stamps of {self.topic}: {found.done}")
        return found

    @property
    def clock(self) -> BagClock:
        """Return the clock for what else is read of this bag and compared with its images."""
        return self.stamps.clock if self._clock == AS_RECORDED else self._clock

    def first_camera_frame(self) -> str:
        """Return the frame that the first message names; empty where none does."""
        with open_bag(self.path) as bag:
            images = (message for _, message in bag.messages(self.topic) if not isinstance(message, CaptureError))
            first = next(images, None)
            return "" if first is None else image_frame(first)

    def frames(self, fps: float | None = None) -> Iterator[Frame]:
        """Yield frames named by the number of their message on the topic.

        Raises:
            CaptureError: not one message holds an image that can be decoded; or several cameras take turns.
        """
        self.dropped.clear()
        self._reason = "the topic is empty"
        decoded = 0
        with open_bag(self.path) as bag:
            if self._levels is None:
                self._levels = self._looked_at(bag)
            for _, (number, image) in thinned(self._images(bag), fps):
                try:
                    frame = image.frame(f"{number:06d}")
                except CaptureError as error:
                    self._refuse(error)
                    continue
                decoded += 1
                yield frame
            if bag.damage:
                self.dropped["bag damaged or cut off"] += 1
                log.info(f"{self.path}: {bag.damage}; {decoded} images read")
        bad = self.dropped.get("undecodable image", 0)
        if decoded and bad:
            log.info(f"{self.path}: {bad} images on {self.topic} cannot be decoded, the last: {self._reason}")
        if not decoded:
            if self.dropped.get("zero stamp"):
                self._reason = "neither its header stamps nor log times tell when they were taken: record it again"
            counts = ", ".join(f"{count} {what}" for what, count in self.dropped.items())
            raise CaptureError(
                f"{self.path}: no usable image on {self.topic}: {self._reason}" + f" ({counts})" * bool(counts)
            )

    def _images(self, bag: Bag) -> Iterator[tuple[int, tuple[int, StampedImage]]]:
        """All of them, of which only the chosen ones are decoded; of a video all packets are."""
        order, decoder = StampOrder(self.dropped, self.stamps.stamps_ns), ImageDecoder(self._levels)
        seen: list[str] = []
        for number, (_, message) in enumerate(bag.messages(self.topic)):
            if not order.accepts(message):
                if isinstance(message, CaptureError) and not self.dropped.get("undecodable image"):
                    self._reason = str(message)
                continue
            frame = image_frame(message)
            if frame not in ("", *seen[-1:]):
                self._refuse_turns(frame, seen)
                seen.append(frame)
            try:
                for image in decoder.feed(message):
                    yield image.stamp_ns, (number, image)
            except CaptureError as error:
                self._refuse(error)

    def _refuse_turns(self, frame: str, seen: list[str]) -> None:
        """Refuse a frame (of header.frame_id) that comes back after another one: a driver that is renamed does not."""
        if frame in seen:
            raise CaptureError(
                f"{self.path}: the images of {self.topic} are of the frames {seen[-1]} and {frame} in turns: several "
                "cameras publish on one topic, and a source needs one; record each on a topic of its own"
            )

    def _looked_at(self, bag: Bag) -> Levels:
        """Return the levels of 16 bit images, by some from all over the recording."""
        levels = Levels()
        count = next(topic.messages for topic in bag.topics if topic.name == self.topic)
        for number, (_, message) in enumerate(bag.messages(self.topic)):
            if isinstance(message, CaptureError) or number % max(1, count // LOOKED_AT):
                continue
            try:
                values = deep_values(message)
            except CaptureError:
                continue
            if values is None:
                break  # nor are the others
            levels.look_at(values)
        levels.fixed = True
        if levels.said:
            log.info(f"{self.path}: {self.topic}: {levels.said}")
        return levels

    def _refuse(self, error: CaptureError) -> None:
        self.dropped["undecodable image"] += 1
        self._reason = str(error)

    def _camera(self, bag: Bag) -> InfoCamera | None:
        if self.info_topic is None:
            return None
        found, useless, reason = first_camera(bag.messages(self.info_topic), self._rectified)
        if found is None:
            if useless:
                log.info(f"{bag.path}: {self.info_topic} is not used: {reason}")
        elif found.doubt:
            log.info(f"{bag.path}: {self.info_topic}: {found.doubt}")
        elif useless:
            log.info(f"{bag.path}: the first {useless} of {self.info_topic} are left out: {reason}")
        return found

    @property
    def _rectified(self) -> bool:
        return "rect" in base_topic(self.topic).rsplit("/", 1)[-1]

    def camera_of(self, info: Any) -> InfoCamera:
        """Return the camera that a message of info_topic describes; see `read_camera_info`."""
        return read_camera_info(info, self._rectified)


def _image_topic(bag: Bag, wanted: str | None) -> str:
    images = [topic for topic in bag.topics if topic.msgtype in IMAGE_TYPES and not topic.name.endswith(DRAWN)]
    if not images:
        others = "; ".join(f"{topic.name} ({topic.msgtype})" for topic in bag.topics) or "nothing"
        raise CaptureError(f"{bag.path}: no image topic; it holds {others}")
    if wanted is None:
        pictures = [topic for topic in images if topic.messages and not topic.name.endswith(f"/{DEPTH}")] or images
        if len(pictures) > 1:
            raise CaptureError(f"{bag.path}: several image topics, choose one with --topic: {_listed(pictures)}")
        return pictures[0].name
    if wanted not in {topic.name for topic in images}:
        raise CaptureError(f"{bag.path}: no image topic {wanted!r}; it has: {_listed(images)}")
    return wanted


def _listed(topics: Sequence[Topic]) -> str:
    return "; ".join(f"{t.name} ({t.messages} {t.msgtype.rsplit('/', 1)[1]})" for t in topics)
