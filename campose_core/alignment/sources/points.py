"""`campose align --points`: places of the reconstruction that somebody knows in the map."""

from __future__ import annotations

from pathlib import Path

from campose_core.alignment.evidence import Evidence, evidence_of_poses
from campose_core.alignment.sources.base import AlignmentSource, Borrowed
from campose_core.errors import AlignmentError
from campose_core.joining.contradicting_pairs import contradiction
from campose_core.joining.frame_pairs import read_pairs
from campose_core.joining.robust_similarity import align_to_points


class Points(AlignmentSource):
    """A CSV of three or more point pairs."""

    by_hand = True

    def names(self) -> list[str]:
        path = self.mapped.request.points
        return [] if path is None else [str(path)]

    def evidence(self, name: str, borrowed: Borrowed) -> Evidence:
        path = Path(name)
        points_sfm, points_map, lines = read_pairs(path, self.mapped.poses)
        try:
            alignment = align_to_points(points_sfm, points_map)
        except AlignmentError as error:
            raise AlignmentError(f"{path}: {error}") from error
        if wrong := contradiction(points_sfm, points_map, lines):
            raise AlignmentError(f"{path}: {wrong}")
        return evidence_of_poses(f"points {path.name}", alignment, points_sfm)
