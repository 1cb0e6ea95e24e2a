"""`campose align --tracker`: what a tracker that is not the camera says of the map frame."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.alignment.evidence import Evidence, evidence_of_poses
from campose_core.alignment.solvers.tracker import align_to_tracker
from campose_core.capture.external_poses import read_outside_poses
from campose_core.errors import AlignmentError
from campose_core.files import write_text
from campose_core.geometry import Pose
from campose_core.progress import say
from campose_core.scene import Scene

REPORT = "tracker.json"  # below reports/: offset of the clocks, mounting, residual


@dataclass(frozen=True, kw_only=True)
class TrackerSource:
    """path: TUM file, CSV table or bag; topic of the bag, None for its only one. The clock may be another one.

    mounting: x, y, z, qx, qy, qz, qw of about where the camera sits on the tracked body, None where nothing is known.
    """

    path: Path
    topic: str | None = None
    mounting: tuple[float, ...] | None = None

    def options(self) -> dict[str, Any]:
        """For `scene.yaml`; the time of the last change is added by the caller."""
        mounting = None if self.mounting is None else list(self.mounting)
        return {"tracker": str(self.path.resolve()), "tracker_topic": self.topic, "mounting": mounting}


def tracker_evidence(
    scene: Scene, poses: dict[str, Pose], tracker: TrackerSource, source: str | None = None
) -> Evidence:
    """Clock, mounting and map_from_sfm from the frames (of `source`) that have a pose; says what it found.

    Raises:
        TrajectoryError, CaptureError: the tracker's poses cannot be read. AlignmentError: several recordings and none
        named, or what `align_to_tracker` refuses.
    """
    known = sorted({frame.source for frame in scene.frames})
    if source not in (None, *known):
        raise AlignmentError(f"no frame comes from the source {source!r}; there are {', '.join(known) or 'none'}")
    if source is None and len(known) > 1:
        raise AlignmentError(f"{tracker.path}: of which recording is it? Name one of {', '.join(known)} with --source")
    trajectory = read_outside_poses(tracker.path, tracker.topic)
    mounting = None if tracker.mounting is None else Pose.from_quat_xyzw(tracker.mounting[3:], tracker.mounting[:3])
    frames = [frame for frame in scene.frames if frame.name in poses and source in (None, frame.source)]
    stamps_ns = np.array([frame.stamp_ns for frame in frames], dtype=np.int64)
    try:
        found = align_to_tracker(stamps_ns, [poses[frame.name] for frame in frames], trajectory, mounting)
    except AlignmentError as error:
        raise AlignmentError(f"{tracker.path}: {error}") from error
    say(f"align: {found.text()}")
    scene.reports_dir.mkdir(exist_ok=True)
    write_text(scene.reports_dir / REPORT, json.dumps(found.report(), indent=1))
    path_sfm = np.array([poses[frame.name].translation for frame in frames])
    evidence = evidence_of_poses(f"tracker {tracker.path.name}", found.alignment, path_sfm)
    # A place on the body that did not show moves the whole map by as much.
    return evidence if found.undetermined is None else replace(evidence, place_m=np.inf)
