"""A map frame out of an up direction: what all methods share that know no more of the rotation."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.errors import AlignmentError
from campose_core.geometry import Array, Pose, Similarity, positions_of


def level_rotation(up: Array, forward: Array | None = None) -> Rotation:
    """Return level_from_sfm with `up` (3,) as its z axis, and the level part of `forward` as its x axis (None: any)."""
    if forward is None:
        forward = np.eye(3)[int(np.argmin(np.abs(up)))]
    across = forward - up * (forward @ up)
    across = across / np.linalg.norm(across)
    return Rotation.from_matrix(np.stack([across, np.cross(up, across), up]))


def standing_at_origin(sfm_from_cams: list[Pose], scale: float, up: Array, height_m: float) -> Similarity:
    """Make `map_from_sfm` where only scale, metres per unit, and up (3,) are known.

    The first camera that does not look straight up or down is at x = y = 0 and looks along x; the floor, z = 0, lies
    `height_m` below the median camera.

    Raises:
        AlignmentError: all cameras look straight up or down.
    """
    for pose in sfm_from_cams:
        forward = pose.rotation.apply([0.0, 0.0, 1.0])
        if np.linalg.norm(np.cross(forward, up)) > 0.2:
            break
    else:
        raise AlignmentError("all frames look straight up or down: record looking ahead")
    rotation = level_rotation(up, forward)
    level = Similarity(scale, rotation, np.zeros(3))
    heights = level.transform(positions_of(sfm_from_cams))[:, 2]
    first = level.transform(pose.translation)
    return Similarity(scale, rotation, -np.array([first[0], first[1], float(np.median(heights)) - height_m]))


def mean_direction(directions: Array) -> Array:
    """Find the unit vector that directions (N, 3) agree on: their geometric median (Weiszfeld), back on the sphere.

    Raises:
        AlignmentError: they point everywhere.
    """
    mean = directions.mean(axis=0)
    for _ in range(50):
        weights = 1.0 / np.maximum(np.linalg.norm(directions - mean, axis=1), 1e-9)
        mean = weights @ directions / weights.sum()
    length = float(np.linalg.norm(mean))
    if length < 0.1:
        raise AlignmentError("the directions that should tell which way is up point everywhere")
    return np.asarray(mean / length)
