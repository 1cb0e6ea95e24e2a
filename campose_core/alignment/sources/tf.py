"""Frames of TF above odometry's, such as map."""

from __future__ import annotations

from campose_core.alignment.evidence import Evidence
from campose_core.alignment.sources.base import Borrowed
from campose_core.alignment.sources.recordings import (
    RecordedSource,
    bags,
    evidence_of_pairs,
    moving_in,
    tf_pairs,
)
from campose_core.bag.poses import is_odom


class TransformRoot(RecordedSource):
    """The camera's pose in the root of the TF tree in which it moves, where that is not odometry's frame."""

    what = "/tf with a frame above odometry's, such as map"

    def names(self) -> list[str]:
        recordings = self.mapped.recordings
        roots = {recording.tf.chain(recording.camera_frame)[-1] for recording in bags(recordings)}
        return sorted(root for root in roots if not is_odom(root) and moving_in(recordings, root))

    def evidence(self, name: str, borrowed: Borrowed) -> Evidence:
        notes: list[str] = []
        pairs = [tf_pairs(recording, name, notes) for recording in moving_in(self.mapped.recordings, name)]
        return evidence_of_pairs(f"tf {name}", name, pairs, notes)
