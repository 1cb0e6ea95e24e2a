"""`campose align --tracker`: what a tracker that is not the camera says of the map frame."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import numpy as np

from campose_core.alignment.evidence import Evidence, evidence_of_poses
from campose_core.alignment.solvers.tracker import align_to_tracker
from campose_core.alignment.sources.base import AlignmentSource, Borrowed
from campose_core.capture.external_poses import read_outside_poses
from campose_core.capture.mapped_recordings import clock_in
from campose_core.errors import AlignmentError
from campose_core.files import write_text
from campose_core.geometry import Pose
from campose_core.joining.wrong_unit import refuse_wrong_unit

log = logging.getLogger(__name__)

REPORT = "tracker.json"  # below reports/: offset of the clocks, mounting, residual


class Tracker(AlignmentSource):
    """Poses of a body that carries the camera of one recording; says clock and mounting as it found them."""

    by_hand = True

    def names(self) -> list[str]:
        tracker = self.mapped.request.tracker
        return [] if tracker is None else [str(tracker.path)]

    def evidence(self, name: str, borrowed: Borrowed) -> Evidence:
        scene, poses, source = self.mapped.scene, self.mapped.poses, self.mapped.request.source
        tracker = self.mapped.request.tracker
        assert tracker is not None
        known = sorted({frame.source for frame in scene.frames})
        if source not in (None, *known):
            raise AlignmentError(f"no frame comes from the source {source!r}; there are {', '.join(known) or 'none'}")
        if source is None and len(known) > 1:
            raise AlignmentError(
                f"{tracker.path}: of which recording is it? Name one of {', '.join(known)} with --source"
            )
        trajectory = read_outside_poses(tracker.path, tracker.topic, clock_in(scene, tracker.path))
        if trajectory.of_images:
            raise AlignmentError(f"{tracker.path}: a tracker's poses need stamps: `stamp_s x y z qx qy qz qw`")
        mounting = None if tracker.mounting is None else Pose.from_quat_xyzw(tracker.mounting[3:], tracker.mounting[:3])
        frames = [frame for frame in scene.frames if frame.name in poses and source in (None, frame.source)]
        stamps_ns = np.array([frame.stamp_ns for frame in frames], dtype=np.int64)
        try:
            found = align_to_tracker(stamps_ns, [poses[frame.name] for frame in frames], trajectory, mounting)
        except AlignmentError as error:
            raise AlignmentError(f"{tracker.path}: {error}") from error
        refuse_wrong_unit(scene, poses, f"tracker {tracker.path.name}", found.alignment.map_from_sfm.scale)
        log.info(f"align: {found.text()}")
        scene.reports_dir.mkdir(exist_ok=True)
        write_text(scene.reports_dir / REPORT, json.dumps(found.report(), indent=1))
        path_sfm = np.array([poses[frame.name].translation for frame in frames])
        evidence = evidence_of_poses(f"tracker {tracker.path.name}", found.alignment, path_sfm)
        # A place on the body that did not show moves the whole map by as much.
        return evidence if found.undetermined is None else replace(evidence, place_m=np.inf)
