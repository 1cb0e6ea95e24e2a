"""Odometry: topics of nav_msgs/Odometry, or its frame of TF."""

from __future__ import annotations

import numpy as np

from campose_core.alignment.evidence import Evidence, sigma, up_of
from campose_core.alignment.solvers.odometry import MovedCamera, align_to_odometry
from campose_core.alignment.sources.base import Borrowed, Part
from campose_core.alignment.sources.recordings import (
    MOUNTED_DEG,
    RecordedSource,
    bags,
    having,
    moving_in,
    of_camera,
    tf_pairs,
    topics,
)
from campose_core.bag.odometry import ODOMETRY
from campose_core.bag.poses import is_odom, read_poses
from campose_core.capture.mapped_recordings import MAX_GAP_NS
from campose_core.trajectory import Trajectory

WHEEL_SIZE = 0.02  # relative error of the scale that no stretch shows: worn, soft or wrongly measured wheels


class Odometry(RecordedSource):
    """The frame of the first recording's odometry, as it stood at its first pose."""

    what = "nav_msgs/Odometry, or odom -> base of /tf"
    lends = frozenset({Part.LEVEL, Part.SCALE})

    def names(self) -> list[str]:
        """List topics; where there are none, odometry's frames in TF."""
        recordings = self.mapped.recordings
        found = topics(recordings, [ODOMETRY])
        if found:
            return found
        frames = {frame for recording in bags(recordings) for frame in recording.tf.chain(recording.camera_frame)[1:]}
        return sorted(frame for frame in frames if is_odom(frame) and moving_in(recordings, frame))

    def evidence(self, name: str, borrowed: Borrowed) -> Evidence:
        notes: list[str] = []
        moved: dict[str, MovedCamera] = {}
        for recording in having(self.mapped.recordings, name):
            odometry = read_poses(recording.path, name, recording.clock)
            notes += [f"odometry {name}: {gap}" for gap in _gaps(odometry)]
            camera = of_camera(recording, odometry, name, named=True)
            moved[recording.source] = MovedCamera(*recording.pairs(camera, name))
        if not moved:
            for recording in moving_in(self.mapped.recordings, name):
                moved[recording.source] = MovedCamera(*tf_pairs(recording, name, notes))
            name = f"tf {name}"
        alignment = align_to_odometry(list(moved.values()))
        residual = alignment.residual
        if residual.slipped:
            notes.append(
                f"odometry {name}: {residual.slipped:.0f} of {residual.segments:.0f} stretches disagree with the "
                "images (slip?) and do not count"
            )
        return Evidence(
            f"odometry {name}",
            alignment,
            f"odometry {name} of {next(iter(moved))}",
            alignment.map_from_sfm.scale,
            float(np.hypot(WHEEL_SIZE, sigma(residual.scale_percent) / 100)),
            up_of(alignment.map_from_sfm),
            float(np.hypot(MOUNTED_DEG, sigma(residual.tilt_deg))),
            notes=tuple(notes),
        )


def _gaps(odometry: Trajectory) -> list[str]:
    """In words, each gap in which frames have no odometry."""
    seconds = (odometry.stamps_ns - odometry.stamps_ns[0]) / 1e9
    wide = np.flatnonzero(np.diff(odometry.stamps_ns) > MAX_GAP_NS)
    return [f"a gap of {seconds[i + 1] - seconds[i]:.1f} s, {seconds[i]:.1f} s after its beginning" for i in wide]
