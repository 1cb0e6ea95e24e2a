"""What lies among keyframes goes with them, where the map is adjusted anew: other frames, landmarks of another kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.geometry import Array, Pose, Similarity, positions_of
from campose_core.landmark_map.landmarks import Landmarks


class Carried:
    """From a map to the same map adjusted anew. before, after: its landmarks of one kind, on the same keyframes.

    Each keyframe moves what is near it by a similarity, whose scale is that of the distances at which it sees things.
    """

    def __init__(self, before: Landmarks, after: Landmarks) -> None:
        row_of = {str(name): row for row, name in enumerate(after.frame_names)}
        scales = _depths(after)[[row_of[str(name)] for name in before.frame_names]] / _depths(before)
        self._names, self._positions = before.frame_names, before.frame_positions
        self._moves = {
            str(name): _move(before.world_from_cam(i), after.world_from_cam(row_of[str(name)]), scale)
            for i, (name, scale) in enumerate(zip(before.frame_names, np.nan_to_num(scales, nan=1.0), strict=True))
        }

    def pose(self, world_from_cam: Pose) -> Pose:
        """Carry a camera with the keyframe nearest to it."""
        nearest = np.argmin(np.linalg.norm(self._positions - world_from_cam.translation, axis=1))
        return self._moves[str(self._names[nearest])].transform_pose(world_from_cam)

    def landmarks(self, landmarks: Landmarks) -> Landmarks:
        """Carry landmarks of another kind, each to the middle of where the keyframes that see it move it."""
        moves = [self._moves[str(name)] for name in landmarks.frame_names]
        moved, seen = np.zeros_like(landmarks.xyz, dtype=np.float64), np.zeros(len(landmarks.xyz))
        for row, move in enumerate(moves):
            shown = landmarks.observed[landmarks.observed_by == row]
            np.add.at(moved, shown, move.transform(landmarks.xyz[shown]))
            np.add.at(seen, shown, 1)
        poses = [move.transform_pose(landmarks.world_from_cam(row)) for row, move in enumerate(moves)]
        return replace(
            landmarks,
            xyz=np.where(seen[:, None] > 0, moved / np.maximum(seen, 1)[:, None], landmarks.xyz),
            frame_positions=positions_of(poses),
            frame_quats_xyzw=Rotation.concatenate([pose.rotation for pose in poses]).as_quat(),
        )


def _depths(landmarks: Landmarks) -> Array:
    """Return the median distance of what each keyframe sees; NaN where it sees nothing."""
    depths, count = np.linalg.norm(landmarks.sights, axis=1), len(landmarks.frame_names)
    by_frame = [depths[landmarks.observed_by == row] for row in range(count)]
    return np.array([np.median(some) if len(some) else np.nan for some in by_frame])


def _move(before: Pose, after: Pose, scale: float) -> Similarity:
    """Turn and move one camera onto the other, and scale what it sees."""
    rotation = after.rotation * before.rotation.inv()
    return Similarity(scale, rotation, after.translation - scale * (rotation.as_matrix() @ before.translation))
