"""The recordings that a scene was mapped from, opened again for what they hold beside the images."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.bag.bag import Topic
from campose_core.bag.clock import AS_RECORDED, BagClock
from campose_core.bag.file import is_bag, open_bag
from campose_core.bag.odometry import camera_odometry
from campose_core.bag.tf import read_tf
from campose_core.bag.transforms import TransformTree
from campose_core.capture.sources.bag import BagRecording
from campose_core.capture.sources.export import KIND as EXPORT
from campose_core.capture.sources.export import ExportedRecording
from campose_core.errors import AlignmentError, CaptureError
from campose_core.exports.table import is_export
from campose_core.files import is_there
from campose_core.geometry import Pose
from campose_core.scene.scene import Scene
from campose_core.trajectory import Trajectory

log = logging.getLogger(__name__)

MAX_GAP_NS = 1_000_000_000
MIN_PAIRS = 3


@dataclass(frozen=True)
class MappedRecording:
    """One source of a scene. walked: sfm_from_cam of its registered frames; clock: what was done to their stamps; kind:
    of recording."""

    source: str
    path: Path
    image_topic: str | None
    walked: Trajectory
    clock: BagClock = AS_RECORDED
    kind: str = ""

    @property
    def is_bag(self) -> bool:
        """Return whether the recording is a bag, which may hold more than images."""
        return is_bag(self.path)

    @cached_property
    def exported(self) -> ExportedRecording | None:
        """Return the export that the recording is, opened again; None where it is none that knows its poses."""
        return _exported(self.path, self.kind)

    @cached_property
    def topics(self) -> list[Topic]:
        """Return the topics of the bag that hold messages."""
        with open_bag(self.path) as bag:
            return [topic for topic in bag.topics if topic.messages]

    @cached_property
    def tf(self) -> TransformTree:
        """Return the frames of the bag, read once."""
        return read_tf(self.path, self.clock)

    @cached_property
    def camera_frame(self) -> str:
        """Return the camera's frame as the images of the bag name it; empty where they do not."""
        return _camera_frame(self.path, self.image_topic).lstrip("/")

    def pairs(self, frame_from_cam: Trajectory, what: str) -> tuple[list[Pose], list[Pose]]:
        """Return the camera in sfm and in another frame, at the same times: at the stamps of whichever knows fewer.

        Stamps that one of them does not cover (before it begins, in a gap) are left out.

        Raises:
            AlignmentError: they have no time in common; both intervals are named.
        """
        at_other = self.walked.interpolate(frame_from_cam.stamps_ns, MAX_GAP_NS)
        at_frames = frame_from_cam.interpolate(self.walked.stamps_ns, MAX_GAP_NS)
        if len(frame_from_cam) < len(self.walked) and len(at_other[1]) >= MIN_PAIRS:
            one, other = at_other[1], frame_from_cam.select(at_other[0])
        else:
            one, other = self.walked.select(at_frames[0]), at_frames[1]
        if not len(one):
            raise AlignmentError(
                f"{self.path}: {what} covers {frame_from_cam.interval_text()}, the frames "
                f"{self.walked.interval_text()}: no time in common, are they stamped by the same clock?"
            )
        return [one.pose(i) for i in range(len(one))], [other.pose(i) for i in range(len(other))]


def clock_of(source: Mapping[str, Any]) -> BagClock:
    """Return what was done to the stamps of the images of a source of a scene."""
    return BagClock.from_dict(source.get("clock") or {})


def clock_in(scene: Scene, path: Path | str) -> BagClock:
    """Return that of the first source that is this bag; as recorded where none is."""
    of_bag = (s for s in scene.sources.values() if s.get("path") == str(Path(path).resolve()))
    return clock_of(next(of_bag, {}))


def image_topic_of(scene: Scene, source: str | None) -> str | None:
    """Return the image topic of a source, of the only one for None; None where there are several, or it is no bag."""
    topics = {d.get("topic") for name, d in scene.sources.items() if source in (None, name)}
    return next(iter(topics)) if len(topics) == 1 else None


def _exported(path: Path, kind: str) -> ExportedRecording | None:
    """Return the export that a source of this kind was extracted from, where that has poses in metres."""
    recording = ExportedRecording(path) if kind == EXPORT and is_export(path) else None
    return recording if recording and recording.export.metric and recording.export.posed else None


def _camera_frame(path: Path, image_topic: str | None) -> str:
    return BagRecording(path, image_topic).first_camera_frame()


def recorded_odometry(scene: Scene, names: Mapping[str, Sequence[str]]) -> dict[str, Pose]:
    """Read odom_from_cam of frames, `names` by source, where their source is an export that knows its poses, or a bag
    that has odometry and says where the camera sits; what hinders is said in a line.
    """
    stamps_ns, found = {frame.name: frame.stamp_ns for frame in scene.frames}, dict[str, Pose]()
    for source, wanted in names.items():
        description = scene.sources[source]
        path = Path(str(description.get("path", "")))
        if not description.get("path") or not is_there(path) or not wanted:
            continue
        try:
            odometry = _recorded(path, description)
        except CaptureError as error:
            log.info(f"{source}: its odometry is not used: {error}")
            continue
        if odometry is not None:
            by_stamp = {stamps_ns[name]: name for name in wanted}
            _, poses = odometry.interpolate(sorted(by_stamp), MAX_GAP_NS)
            found |= {by_stamp[stamp_ns]: pose for stamp_ns, pose in poses}
    return found


def _recorded(path: Path, description: Mapping[str, Any]) -> Trajectory | None:
    if is_bag(path):
        return camera_odometry(path, _camera_frame(path, description.get("topic")), clock_of(description))
    exported = _exported(path, str(description.get("kind", "")))
    return None if exported is None else exported.trajectory()


def mapped_recordings(scene: Scene, sfm_from_cam: dict[str, Pose]) -> list[MappedRecording]:
    """Return the sources with registered frames whose recording is still in its place, in the order of extraction."""
    found = []
    for source, description in scene.sources.items():
        path = Path(str(description.get("path", "")))
        frames = sorted(
            (f for f in scene.frames if f.source == source and f.name in sfm_from_cam), key=lambda f: f.stamp_ns
        )
        if frames and description.get("path") and is_there(path):
            walked = Trajectory.from_poses(
                np.array([f.stamp_ns for f in frames]), [sfm_from_cam[f.name] for f in frames], "sfm"
            )
            clock, kind = clock_of(description), str(description.get("kind", ""))
            found.append(MappedRecording(source, path, description.get("topic"), walked, clock, kind))
    return found
