"""Frames of TF above odometry's, such as map."""

from __future__ import annotations

from campose_core.alignment.evidence import Evidence
from campose_core.alignment.sources.base import Borrowed
from campose_core.alignment.sources.recordings import RecordedSource, bags, evidence_of_pairs, tf_pairs
from campose_core.bag.poses import frames_above_odometry
from campose_core.capture.mapped_recordings import MappedRecording


class TransformRoot(RecordedSource):
    """The camera's pose in the root of the TF tree, where it moves there otherwise than odometry says alone; in another
    frame above odometry's, where that is asked for."""

    what = "/tf with a frame above odometry's, such as map"

    def names(self) -> list[str]:
        return sorted({frames[0] for _, frames in self._above() if frames})

    def has(self, name: str) -> bool:
        return any(name in frames for _, frames in self._above())

    def evidence(self, name: str, borrowed: Borrowed) -> Evidence:
        notes: list[str] = []
        pairs = [tf_pairs(recording, name, notes) for recording, frames in self._above() if name in frames]
        return evidence_of_pairs(f"tf {name}", name, pairs, notes)

    def _above(self) -> list[tuple[MappedRecording, list[str]]]:
        return [(one, frames_above_odometry(one.tf, one.camera_frame)) for one in bags(self.mapped.recordings)]
