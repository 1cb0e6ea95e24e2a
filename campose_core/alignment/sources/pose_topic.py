"""Topics of another localizer's absolute poses, such as /amcl_pose."""

from __future__ import annotations

from campose_core.alignment.evidence import Evidence
from campose_core.alignment.sources.base import Borrowed
from campose_core.alignment.sources.recordings import (
    RecordedSource,
    Recordings,
    evidence_of_pairs,
    having,
    is_odom,
    of_camera,
    topics,
)
from campose_core.bag.file import open_bag
from campose_core.bag.odometry import ODOMETRY
from campose_core.bag.poses import POSE_FIELDS, TRANSFORM, read_poses
from campose_core.errors import CaptureError

# Poses that someone wished for, not where anything was.
WISHES = ("goal", "initialpose", "waypoint")


class PoseTopic(RecordedSource):
    """The camera's pose in the frame of the messages."""

    what = "PoseStamped or PoseWithCovarianceStamped, such as /amcl_pose"

    def names(self) -> list[str]:
        recordings = self.mapped.recordings
        found = topics(recordings, [msgtype for msgtype in POSE_FIELDS if msgtype not in (ODOMETRY, TRANSFORM)])
        return [n for n in found if not any(wish in n for wish in WISHES) and not is_odom(_frame_of(recordings, n))]

    def evidence(self, name: str, borrowed: Borrowed) -> Evidence:
        pairs, frame = [], ""
        for recording in having(self.mapped.recordings, name):
            map_from_body = read_poses(recording.path, name, recording.clock)
            frame = map_from_body.frame_id.lstrip("/")
            pairs.append(recording.pairs(of_camera(recording, map_from_body, name), name))
        return evidence_of_pairs(f"poses {name}", frame, pairs)


def _frame_of(recordings: Recordings, topic: str) -> str:
    """Return the frame of the first message that can be read."""
    with open_bag(having(recordings, topic)[0].path) as bag:
        first = next((message for _, message in bag.messages(topic) if not isinstance(message, CaptureError)), None)
    return "" if first is None else str(first.header.frame_id)
