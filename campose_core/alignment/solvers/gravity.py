"""Which way is up, by an accelerometer that was carried with the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from campose_core.alignment.solvers.level import mean_direction
from campose_core.errors import AlignmentError
from campose_core.geometry import Array

WINDOW_NS = 1_000_000_000
MIN_WINDOWS = 3
WORST_DEG = 10.0  # that a second's mean may differ from up (median): a person who runs, or a wrong mounting
STANDARD_GRAVITY = 9.80665  # m/s^2 (CGPM 1901)


@dataclass(frozen=True, eq=False)
class Gravity:
    """up (3,): unit, in sfm. windows: seconds that were averaged. median_deg: by how much one of them differs.

    strength: their mean specific force, m/s^2.
    """

    up: Array
    windows: int
    median_deg: float
    strength: float


def up_by_gravity(stamps_ns: NDArray[np.int64], sfm_from_imu: Rotation, accel_m_s2: Array) -> Gravity:
    """Find up by N samples of specific force (N, 3), m/s^2, in the axes of the IMU, and its N orientations in sfm.

    Turned into sfm before they are averaged, the accelerations of a body that stops and goes cancel: over a window they
    are its change of velocity divided by the duration.

    Raises:
        AlignmentError: too few seconds of samples, or no gravity in them (another unit, gravity removed), or
            directions that turn with the body (a wrong mounting).
    """
    force = sfm_from_imu.apply(accel_m_s2) if len(accel_m_s2) else np.zeros((0, 3))
    window = (stamps_ns - stamps_ns[0]) // WINDOW_NS if len(stamps_ns) else stamps_ns
    means = np.array([force[window == number].mean(axis=0) for number in np.unique(window)]).reshape(-1, 3)
    if len(means) < MIN_WINDOWS:
        raise AlignmentError(f"IMU samples of {len(means)} s while frames were taken, {MIN_WINDOWS} s are needed")
    strength = float(np.linalg.norm(np.median(means, axis=0)))
    if not 0.9 * STANDARD_GRAVITY < strength < 1.1 * STANDARD_GRAVITY:
        raise AlignmentError(
            f"the IMU's acceleration averages to {strength:.2f} m/s^2 instead of {STANDARD_GRAVITY:.2f}: is it in "
            "m/s^2, with gravity, and is /tf_static the camera's and the IMU's mounting?"
        )
    directions = means / np.linalg.norm(means, axis=1, keepdims=True)
    up = mean_direction(directions)
    off_deg = np.degrees(np.arccos(np.clip(directions @ up, -1, 1)))
    if np.median(off_deg) > WORST_DEG:
        raise AlignmentError(
            f"the IMU's acceleration over a second differs from up by {np.median(off_deg):.0f} deg in the median: is "
            "/tf_static the camera's and the IMU's mounting, and is the clock the same?"
        )
    return Gravity(up, len(means), float(np.median(off_deg)), strength)
