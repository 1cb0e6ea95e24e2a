"""`campose align --reference`: a trajectory of the camera in the map frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from campose_core.alignment.evidence import Evidence, evidence_of_poses
from campose_core.alignment.sources.base import AlignmentSource, Borrowed, MappedScene
from campose_core.capture.file_stamps import at_own_stamps, own_stamps
from campose_core.capture.referenced_frames import covered_frames
from campose_core.geometry import Pose
from campose_core.joining.misreadings import AGREEING_DEG, is_far, refuse_misread
from campose_core.joining.other_clock import refuse_other_clock
from campose_core.joining.robust_similarity import align_to_poses
from campose_core.scene.alignment import Alignment
from campose_core.scene.frames_table import SceneFrame
from campose_core.trajectory import Trajectory


class Reference(AlignmentSource):
    """A TUM file of map_from_cam, at the stamps of (some of) the frames."""

    by_hand = True

    def names(self) -> list[str]:
        path = self.mapped.request.reference
        return [] if path is None else [str(path)]

    def evidence(self, name: str, borrowed: Borrowed) -> Evidence:
        known, alignment = aligned_to_reference(self.mapped)
        path_sfm = np.array([self.mapped.poses[frame.name].translation for frame, _ in known])
        return evidence_of_poses(f"reference {Path(name).name}", alignment, path_sfm)


def aligned_to_reference(mapped: MappedScene) -> tuple[list[tuple[SceneFrame, Pose]], Alignment]:
    """Return the mapped frames that the reference covers, with its poses, and what it makes of the map.

    Raises:
        AlignmentError: see `covered_frames` and `align_to_poses`; or it fits far better by another clock, or as
            something else than map_from_cam.
    """
    poses, reference = mapped.poses, mapped.request.reference
    assert reference is not None
    frames = [frame for frame in mapped.scene.frames if frame.name in poses]
    known = covered_frames(frames, mapped.reference, reference, mapped.request.source)
    sfm_from_cams, map_from_cams = [poses[frame.name] for frame, _ in known], [pose for _, pose in known]
    alignment = align_to_poses(sfm_from_cams, map_from_cams)
    residual = alignment.residual
    if is_far(map_from_cams, residual.p95_m or 0.0) or (residual.median_deg or 0.0) > AGREEING_DEG:
        refuse_misread(sfm_from_cams, map_from_cams, residual.median_m or 0.0)
        walked = Trajectory.from_poses([frame.stamp_ns for frame, _ in known], sfm_from_cams)
        said = at_own_stamps(mapped.reference, own_stamps([frame for frame, _ in known]), reference)
        refuse_other_clock(walked, said, residual, reference)
    return known, alignment
