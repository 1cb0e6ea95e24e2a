"""`campose align --reference`: a trajectory of the camera in the map frame."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from campose_core.alignment.evidence import Evidence, evidence_of_poses
from campose_core.alignment.sources.base import AlignmentSource, Borrowed, MappedScene
from campose_core.capture.external_poses import read_reference
from campose_core.capture.file_stamps import at_own_stamps, own_stamps
from campose_core.capture.mapped_recordings import image_topic_of
from campose_core.errors import AlignmentError
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
        known, alignment = aligned_to_reference(self.mapped, Path(name))
        path_sfm = np.array([self.mapped.poses[frame.name].translation for frame, _ in known])
        return evidence_of_poses(f"reference {Path(name).name}", alignment, path_sfm)


def aligned_to_reference(mapped: MappedScene, reference: Path) -> tuple[list[tuple[SceneFrame, Pose]], Alignment]:
    """Return the mapped frames that the reference covers, with its poses, and what it makes of the map.

    Raises:
        AlignmentError: see `frames_with_reference` and `align_to_poses`; or it fits far better by another clock, or as
            something else than map_from_cam.
    """
    poses, source = mapped.poses, mapped.request.source
    frames, topic = [f for f in mapped.scene.frames if f.name in poses], image_topic_of(mapped.scene, source)
    known = frames_with_reference(frames, reference, source, topic)
    sfm_from_cams, map_from_cams = [poses[frame.name] for frame, _ in known], [pose for _, pose in known]
    alignment = align_to_poses(sfm_from_cams, map_from_cams)
    residual = alignment.residual
    if is_far(map_from_cams, residual.p95_m or 0.0) or (residual.median_deg or 0.0) > AGREEING_DEG:
        refuse_misread(sfm_from_cams, map_from_cams, residual.median_m or 0.0)
        walked = Trajectory.from_poses([frame.stamp_ns for frame, _ in known], sfm_from_cams)
        said = at_own_stamps(read_reference(reference, topic), own_stamps([frame for frame, _ in known]), reference)
        refuse_other_clock(walked, said, residual, reference)
    return known, alignment


def frames_with_reference(
    frames: Sequence[SceneFrame], reference: Path, source: str | None = None, image_topic: str | None = None
) -> list[tuple[SceneFrame, Pose]]:
    """List the frames (of one source, or of all) whose stamp the reference covers, with the map_from_cam it gives them.

    image_topic: whose camera it is of, where it is a bag with several.

    Raises:
        AlignmentError: fewer than three (both intervals are named), no such source, or frames of several sources at the
            same time, so that the stamps do not tell whose poses these are.
    """
    sources = sorted({frame.source for frame in frames})
    if source not in (None, *sources):
        raise AlignmentError(f"no frame comes from the source {source!r}; there are {', '.join(sources) or 'none'}")
    asked = sorted((f for f in frames if source in (None, f.source)), key=lambda f: f.stamp_ns)
    trajectory = at_own_stamps(read_reference(reference, image_topic), own_stamps(asked), reference)
    stamps = np.unique(np.array([f.stamp_ns for f in asked], dtype=np.int64))
    _, at_stamps = trajectory.interpolate(stamps)
    map_from_cam = dict(at_stamps)
    known = [(f, map_from_cam[f.stamp_ns]) for f in asked if f.stamp_ns in map_from_cam]
    if len(known) < 3:
        span = f"{stamps[0] / 1e9:.3f} .. {stamps[-1] / 1e9:.3f} s" if len(stamps) else "no time at all"
        raise AlignmentError(
            f"{reference}: {len(known)} of {len(asked)} frames have a pose in it. The frames cover "
            f"{span}, the reference {trajectory.interval_text()}: both must use the same clock"
        )
    taking_turns = [name for name, _ in groupby(frame.source for frame, _ in known)]
    if len(taking_turns) > len(set(taking_turns)):
        raise AlignmentError(
            f"{reference}: it covers frames of {' and '.join(sorted(set(taking_turns)))} at the same time: name the "
            "recording that it is of with --source"
        )
    return known
