"""The tree of frames that a bag's /tf and /tf_static describe, and where a frame was in it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from campose_core.capture.bag import header_stamp_ns
from campose_core.capture.bag_file import open_bag
from campose_core.errors import CaptureError, GeometryError
from campose_core.geometry import Pose
from campose_core.trajectory import Trajectory

TOPICS = ("/tf", "/tf_static")
MAX_GAP_NS = 1_000_000_000


@dataclass(frozen=True, eq=False)
class TfTree:
    """child -> (parent, parent_from_child): a Pose where the link is static, a Trajectory where it moves.

    A child that named several parents keeps the one that was said most often.
    """

    links: dict[str, tuple[str, Pose | Trajectory]]

    def chain(self, frame: str) -> list[str]:
        """`frame`, its parent, and so on to the root; a loop ends where it closes."""
        frames = [frame]
        while frames[-1] in self.links and self.links[frames[-1]][0] not in frames:
            frames.append(self.links[frames[-1]][0])
        return frames

    def is_static(self, child: str) -> bool:
        return isinstance(self.links[child][1], Pose)

    def mounting(self, frame: str, other: str) -> Pose | None:
        """`frame_from_other` over static links alone; None where they do not connect the two."""
        up, down = self._static_ancestors(frame), self._static_ancestors(other)
        shared = next((ancestor for ancestor in up if ancestor in down), None)
        return None if shared is None else up[shared].inverse() * down[shared]

    def carrier(self, frame: str) -> str:
        """The body that `frame` is fixed to: its last ancestor over static links."""
        return list(self._static_ancestors(frame))[-1]

    def between(self, ancestor: str, frame: str, stamps_ns: ArrayLike) -> tuple[NDArray[np.bool_], Trajectory]:
        """ancestor_from_frame at stamps (sorted, unique): which of them every link covers, and the poses there.

        A moving link covers what lies between two of its stamps at most MAX_GAP_NS apart.
        """
        stamps = np.asarray(stamps_ns, dtype=np.int64).reshape(-1)
        answered = np.ones(len(stamps), dtype=bool)
        names = self.chain(frame)
        names = names[: names.index(ancestor)]
        for child in names:
            link = self.links[child][1]
            if isinstance(link, Trajectory):
                answered &= link.interpolate(stamps, MAX_GAP_NS)[0]
        kept = stamps[answered]
        poses = [Pose.identity()] * len(kept)
        for child in names:
            link = self.links[child][1]
            if isinstance(link, Trajectory):
                at = link.interpolate(kept, MAX_GAP_NS)[1]
                poses = [at.pose(i) * pose for i, pose in enumerate(poses)]
            else:
                poses = [link * pose for pose in poses]
        return answered, Trajectory.from_poses(kept, poses, ancestor, frame)

    def _static_ancestors(self, frame: str) -> dict[str, Pose]:
        """Each ancestor over static links, nearest first, with ancestor_from_frame."""
        found = {frame: Pose.identity()}
        for child, parent in zip(self.chain(frame), self.chain(frame)[1:], strict=False):
            link = self.links[child][1]
            if not isinstance(link, Pose):
                break
            found[parent] = link * found[child]
        return found


def read_tf(path: Path | str) -> TfTree:
    """The frames of a bag; an empty tree where it has neither /tf nor /tf_static.

    Links on /tf that never change their stamp count as static. Those with a stamp of zero, or a transform that is none,
    are left out.

    Raises:
        CaptureError: not a readable bag, or a message that is no TFMessage.
    """
    path = Path(path)
    static: dict[str, tuple[str, Pose]] = {}
    moving: dict[tuple[str, str], dict[int, Pose]] = defaultdict(dict)
    with open_bag(path) as bag:
        for topic in {entry.name for entry in bag.topics} & set(TOPICS):
            for _, message in bag.messages(topic):
                if isinstance(message, CaptureError):
                    raise CaptureError(f"{path}: a message on {topic} is {message}")
                for link in message.transforms:
                    t, q = link.transform.translation, link.transform.rotation
                    try:
                        pose = Pose.from_quat_xyzw([q.x, q.y, q.z, q.w], [t.x, t.y, t.z])
                    except GeometryError:
                        continue
                    parent, child = link.header.frame_id.lstrip("/"), link.child_frame_id.lstrip("/")
                    if topic == "/tf_static":
                        static[child] = (parent, pose)
                    elif header_stamp_ns(link):
                        moving[child, parent][header_stamp_ns(link)] = pose
    links: dict[str, tuple[str, Pose | Trajectory]] = {}
    for (child, parent), poses in sorted(moving.items(), key=lambda item: len(item[1])):
        only = next(iter(poses.values()))
        links[child] = (
            parent,
            Trajectory.from_poses(list(poses), list(poses.values()), parent, child) if len(poses) > 1 else only,
        )
    return TfTree({**links, **static})
