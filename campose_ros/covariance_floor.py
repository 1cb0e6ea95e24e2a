"""A floor under the covariance that is published."""

from __future__ import annotations

import numpy as np

from campose_core.geometry import Array


def at_least(covariance: Array, floor_m: float, floor_rad: float) -> Array:
    """Return a covariance (6, 6) of (x, y, z, rx, ry, rz) whose deviation in any direction is at least the floor.

    What is smaller is raised in each block's own directions: C + diag(V max(f^2 - w, 0) V^T), which stays a covariance,
    as the sum of two. A filter that is told millimetres believes them, and follows no other sensor any more.
    """
    raised = np.array(covariance, dtype=np.float64)
    for block, floor in ((slice(0, 3), floor_m), (slice(3, 6), floor_rad)):
        variances, directions = np.linalg.eigh(raised[block, block])
        missing = np.maximum(floor**2 - variances, 0.0)
        raised[block, block] += (directions * missing) @ directions.T
    return raised
