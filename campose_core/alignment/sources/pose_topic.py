"""Topics of another localizer's absolute poses, such as /amcl_pose."""

from __future__ import annotations

from campose_core.alignment.evidence import Evidence
from campose_core.alignment.sources.base import Borrowed
from campose_core.alignment.sources.recordings import (
    RecordedSource,
    bags,
    evidence_of_pairs,
    having,
    of_camera,
)
from campose_core.bag.odometry import ODOMETRY
from campose_core.bag.poses import TRANSFORM, absolute_pose_topics, read_poses


class PoseTopic(RecordedSource):
    """The camera's pose in the frame of the messages."""

    what = "PoseStamped or PoseWithCovarianceStamped, such as /amcl_pose"

    def names(self) -> list[str]:
        found: dict[str, tuple[str, str]] = {}
        for recording in bags(self.mapped.recordings):
            found |= absolute_pose_topics(recording.path)
        return sorted(name for name, (msgtype, _) in found.items() if msgtype not in (ODOMETRY, TRANSFORM))

    def evidence(self, name: str, borrowed: Borrowed) -> Evidence:
        pairs, frame = [], ""
        for recording in having(self.mapped.recordings, name):
            map_from_body = read_poses(recording.path, name, recording.clock)
            frame = map_from_body.frame_id.lstrip("/")
            pairs.append(recording.pairs(of_camera(recording, map_from_body, name), name))
        return evidence_of_pairs(f"poses {name}", frame, pairs)
