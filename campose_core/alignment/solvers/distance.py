"""The scale of a reconstruction from one known distance."""

from __future__ import annotations

import numpy as np

from campose_core.errors import AlignmentError
from campose_core.geometry import Array


def scale_of_distance(first_sfm: Array, second_sfm: Array, path_sfm: Array, distance_m: float) -> float:
    """Metres per unit of sfm, where two cameras (3,) of the path (N, 3) stood `distance_m` apart.

    Raises:
        AlignmentError: the two positions coincide, or the distance is not positive.
    """
    apart = float(np.linalg.norm(first_sfm - second_sfm))
    if apart < 1e-3 * max(float(np.linalg.norm(np.ptp(path_sfm, axis=0))), 1e-12) or distance_m <= 0:
        raise AlignmentError(
            "the two frames of a known distance must be at different places, a positive distance apart"
        )
    return distance_m / apart
