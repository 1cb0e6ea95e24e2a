"""Poses that something else than this camera's images knows: a tracker, another localizer, a simulation.

From a text file of any program (`campose_core.formats.trajectories`), a topic of a bag, or the export of a capture app
or a data set.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from campose_core.bag.clock import AS_RECORDED, BagClock
from campose_core.bag.file import is_bag, open_bag
from campose_core.bag.image_messages import IMAGE_TYPES
from campose_core.bag.odometry import ODOMETRY
from campose_core.bag.poses import pose_topics, read_poses
from campose_core.capture.recorded_truth import recorded_truth
from campose_core.capture.sources.export import ExportedRecording
from campose_core.errors import TrajectoryError, UsageError
from campose_core.exports.table import is_export
from campose_core.files import is_there
from campose_core.formats.trajectories import read_trajectory
from campose_core.trajectory import Trajectory


def read_outside_poses(path: Path | str, topic: str | None = None, clock: BagClock = AS_RECORDED) -> Trajectory:
    """Read the trajectory in a file, see `read_trajectory`, in an export, or on a topic of a bag.

    topic: None takes the only pose topic of a bag. The child frame is empty where nothing names the body: only
    odometry does. clock: of the images that the poses are compared with, of the same bag.

    Raises:
        TrajectoryError, CaptureError: missing, damaged, or without poses (the place is named).
        UsageError: a topic for what is no bag.
    """
    path = Path(path)
    if not path.exists():
        raise TrajectoryError(
            f"{path}: no such file or folder; poses come from a TUM file, a CSV table, a bag or an export"
        )
    if is_bag(path):
        trajectory = read_poses(path, topic, clock)
        return trajectory if _names_its_body(path, topic) else replace(trajectory, child_frame_id="")
    if topic is not None:
        raise UsageError(f"{path} is not a bag: leave out the topic {topic}")
    if is_export(path):
        return _exported(path)
    if path.is_dir():
        raise TrajectoryError(
            f"{path} is a folder and not a bag; poses come from a TUM file, a CSV table, a bag or an export"
        )
    return read_trajectory(path, child_frame_id="")


def read_reference(path: Path, image_topic: str | None = None) -> Trajectory:
    """Read map_from_cam out of a file, see `read_trajectory`, of an export, such as a data set's ground truth, or of
    the bag that holds the camera's images, see `recorded_truth`: BAG, BAG:TOPIC or BAG:FRAME.

    image_topic: whose camera, where a bag has several.

    Raises:
        TrajectoryError, CaptureError: missing, damaged, or without poses in metres.
    """
    check_reference(path)
    bag, chosen = reference_parts(path)
    if is_bag(bag):
        return recorded_truth(bag, chosen, image_topic)
    return _exported(path) if is_export(path) else read_trajectory(path)


def check_reference(path: Path) -> None:
    """Look at what may be a reference without reading it.

    Raises:
        TrajectoryError: nothing there, a folder that is none, or a bag without images. CaptureError: a damaged bag.
    """
    bag, _ = reference_parts(path)
    if not is_there(bag):
        raise TrajectoryError(f"{path}: no such file")
    if is_bag(bag) and not _has_images(bag):
        raise TrajectoryError(
            f"{path}: the poses in a bag are of a body, and a reference is of its camera: align with --tracker {path}, "
            "or give the camera's poses as a file"
        )
    if bag.is_dir() and not is_bag(bag) and not is_export(path):
        raise TrajectoryError(
            f"{path}: is a folder, and no bag or export of a capture app or a data set: give a file of poses "
            "(docs/formats.md)"
        )


def reference_parts(path: Path) -> tuple[Path, str]:
    """Return the file of a reference, and what of it is meant, as in BAG:TOPIC; empty where that is not said."""
    file, _, chosen = str(path).rpartition(":")
    return (path, "") if is_there(path) or not file or not is_there(Path(file)) else (Path(file), chosen)


def _has_images(path: Path) -> bool:
    with open_bag(path) as bag:
        return any(topic.msgtype in IMAGE_TYPES for topic in bag.topics)


def _exported(path: Path) -> Trajectory:
    recording = ExportedRecording(path)
    if not recording.export.metric or not recording.export.posed:
        lacks = "has no poses" if recording.export.metric else "has poses without a scale, as COLMAP makes them"
        raise TrajectoryError(f"{path}: this {recording.export.program} export {lacks}: give poses in metres")
    return recording.trajectory()


def _names_its_body(path: Path, topic: str | None) -> bool:
    with open_bag(path) as bag:
        listed = pose_topics(bag.topics, topic)
    return listed[topic or next(iter(listed))].msgtype == ODOMETRY
