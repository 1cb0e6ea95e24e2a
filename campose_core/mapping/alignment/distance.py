"""`map_from_sfm` from one known distance, levelled by the cameras' posture."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.errors import AlignmentError
from campose_core.geometry import Pose, Similarity
from campose_core.mapping.alignment.posture import upright_direction
from campose_core.scene import Alignment


def align_by_distance(
    sfm_from_cams: list[Pose], first: int, second: int, distance_m: float, height_m: float
) -> Alignment:
    """`map_from_sfm` from the distance between two camera positions, levelled by the cameras' own upright posture.

    z is up, the floor lies `height_m` below the median camera, and the first camera is at x = y = 0, looking along x.

    Raises:
        AlignmentError: the two positions coincide, or the cameras all look the same way, so that up is not determined.
    """
    positions = np.array([pose.translation for pose in sfm_from_cams])
    apart = float(np.linalg.norm(positions[first] - positions[second]))
    if apart < 1e-3 * max(float(np.linalg.norm(np.ptp(positions, axis=0))), 1e-12) or distance_m <= 0:
        raise AlignmentError(
            "the two frames of a known distance must be at different places, a positive distance apart"
        )
    up, spread_deg = upright_direction([pose.rotation for pose in sfm_from_cams])
    forward = sfm_from_cams[0].rotation.apply([0.0, 0.0, 1.0])
    forward = forward - up * (forward @ up)
    if np.linalg.norm(forward) < 1e-3:
        raise AlignmentError("the first frame looks straight up or down: start the recording looking ahead")
    forward /= np.linalg.norm(forward)
    rotation = Rotation.from_matrix(np.stack([forward, np.cross(up, forward), up]))
    scale = distance_m / apart
    level = Similarity(scale, rotation, np.zeros(3)).transform(positions)
    origin = np.array([level[0, 0], level[0, 1], np.median(level[:, 2]) - height_m])
    return Alignment(Similarity(scale, rotation, -origin), "known distance", {"tilt_spread_deg": spread_deg})
