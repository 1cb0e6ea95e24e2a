"""Which frames of a scene a reference trajectory speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from campose_core.capture.external_poses import read_reference
from campose_core.capture.file_stamps import at_own_stamps, own_stamps
from campose_core.errors import AlignmentError
from campose_core.geometry import Pose
from campose_core.scene.frames_table import SceneFrame
from campose_core.trajectory import Trajectory


def frames_with_reference(
    frames: Sequence[SceneFrame], reference: Path, source: str | None = None, image_topic: str | None = None
) -> list[tuple[SceneFrame, Pose]]:
    """List the frames (of one source, or of all) whose stamp the reference covers, with the map_from_cam it gives them.

    image_topic: whose camera it is of, where it is a bag with several.

    Raises:
        AlignmentError: see `covered_frames`. TrajectoryError, CaptureError: see `read_reference`.
    """
    return covered_frames(frames, read_reference(reference, image_topic), reference, source)


def covered_frames(
    frames: Sequence[SceneFrame], poses: Trajectory, reference: Path, source: str | None
) -> list[tuple[SceneFrame, Pose]]:
    """List them as `frames_with_reference`; `poses` are what it reads.

    Raises:
        AlignmentError: fewer than three (both intervals are named), no such source, or frames of several sources at the
            same time, so that the stamps do not tell whose poses these are.
    """
    sources = sorted({frame.source for frame in frames})
    if source not in (None, *sources):
        raise AlignmentError(f"no frame comes from the source {source!r}; there are {', '.join(sources) or 'none'}")
    asked = sorted((f for f in frames if source in (None, f.source)), key=lambda f: f.stamp_ns)
    trajectory = at_own_stamps(poses, own_stamps(asked), reference)
    stamps = np.unique(np.array([f.stamp_ns for f in asked], dtype=np.int64))
    _, at_stamps = trajectory.interpolate(stamps)
    map_from_cam = dict(at_stamps)
    known = [(f, map_from_cam[f.stamp_ns]) for f in asked if f.stamp_ns in map_from_cam]
    if len(known) < 3:
        span = f"{stamps[0] / 1e9:.3f} .. {stamps[-1] / 1e9:.3f} s" if len(stamps) else "no time at all"
        raise AlignmentError(
            f"{reference}: {len(known)} of {len(asked)} frames have a pose in it. The frames cover "
            f"{span}, the reference {trajectory.interval_text()}: give the reference of "
            "the same recording, with stamps of the same clock"
        )
    taking_turns = [name for name, _ in groupby(frame.source for frame, _ in known)]
    if len(taking_turns) > len(set(taking_turns)):
        raise AlignmentError(
            f"{reference}: it covers frames of {' and '.join(sorted(set(taking_turns)))} at the same time: name the "
            "recording that it is of with --source"
        )
    return known
