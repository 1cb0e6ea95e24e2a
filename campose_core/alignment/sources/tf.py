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
from campose_core.bag.poses import frames_above_odometry


class TransformRoot(RecordedSource):
    """The camera's pose in the root of the TF tree, where it moves there otherwise than odometry says alone."""

    what = "/tf with a frame above odometry's, such as map"

    def names(self) -> list[str]:
        roots = [frames_above_odometry(one.tf, one.camera_frame)[:1] for one in bags(self.mapped.recordings)]
        return sorted({root for found in roots for root in found})

    def evidence(self, name: str, borrowed: Borrowed) -> Evidence:
        notes: list[str] = []
        pairs = [tf_pairs(recording, name, notes) for recording in moving_in(self.mapped.recordings, name)]
        return evidence_of_pairs(f"tf {name}", name, pairs, notes)
