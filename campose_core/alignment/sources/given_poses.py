"""A map that was made from given poses (`campose map --poses`) lies in the map frame from the start."""

from __future__ import annotations

from campose_core.alignment.evidence import Evidence, evidence_of_poses
from campose_core.alignment.sources.base import AlignmentSource, Borrowed
from campose_core.sfm.given_poses import METHOD, alignment_of_given
from campose_core.sfm.report import MapReport


class MappedFromPoses(AlignmentSource):
    """The frame of the poses that landmarks were triangulated from; nothing of any other map."""

    def names(self) -> list[str]:
        given = self.mapped.scene.steps["map"]["options"].get("poses")
        return [METHOD] if given is not None and "images" not in given else []  # a COLMAP model has no metres

    def evidence(self, name: str, borrowed: Borrowed) -> Evidence:
        report = MapReport.load(self.mapped.scene)
        return evidence_of_poses(METHOD, alignment_of_given(report), self.mapped.path_sfm)
