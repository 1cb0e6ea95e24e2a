"""How a camera moved, by the odometry of the robot in a bag, and where it sits on the robot, by its /tf_static."""

from __future__ import annotations

from pathlib import Path

from campose_core.bag.clock import AS_RECORDED, BagClock
from campose_core.bag.file import is_bag, open_bag
from campose_core.bag.poses import read_poses
from campose_core.bag.tf import read_tf
from campose_core.errors import CaptureError
from campose_core.geometry import Pose
from campose_core.trajectory import Trajectory

ODOMETRY = "nav_msgs/msg/Odometry"


def camera_odometry(path: Path | str, camera_frame: str, clock: BagClock = AS_RECORDED) -> Trajectory | None:
    """Read odom_from_camera at the stamps of the bag's odometry; None where there is no bag, or no odometry in it.

    clock: of the bag's images.

    Raises:
        CaptureError: several odometries, or no static transform from the robot's base to the camera.
    """
    path = Path(path)
    if not is_bag(path):
        return None
    with open_bag(path) as bag:
        topics = [topic.name for topic in bag.topics if topic.msgtype == ODOMETRY and topic.messages]
    if not topics:
        return None
    if len(topics) > 1:
        raise CaptureError(f"{path} has the odometries {', '.join(topics)}: leave one in the bag")
    odom_from_base = read_poses(path, topics[0], clock)
    base_from_camera = read_mounting(path, odom_from_base.child_frame_id, camera_frame)
    return odom_from_base.moved_by(base_from_camera)


def read_mounting(path: Path | str, base_frame: str, camera_frame: str) -> Pose:
    """Read base_from_camera, over as many static transforms as lie between.

    Raises:
        CaptureError: the bag cannot be read, or its static transforms do not lead from one to the other.
    """
    tree = read_tf(path)
    base_from_camera = tree.mounting(base_frame.lstrip("/"), camera_frame.lstrip("/"))
    if base_from_camera is None:
        known = ", ".join(tree.static_links()) or "none"
        raise CaptureError(
            f"{path}: no static transform leads from {base_frame} to {camera_frame} (of those there are {known}): "
            "record /tf_static"
        )
    return base_from_camera
