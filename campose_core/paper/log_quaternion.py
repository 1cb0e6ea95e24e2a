"""The rotation label of MapNet: the logarithm of a unit quaternion."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from campose_core.geometry import Array


def log_quat(rotation: Rotation) -> Array:
    """Return the logarithm of the unit quaternion, (..., 3): half the rotation vector.

    The rotation label of MapNet (Brahmbhatt et al., CVPR 2018, eq. 2); its norm is at most pi / 2.
    """
    return np.asarray(rotation.as_rotvec() / 2.0)


def exp_quat(log_quaternion: ArrayLike) -> Rotation:
    """Return the rotation of a logarithm (..., 3): the inverse of `log_quat`, defined for every finite vector."""
    return Rotation.from_rotvec(2.0 * np.asarray(log_quaternion, dtype=np.float64))
