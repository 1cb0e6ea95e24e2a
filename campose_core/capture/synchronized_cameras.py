"""Several image topics of one bag as the cameras of a rig: images of one moment, and where each camera sits.

The cameras' places come from the bag's static transforms, in base_link where they lead to it, else in the first
camera's own frame. Cameras need not fire at once: images within TOLERANCE_NS are taken to be of one moment, which at
a brisk turn of 45 degrees a second is less than a degree.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from campose_core.bag.bag import Bag
from campose_core.bag.clock import AS_RECORDED, BagClock
from campose_core.bag.file import open_bag
from campose_core.bag.image_messages import StampedImage, base_topic
from campose_core.bag.tf import read_tf
from campose_core.bag.transforms import TransformTree
from campose_core.capture.sources.bag import BagRecording
from campose_core.capture.thinning import thinned
from campose_core.errors import CaptureError
from campose_core.frame import Frame
from campose_core.geometry import Pose
from campose_core.rig import Moment, Rig, moments

log = logging.getLogger(__name__)

TOLERANCE_NS = 20_000_000
BASE_FRAME = "base_link"


@dataclass(frozen=True, eq=False)
class RigRecording:
    """`cameras` in the order of their topics, each a recording; `rig` is None where no two images are of one moment."""

    cameras: list[RigCamera]
    rig: Rig | None


class RigCamera(BagRecording):
    """One camera of several: the frames chosen together with the other cameras'."""

    def __init__(self, path: Path, topic: str, name: str) -> None:
        super().__init__(path, topic, name)
        self.camera_frame = ""
        self._chosen: frozenset[int] | None = None

    def stamps_ns(self, clock: BagClock) -> list[int]:
        """Return the stamps of all usable messages; knows the camera's frame afterwards. clock: the first camera's."""
        stamps, self._clock = [], clock
        with open_bag(self.path) as bag:
            for stamp_ns, (_, image) in super()._images(bag):
                self.camera_frame = self.camera_frame or image.camera_frame.lstrip("/")
                stamps.append(stamp_ns)
        self.dropped.clear()
        return stamps

    def choose(self, stamps_ns: frozenset[int]) -> None:
        """Let `frames` yield the messages of these stamps."""
        self._chosen = stamps_ns

    def frames(self, fps: float | None = None) -> Iterator[Frame]:
        """Yield the frames chosen; they have been thinned already."""
        return super().frames()

    def _images(self, bag: Bag) -> Iterator[tuple[int, tuple[int, StampedImage]]]:
        return (entry for entry in super()._images(bag) if self._chosen is None or entry[0] in self._chosen)


def open_rig(path: Path, topics: Sequence[str], names: Sequence[str], fps: float | None = None) -> RigRecording:
    """Open the image topics of a bag, one source each, thinned to `fps` moments a second.

    Raises:
        CaptureError: no such image topic (those there are get listed), a camera without a single image, or two that
            never record at the same time.
    """
    cameras = [RigCamera(path, topic, name) for topic, name in zip(topics, names, strict=True)]
    stamps = {camera.name: camera.stamps_ns(cameras[0].clock if i else AS_RECORDED) for i, camera in enumerate(cameras)}
    for camera in cameras:
        if not stamps[camera.name]:
            raise CaptureError(f"{path}: not one usable message on {camera.topic}: leave the topic out")
    for camera in cameras[1:]:
        _check_common_time(path, cameras[0], camera, stamps)
    joined = moments({name: [(stamp, stamp) for stamp in list_] for name, list_ in stamps.items()}, TOLERANCE_NS)
    _say_partners(path, cameras, joined, stamps)
    taken = [moment for _, moment in thinned(((moment.stamp_ns, moment) for moment in joined), fps)]
    for camera in cameras:
        camera.choose(frozenset(moment.images[camera.name] for moment in taken if camera.name in moment.images))
    together = any(len(moment.images) > 1 for moment in joined)
    return RigRecording(cameras, read_rig(path, cameras) if together else None)


def read_rig(path: Path, cameras: Sequence[RigCamera]) -> Rig:
    """Read the rig by the static transforms of the bag; a place that they do not tell is unknown, and said so."""
    frame, places = mounted(read_tf(path), [camera.camera_frame for camera in cameras])
    unknown = [camera for camera, place in zip(cameras, places, strict=True) if place is None]
    if unknown:
        listed = ", ".join(f"{camera.name} ({camera.camera_frame or 'no frame_id'})" for camera in unknown)
        log.info(f"{path}: no static transform connects {listed} to {frame}: `campose map` estimates where it sits")
    return Rig(frame, {c.name: place for c, place in zip(cameras, places, strict=True)}, TOLERANCE_NS)


def mounted(tf: TransformTree, camera_frames: Sequence[str]) -> tuple[str, list[Pose | None]]:
    """Find the rig's frame and rig_from_cam of each camera frame, None where static links do not lead to it.

    Two cameras that name the same frame cannot both sit there: the later ones count as unknown.
    """
    first = camera_frames[0]
    frame = BASE_FRAME if tf.mounting(BASE_FRAME, first) is not None else first
    places = [tf.mounting(frame, name) if name else None for name in camera_frames]
    repeated = [name in camera_frames[:i] for i, name in enumerate(camera_frames)]
    return frame, [None if again else place for place, again in zip(places, repeated, strict=True)]


def camera_names(topics: Sequence[str]) -> list[str]:
    """Return a short name for each topic: what is left without the parts that all of them begin and end with.

    /front/image_raw and /left/image_raw are `front` and `left`.
    """
    parts = [base_topic(topic).strip("/").split("/") for topic in topics]
    while all(len(p) > 1 for p in parts) and len({p[-1] for p in parts}) == 1:
        parts = [p[:-1] for p in parts]
    while all(len(p) > 1 for p in parts) and len({p[0] for p in parts}) == 1:
        parts = [p[1:] for p in parts]
    names = ["_".join(p) for p in parts]
    return names if len(set(names)) == len(names) else [t.strip("/").replace("/", "_") for t in topics]


def _check_common_time(path: Path, first: RigCamera, other: RigCamera, stamps: dict[str, list[int]]) -> None:
    (a0, a1), (b0, b1) = ((s[0], s[-1]) for s in (stamps[first.name], stamps[other.name]))
    if b0 > a1 + TOLERANCE_NS or a0 > b1 + TOLERANCE_NS:
        raise CaptureError(
            f"{path}: {first.topic} covers {a0 / 1e9:.3f} .. {a1 / 1e9:.3f} s and {other.topic} {b0 / 1e9:.3f} .. "
            f"{b1 / 1e9:.3f} s: never at the same time, so they are no rig; extract them into scenes of their own"
        )


def _say_partners(
    path: Path, cameras: Sequence[RigCamera], joined: Sequence[Moment[int]], stamps: dict[str, list[int]]
) -> None:
    for camera in cameras:
        partnered = sum(camera.name in moment.images and len(moment.images) > 1 for moment in joined)
        total = len(stamps[camera.name])
        log.info(f"{camera.name}: {partnered} of {total} images have a partner within {TOLERANCE_NS / 1e6:.0f} ms")
    if not any(len(moment.images) > 1 for moment in joined):
        log.info(
            f"{path}: no two images are within {TOLERANCE_NS / 1e6:.0f} ms, so the cameras are mapped as if nothing "
            "held them together: trigger them together, or correct their clocks"
        )
