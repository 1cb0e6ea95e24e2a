"""An image topic of a bag as a recording."""

import logging
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from campose_core.camera import Camera
from campose_core.capture.bag.file import Bag, Topic, is_bag, open_bag
from campose_core.capture.bag.images import StampOrder, camera_from_info, read_image_stamps
from campose_core.capture.frame import Frame
from campose_core.capture.image_messages import IMAGE_TYPES, ImageDecoder, StampedImage, base_topic, image_frame
from campose_core.capture.thinning import thinned
from campose_core.clock import AS_RECORDED, BagClock, UsableStamps
from campose_core.errors import CamposeError, CaptureError

log = logging.getLogger(__name__)

DRAWN = "/matches/compressed"  # what the localizer drew onto an image, recorded beside it: no image of a camera


class BagRecording:
    """The images of one topic, with their header stamps (or what stands in for them, see `stamps`), and the intrinsics
    of the camera_info topic beside it.

    topic: None takes the only image topic of the bag.

    A bag that was cut off yields what is whole; `dropped` and a line on stderr tell what is missing.

    Raises:
        CaptureError: not a readable bag; no image topic, or none by that name (the message lists those there are);
            from `frames`, also when not one message holds an image.
    """

    form = "a ROS 1 .bag file, a ROS 2 bag folder, or a bare .mcap or .db3 file of one"
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
            self.info_topic = _info_topic(bag.topics, self.topic)
            self.camera = self._camera(bag)
        self.calibrated = self.camera is not None

    def describe(self) -> dict[str, Any]:
        """After `frames`, also what was done to the stamps."""
        repaired = {"stamps": self.stamps.done} if "stamps" in vars(self) and self.stamps.done else {}
        clock = self.clock.to_dict() if "stamps" in vars(self) else {}
        return {
            "kind": "bag",
            "path": str(self.path),
            "topic": self.topic,
            **repaired,
            **({"clock": clock} if clock else {}),
        }

    @cached_property
    def stamps(self) -> UsableStamps:
        """Those of all messages of the topic, once it was read through; a line tells what was done to them."""
        with open_bag(self.path) as bag:
            found = read_image_stamps(bag, self.topic, self._clock)
        if found.done:
            log.info(f"{self.path}: stamps of {self.topic}: {found.done}")
        return found

    @property
    def clock(self) -> BagClock:
        """For what else is read of this bag and compared with its images."""
        return self.stamps.clock if self._clock == AS_RECORDED else self._clock

    def first_camera_frame(self) -> str:
        """The frame that the first message names; empty where none does."""
        with open_bag(self.path) as bag:
            images = (message for _, message in bag.messages(self.topic) if not isinstance(message, CaptureError))
            first = next(images, None)
            return "" if first is None else image_frame(first)

    def frames(self, fps: float | None = None) -> Iterator[Frame]:
        """Frames named by the number of their message on the topic.

        Raises:
            CaptureError: not one message holds an image that can be decoded.
        """
        self.dropped.clear()
        self._reason = "the topic is empty"
        decoded = 0
        with open_bag(self.path) as bag:
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
        if not decoded:
            if self.dropped.get("zero stamp"):
                self._reason = "neither its header stamps nor log times tell when they were taken: record it again"
            counts = ", ".join(f"{count} {what}" for what, count in self.dropped.items())
            raise CaptureError(
                f"{self.path}: no usable image on {self.topic}: {self._reason}" + f" ({counts})" * bool(counts)
            )

    def _images(self, bag: Bag) -> Iterator[tuple[int, tuple[int, StampedImage]]]:
        """All of them, of which only the chosen ones are decoded; of a video all packets are."""
        order, decoder = StampOrder(self.dropped, self.stamps.stamps_ns), ImageDecoder()
        for number, (_, message) in enumerate(bag.messages(self.topic)):
            if not order.accepts(message):
                continue
            try:
                for image in decoder.feed(message):
                    yield image.stamp_ns, (number, image)
            except CaptureError as error:
                self._refuse(error)

    def _refuse(self, error: CaptureError) -> None:
        self.dropped["undecodable image"] += 1
        self._reason = str(error)

    def _camera(self, bag: Bag) -> Camera | None:
        for _, message in bag.messages(self.info_topic) if self.info_topic else ():
            if isinstance(message, CaptureError):
                continue
            try:
                return self.camera_of(message)
            except CamposeError as error:
                log.info(f"{bag.path}: {self.info_topic} is not used: {error}")
                return None
        return None

    def camera_of(self, info: Any) -> Camera:
        """The camera that a message of info_topic describes; see `camera_from_info`."""
        return camera_from_info(info, rectified="rect" in base_topic(self.topic).rsplit("/", 1)[-1])


def _image_topic(bag: Bag, wanted: str | None) -> str:
    images = [topic for topic in bag.topics if topic.msgtype in IMAGE_TYPES and not topic.name.endswith(DRAWN)]
    if not images:
        others = "; ".join(f"{topic.name} ({topic.msgtype})" for topic in bag.topics) or "nothing"
        raise CaptureError(f"{bag.path}: no image topic; it holds {others}")
    listed = "; ".join(f"{t.name} ({t.messages} {t.msgtype.rsplit('/', 1)[1]})" for t in images)
    if wanted is None:
        if len(images) > 1:
            raise CaptureError(f"{bag.path}: several image topics, choose one with --topic: {listed}")
        return images[0].name
    if wanted not in {topic.name for topic in images}:
        raise CaptureError(f"{bag.path}: no image topic {wanted!r}; it has: {listed}")
    return wanted


def _info_topic(topics: list[Topic], image_topic: str) -> str | None:
    """image_transport's rule: `camera_info` in the namespace of the image; some drivers put it below the image."""
    base = base_topic(image_topic)
    names = {topic.name for topic in topics if topic.msgtype == "sensor_msgs/msg/CameraInfo"}
    candidates = (f"{base.rsplit('/', 1)[0]}/camera_info", f"{base}/camera_info")
    return next((name for name in candidates if name in names), None)
