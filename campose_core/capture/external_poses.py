"""Poses that something else than this camera's images knows: a tracker, another localizer, a simulation.

From a text file of any program (`campose_core.formats.trajectories`), or a topic of a bag.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from campose_core.bag.clock import AS_RECORDED, BagClock
from campose_core.bag.file import is_bag, open_bag
from campose_core.bag.odometry import ODOMETRY
from campose_core.bag.poses import pose_topics, read_poses
from campose_core.errors import TrajectoryError, UsageError
from campose_core.formats.trajectories import read_trajectory
from campose_core.trajectory import Trajectory


def read_outside_poses(path: Path | str, topic: str | None = None, clock: BagClock = AS_RECORDED) -> Trajectory:
    """Read the trajectory in a file, see `read_trajectory`, or on a topic of a bag.

    topic: None takes the only pose topic of a bag. The child frame is empty where nothing names the body: only
    odometry does. clock: of the images that the poses are compared with, of the same bag.

    Raises:
        TrajectoryError, CaptureError: missing, damaged, or without poses (the place is named).
        UsageError: a topic for what is no bag.
    """
    path = Path(path)
    if not path.exists():
        raise TrajectoryError(f"{path}: no such file or folder; poses come from a TUM file, a CSV table or a bag")
    if is_bag(path):
        trajectory = read_poses(path, topic, clock)
        return trajectory if _names_its_body(path, topic) else replace(trajectory, child_frame_id="")
    if topic is not None:
        raise UsageError(f"{path} is not a bag: leave out the topic {topic}")
    if path.is_dir():
        raise TrajectoryError(f"{path} is a folder and not a bag; poses come from a TUM file, a CSV table or a bag")
    return read_trajectory(path, child_frame_id="")


def _names_its_body(path: Path, topic: str | None) -> bool:
    with open_bag(path) as bag:
        listed = pose_topics(bag.topics, topic)
    return listed[topic or next(iter(listed))].msgtype == ODOMETRY
