"""Trajectories out of bags: odometry, or the poses another localizer published."""

import logging
from pathlib import Path

from campose_core.capture.bag.file import open_bag
from campose_core.capture.bag.images import header_stamp_ns
from campose_core.errors import CaptureError, GeometryError
from campose_core.geometry import Pose
from campose_core.ros_messages import pose_of
from campose_core.trajectory import Trajectory

log = logging.getLogger(__name__)

# How to come from a message to its geometry_msgs/Pose.
POSE_FIELDS = {
    "nav_msgs/msg/Odometry": ("pose", "pose"),
    "geometry_msgs/msg/PoseWithCovarianceStamped": ("pose", "pose"),
    "geometry_msgs/msg/PoseStamped": ("pose",),
}


def read_poses(path: Path | str, topic: str | None = None) -> Trajectory:
    """Read the poses on one topic of a bag, at their header stamps.

    topic: of nav_msgs/Odometry, geometry_msgs/PoseStamped or PoseWithCovarianceStamped; None takes the only one.
    The trajectory maps the child frame (odometry names it) into the frame of the header. Messages whose stamp is zero
    or not later than the one before are left out, with a line on stderr.

    Raises:
        CaptureError: not a readable bag, no such topic (those there are listed), no poses, or a pose without geometry.
    """
    path = Path(path)
    stamps: list[int] = []
    poses: list[Pose] = []
    frame_id, child_frame_id, late = "", "", 0
    with open_bag(path) as bag:
        listed = {entry.name: entry for entry in bag.topics if entry.msgtype in POSE_FIELDS}
        listing = "; ".join(f"{e.name} ({e.messages} {e.msgtype.rsplit('/', 1)[1]})" for e in listed.values()) or "none"
        if topic not in listed and (topic is not None or len(listed) != 1):
            wanted = "choose one of its pose topics" if topic is None else f"no pose topic {topic!r}; it has"
            raise CaptureError(f"{path}: {wanted}: {listing}")
        chosen = listed[topic] if topic else next(iter(listed.values()))
        for number, (_, message) in enumerate(bag.messages(chosen.name)):
            if isinstance(message, CaptureError):
                raise CaptureError(f"{path}: message {number} on {chosen.name} is {message}")
            stamp_ns = header_stamp_ns(message)
            if stamp_ns == 0 or (stamps and stamp_ns <= stamps[-1]):
                late += 1
                continue
            frame_id, child_frame_id = message.header.frame_id, getattr(message, "child_frame_id", "")
            field = message
            for name in POSE_FIELDS[chosen.msgtype]:
                field = getattr(field, name)
            try:
                poses.append(pose_of(field))
            except GeometryError as error:
                raise CaptureError(f"{path}: message {number} on {chosen.name}: {error}") from error
            stamps.append(stamp_ns)
        if bag.damage:
            log.info(f"{path}: {bag.damage}; {len(stamps)} poses read")
    if not stamps:
        raise CaptureError(f"{path}: no pose with a stamp on {chosen.name}")
    if late:
        log.info(f"{path}: {late} messages on {chosen.name} left out: their stamp does not increase")
    return Trajectory.from_poses(stamps, poses, frame_id, child_frame_id or "base_link")
