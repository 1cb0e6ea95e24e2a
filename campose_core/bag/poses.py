"""Trajectories out of bags: odometry, or the poses another localizer published."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from campose_core.bag.bag import Topic
from campose_core.bag.clock import AS_RECORDED, BagClock
from campose_core.bag.file import open_bag
from campose_core.bag.ros_messages import pose_of, pose_of_transform
from campose_core.bag.stamps import StampedRows
from campose_core.bag.transforms import TransformTree
from campose_core.errors import CaptureError, GeometryError
from campose_core.geometry import Pose
from campose_core.trajectory import Trajectory

log = logging.getLogger(__name__)

TRANSFORM = "geometry_msgs/msg/TransformStamped"  # of motion capture, as in EuRoC
# How to come from a message to its geometry_msgs/Pose, or Transform.
POSE_FIELDS = {
    "nav_msgs/msg/Odometry": ("pose", "pose"),
    "geometry_msgs/msg/PoseWithCovarianceStamped": ("pose", "pose"),
    "geometry_msgs/msg/PoseStamped": ("pose",),
    TRANSFORM: ("transform",),
}

NO_POSE = "NaN, or a quaternion of zeros"  # as `_is_lost` tells
# Poses that someone wished for, not where anything was.
WISHES = ("goal", "initialpose", "setpoint", "target", "waypoint")


def is_odom(frame: str) -> bool:
    """Tell whether a frame is odometry's, by its name."""
    return "odom" in frame


def frames_above_odometry(tree: TransformTree, frame: str) -> list[str]:
    """Return the frames of TF in which `frame` moves, and not as odometry says alone; the root first."""
    chain = tree.chain(frame)
    odometry = [at for at, name in enumerate(chain) if is_odom(name)]
    if odometry:
        above = range(odometry[-1] + 1, len(chain))
        return [chain[at] for at in reversed(above) if not all(map(tree.is_static, chain[odometry[-1] : at]))]
    root_is_fixed_to_it = all(map(tree.is_static, chain[:-1]))
    return [] if root_is_fixed_to_it or chain[-1].startswith("base") else chain[-1:]


def absolute_pose_topics(path: Path) -> dict[str, tuple[str, str]]:
    """Return the type and the frame of each topic of poses in a frame that does not drift, by name."""
    found = {}
    with open_bag(path) as bag:
        for topic in bag.topics:
            if topic.msgtype not in POSE_FIELDS or not topic.messages or any(wish in topic.name for wish in WISHES):
                continue
            readable = (m for _, m in bag.messages(topic.name) if not isinstance(m, CaptureError))
            first = next(readable, None)
            frame = "" if first is None else str(first.header.frame_id).lstrip("/")
            if not is_odom(frame or topic.name):
                found[topic.name] = (topic.msgtype, frame)
    return found


def pose_topics(topics: Sequence[Topic], wanted: str | None) -> dict[str, Topic]:
    """Return those that `read_poses` chooses from, by name; transforms where wanted, or where nothing else is there."""
    found = {entry.name: entry for entry in topics if entry.msgtype in POSE_FIELDS}
    poses = {name: entry for name, entry in found.items() if entry.msgtype != TRANSFORM}
    return poses if poses and wanted is None else found


def read_poses(path: Path | str, topic: str | None = None, clock: BagClock = AS_RECORDED) -> Trajectory:
    """Read the poses on one topic of a bag, at their header stamps.

    topic: of nav_msgs/Odometry, geometry_msgs/PoseStamped, PoseWithCovarianceStamped or TransformStamped; None takes
    the only one, a TransformStamped where there is no other. The trajectory maps the child frame (odometry names it)
    into the frame of the header. clock: of the images that they are compared with. Messages that say that there is no
    pose, or are not later than the one before, are left out, with a line on stderr.

    Raises:
        CaptureError: not a readable bag, no such topic (those there are listed), no poses, or one that is no pose.
    """
    path = Path(path)
    poses: list[Pose] = []
    frame_id, child_frame_id, lost = "", "", 0
    with open_bag(path) as bag:
        listed = pose_topics(bag.topics, topic)
        listing = "; ".join(f"{e.name} ({e.messages} {e.msgtype.rsplit('/', 1)[1]})" for e in listed.values()) or "none"
        if topic not in listed and (topic is not None or len(listed) != 1):
            wanted = "choose one of its pose topics" if topic is None else f"no pose topic {topic!r}; it has"
            raise CaptureError(f"{path}: {wanted}: {listing}")
        chosen = listed[topic] if topic else next(iter(listed.values()))
        stamped = StampedRows(path, chosen.name, clock)
        for number, (log_ns, message) in enumerate(bag.messages(chosen.name)):
            if isinstance(message, CaptureError):
                raise CaptureError(f"{path}: message {number} on {chosen.name} is {message}")
            field = message
            for name in POSE_FIELDS[chosen.msgtype]:
                field = getattr(field, name)
            if _is_lost(field):
                lost += 1
                continue
            frame_id, child_frame_id = message.header.frame_id, getattr(message, "child_frame_id", "")
            try:
                poses.append(pose_of_transform(message) if chosen.msgtype == TRANSFORM else pose_of(field))
            except GeometryError as error:
                raise CaptureError(f"{path}: message {number} on {chosen.name}: {error}") from error
            stamped.add(message, log_ns)
        if bag.damage:
            log.info(f"{path}: {bag.damage}; {len(poses)} poses read")
    rows, stamps_ns = stamped.ordered(lost, f"no pose ({NO_POSE}), or a stamp that does not increase")
    if not len(rows):
        raise CaptureError(f"{path}: no pose with a stamp on {chosen.name} ({lost} messages without a pose: {NO_POSE})")
    return Trajectory.from_poses(stamps_ns, [poses[row] for row in rows], frame_id, child_frame_id or "base_link")


def _is_lost(pose: Any) -> bool:
    """Tell whether a Pose, or a Transform, says that there is none, as rtabmap's odometry does that has lost its way
    (introlab/rtabmap_ros#565)."""
    place, turn = (pose.position, pose.orientation) if hasattr(pose, "position") else (pose.translation, pose.rotation)
    quat = [turn.x, turn.y, turn.z, turn.w]
    return not any(quat) or not all(map(math.isfinite, [place.x, place.y, place.z, *quat]))
