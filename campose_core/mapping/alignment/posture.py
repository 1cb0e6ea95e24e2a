"""Which way is up, by the way people and robots hold a camera."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.errors import AlignmentError
from campose_core.geometry import Array


def upright_direction(sfm_from_cam_rotations: list[Rotation]) -> tuple[Array, float]:
    """The up direction of hand-held or robot-mounted cameras, and how far their x axes stray from level, in degrees.

    People and robots keep a camera's x axis level: up is the direction most nearly orthogonal to all of them (Brown and
    Lowe, "Automatic panoramic image stitching", IJCV 2007, section 5). Its sign follows the images' own up.

    Raises:
        AlignmentError: the x axes all point the same way: turn while recording.
    """
    right = np.array([rotation.apply([1.0, 0.0, 0.0]) for rotation in sfm_from_cam_rotations])
    values, vectors = np.linalg.eigh(right.T @ right / len(right))
    if values[1] < 0.02:
        raise AlignmentError("all frames look the same way, so that up is not determined: turn while recording")
    up = vectors[:, 0]
    image_up = np.mean([rotation.apply([0.0, -1.0, 0.0]) for rotation in sfm_from_cam_rotations], axis=0)
    spread = float(np.degrees(np.arcsin(np.median(np.abs(right @ up)))))
    return np.asarray(up if up @ image_up > 0 else -up), spread
