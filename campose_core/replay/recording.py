"""The localization session over a recording, without ROS and as fast as it goes: same images, same poses, every time.

Messages of a bag are heard in the order in which they were recorded, and each image is localized before the next
message is heard: as by a node that keeps up. Odometry that was recorded after an image is not known to it: around its
stamp it is interpolated, before it carried on a little (`OdometryBuffer`). For tf an image waits, up to WAIT_S.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from campose_core.bag.bag import Bag, SerializedMessage
from campose_core.bag.file import open_bag
from campose_core.bag.transforms import WAIT_S
from campose_core.bag.writer import CAMERA_FRAME
from campose_core.camera import Camera
from campose_core.capture.sources.bag import BagRecording
from campose_core.errors import CaptureError
from campose_core.evaluation.estimates import Estimates, FrameOutcome, write_estimates
from campose_core.frame import Frame
from campose_core.geometry import Pose
from campose_core.localization.localizer import Localizer
from campose_core.localization.result import LocalizationResult
from campose_core.map_scale import ScaleBasis
from campose_core.progress import track
from campose_core.replay.bag_session import INITIALPOSE, ODOMETRY, TF, TF_STATIC, BagSession, TfRoot
from campose_core.session.camera import SessionCamera
from campose_core.session.session import ONLY_CAMERA, Answer, LocalizationSession
from campose_core.trajectory import Trajectory

log = logging.getLogger(__name__)


class Step(NamedTuple):
    """A message of a bag, or a frame of a recording that is none (message is None), and what came of it.

    root: the tf tree of the camera, of an answer.
    """

    log_ns: int
    message: SerializedMessage | None
    answer: Answer | None
    root: TfRoot | None = None


def replay_frames(frames: Iterable[tuple[Frame, Camera]], localizer: Localizer, base_from_cam: Pose) -> Iterator[Step]:
    """Yield one step for each frame of a video or of a folder of images, which come with their intrinsics."""
    session = LocalizationSession(localizer, [SessionCamera(ONLY_CAMERA, base_from_cam)])
    arrived = time.perf_counter()
    for frame, known in frames:
        answer = session.localize(ONLY_CAMERA, frame, arrived, known)
        session.refresh()
        frame = frame._replace(camera_frame=frame.camera_frame or CAMERA_FRAME)
        root = TfRoot(frame.camera_frame, Pose.identity())
        yield Step(frame.stamp_ns, None, answer._replace(frame=frame), root)
        arrived = time.perf_counter()


def replay_bag(bag: Bag, recording: BagRecording, session: BagSession) -> Iterator[Step]:
    """Yield one step for each message of the bag, in recorded order. Static transforms are known from the start.

    recording: of the image topic that the session listens to.

    Raises:
        CaptureError: not one image could be localized; the message says why.
    """
    for message in bag.serialized({TF_STATIC}):
        session.hear(message)
    topics = {topic.name: topic.messages for topic in bag.topics}
    count, wait_ns = 0, round(WAIT_S * 1e9)
    with open_bag(bag.path) as ahead:
        transforms = ahead.serialized({TF})
        transform = next(transforms, None)
        for message in track(bag.serialized(topics), "replay", total=sum(topics.values())):
            while transform is not None and transform.log_ns <= message.log_ns + wait_ns:
                session.hear(transform)
                transform = next(transforms, None)
            answer = session.hear(message) if message.topic not in (TF, TF_STATIC) else None
            count += answer is not None
            yield Step(message.log_ns, message, answer, None if answer is None else session.root_of(answer))
    if bag.damage:
        log.info(f"{bag.path}: {bag.damage}; {count} images replayed")
    left_out = ", ".join(f"{number} {reason}" for reason, number in recording.dropped.items())
    if not count:
        reason = session.refusals["image"][1].reason if "image" in session.refusals else "no image"
        counted = f" ({left_out})" if left_out else ""
        raise CaptureError(f"{bag.path}: no usable image on {recording.topic}: {reason}{counted}")
    if left_out:
        log.info(f"{bag.path}: images without an answer: {left_out}")
    for number, refusal in session.refusals.values():
        log.info(f"{bag.path}: {refusal}" + f" ({number} times, for this reason the last)" * (number > 1))


def true_base(reference: Trajectory | None, answer: Answer) -> Pose | None:
    """Return map_from_base at the stamp of the image, by the true path of the camera; None where that has a gap."""
    map_from_cam = None if reference is None else reference.at(answer.frame.stamp_ns)
    return None if map_from_cam is None else map_from_cam * answer.base_from_cam.inverse()


def require_topics(bag: Bag, odometry: str | None, initialpose: str | None) -> None:
    """Refuse topics that the bag has not; None asks for none.

    Raises:
        CaptureError: a topic that is given is not there; those of its type are listed.
    """
    wanted = {"odometry": (odometry, ODOMETRY), "initialpose": (initialpose, INITIALPOSE)}
    for what, (topic, msgtype) in wanted.items():
        have = [entry.name for entry in bag.topics if entry.msgtype == msgtype and entry.messages]
        if topic is not None and topic not in have:
            listed = "; ".join(have) or f"no {msgtype}"
            raise CaptureError(f"{bag.path}: no {what} topic {topic!r}; it has: {listed}")


@dataclass
class Outcomes:
    """The poses of the base, image by image: as estimated, and snapped to walkable floor. stamps: see `Estimates`."""

    raw: list[FrameOutcome] = field(default_factory=list)
    snapped: list[FrameOutcome] = field(default_factory=list)
    scale: ScaleBasis = ScaleBasis.MEASURED
    stamps: str = ""

    def add(self, result: LocalizationResult) -> None:
        """Append the result of the next image."""
        stamp_ns, status, latency_ms = result.stamp_ns, result.status.value, 1e3 * result.latency_s
        self.scale = result.scale.basis
        self.raw.append(FrameOutcome(stamp_ns, result.map_from_base, status, latency_ms, result.covariance))
        self.snapped.append(FrameOutcome(stamp_ns, result.on_floor, status, latency_ms))  # its covariance: unknown

    def write(self, folder: Path) -> tuple[Estimates, Estimates]:
        """Write FOLDER/pose_raw.tum and FOLDER/pose.tum with what lies beside them; returns both."""
        raw = Estimates("pose_raw", tuple(self.raw), scale=self.scale, stamps=self.stamps)
        both = raw, Estimates("pose", tuple(self.snapped), scale=self.scale, stamps=self.stamps)
        for estimates in both:
            write_estimates(folder / f"{estimates.estimator}.tum", estimates)
        return both
