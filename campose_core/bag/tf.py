"""The tree of frames that a bag's /tf and /tf_static describe."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np

from campose_core.bag.clock import AS_RECORDED, BagClock, begins_at_zero
from campose_core.bag.file import open_bag
from campose_core.bag.images import header_stamp_ns
from campose_core.bag.ros_messages import pose_of_transform
from campose_core.bag.transforms import TransformTree
from campose_core.errors import CaptureError, GeometryError
from campose_core.geometry import Pose

TOPICS = ("/tf", "/tf_static")


def read_tf(path: Path | str, clock: BagClock = AS_RECORDED) -> TransformTree:
    """Read the frames of a bag; an empty tree where it has neither /tf nor /tf_static.

    A child that named several parents keeps the one that was said most often. Links on /tf that never change their
    stamp count as static. Those with a stamp of zero, unless a simulation begins with it, or a transform that is
    none, are left out. clock: of the images that are looked up.

    Raises:
        CaptureError: not a readable bag, or a message that is no TFMessage.
    """
    path = Path(path)
    static: dict[str, tuple[str, Pose]] = {}
    moving: dict[tuple[str, str], dict[int, Pose]] = defaultdict(dict)
    with open_bag(path) as bag:
        for topic in {entry.name for entry in bag.topics} & set(TOPICS):
            for log_ns, message in bag.messages(topic):
                if isinstance(message, CaptureError):
                    raise CaptureError(f"{path}: a message on {topic} is {message}")
                for link in message.transforms:
                    try:
                        pose = pose_of_transform(link)
                    except GeometryError:
                        continue
                    parent, child = link.header.frame_id.lstrip("/"), link.child_frame_id.lstrip("/")
                    if topic == "/tf_static":
                        static[child] = (parent, pose)
                    else:
                        moving[child, parent][clock.stamp_ns(header_stamp_ns(link), log_ns)] = pose
    for poses in moving.values():
        if 0 in poses and not begins_at_zero(np.array(sorted(poses))):
            del poses[0]
    likeliest = {
        child: (parent, poses) for (child, parent), poses in sorted(moving.items(), key=lambda m: len(m[1])) if poses
    }
    tree = TransformTree()
    for child, (parent, poses) in likeliest.items():
        if len(poses) == 1:
            tree.add_static(parent, child, next(iter(poses.values())))
        else:
            for stamp_ns, pose in poses.items():
                tree.add(parent, child, stamp_ns, pose)
    for child, (parent, pose) in static.items():
        tree.add_static(parent, child, pose)
    return tree
