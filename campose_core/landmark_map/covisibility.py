"""Which landmarks each keyframe sees, which keyframes see the same, and which look at the same from near by.

Everything is looked up for a few keyframes at a time: the cost is that of a place, whatever the size of the building.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from campose_core.geometry import Array, Pose
from campose_core.landmark_map.grouped import Grouped
from campose_core.landmark_map.landmarks import Landmarks

Indices = NDArray[np.intp]

MIN_SHARED = 10  # landmarks; two keyframes that share fewer hardly see the same


class Keyframes:
    """The keyframes of a landmark map in metres, by their row in it. depth: the median of what they see."""

    def __init__(self, landmarks: Landmarks) -> None:
        frames, points = len(landmarks.frame_names), len(landmarks.xyz)
        self._seen = Grouped(landmarks.observed_by, landmarks.observed, frames)
        self._seers = Grouped(landmarks.observed, landmarks.observed_by, points)
        self.depth = landmarks.median_depth
        rotations = Rotation.from_quat(np.array(landmarks.frame_quats_xyzw))
        self._tree = cKDTree(views(landmarks.frame_positions, rotations, self.depth))

    def __len__(self) -> int:
        return len(self._seen)

    def seen_by(self, keyframes: Sequence[int] | Indices) -> Indices:
        """Return the landmarks that any of these keyframes sees, ascending."""
        return np.unique(self._seen.of(keyframes)).astype(np.intp)

    def covisible(self, keyframe: int, count: int | None = None) -> Indices:
        """Find up to `count` other keyframes (or all) that share MIN_SHARED landmarks with it, most shared first."""
        seers, shared = np.unique(self._seers.of(self._seen.of([keyframe])), return_counts=True)
        others = (seers != keyframe) & (shared >= MIN_SHARED)
        seers, shared = seers[others], shared[others]
        return seers[np.argsort(-shared, kind="stable")[:count]].astype(np.intp)

    def near(self, map_from_cam: Pose, count: int) -> Indices:
        """Find up to `count` keyframes that look at the same from near by, the nearest first; none where none does.

        Views that lie less than the median depth apart may show the same, see `views`.
        """
        distances, rows = self._nearest(map_from_cam, count)
        return rows[distances < self.depth]

    def nearest(self, map_from_cam: Pose, count: int) -> Indices:
        """Find the `count` keyframes whose views differ least from that of a camera, however far they are."""
        return self._nearest(map_from_cam, count)[1]

    def _nearest(self, map_from_cam: Pose, count: int) -> tuple[Array, Indices]:
        rotation = Rotation.from_quat(map_from_cam.quat_xyzw[None])
        view = views(map_from_cam.translation[None], rotation, self.depth)[0]
        distances, rows = self._tree.query(view, k=range(1, min(count, len(self)) + 1))
        return np.asarray(distances), np.asarray(rows, dtype=np.intp)


def views(positions: Array, rotations: Rotation, depth: float) -> Array:
    """Return views (N, 6) of N cameras, of world_from_cam: Euclidean distance tells how much two of them differ.

    Two views differ by the distance of the cameras and of the points they look at, at the map's median depth d:
    sqrt(distance^2 + (2 d sin(angle / 2))^2). Up to d they may show the same: d aside, or 60 degrees turned.
    """
    return np.hstack([positions, depth * rotations.apply([0.0, 0.0, 1.0])])
