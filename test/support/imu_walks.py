"""What an IMU on a walking body would measure."""

import numpy as np
from scipy.spatial.transform import Rotation
from tracked_walks import SECOND, Path

from campose_core.bag.imu import ImuSamples
from campose_core.geometry import Pose
from campose_core.inertial.error_state_filter import GRAVITY, ImuNoise

# What the simulated unit does; the filter is told the same.
NOISE = ImuNoise(gyro=5e-4, accel=5e-3, gyro_walk=5e-5, accel_walk=5e-4, gyro_bias=0.01, accel_bias=0.1)


def imu_samples(path: Path, seed: int, noise: ImuNoise | None = NOISE, rate_hz: float = 200.0) -> ImuSamples:
    """The body is the IMU. None of noise, none of bias either."""
    generator = np.random.default_rng(seed)
    t = np.arange(0.0, path.seconds, 1.0 / rate_hz)
    h = 1e-4
    gyro = (path.rotation(t - h).inv() * path.rotation(t + h)).as_rotvec() / (2 * h)
    accel = path.rotation(t).inv().apply(path.position(t, 2) - GRAVITY)
    if noise is not None:
        for values, density, walk, bias in (
            (gyro, noise.gyro, noise.gyro_walk, noise.gyro_bias),
            (accel, noise.accel, noise.accel_walk, noise.accel_bias),
        ):
            steps = walk / np.sqrt(rate_hz) * generator.normal(size=values.shape)
            values += generator.normal(0, bias, 3) + np.cumsum(steps, axis=0)
            values += density * np.sqrt(rate_hz) * generator.normal(size=values.shape)
    return ImuSamples([round(s * SECOND) for s in t], gyro, accel)


def visual_fixes(
    path: Path, seed: int, rate_hz: float = 10.0, sigma_m: float = 0.005, sigma_deg: float = 0.2
) -> dict[int, tuple[Pose, np.ndarray]]:
    """Stamp -> noisy pose and its covariance."""
    generator = np.random.default_rng(seed + 500)
    covariance = np.diag([sigma_m**2] * 3 + [np.radians(sigma_deg) ** 2] * 3)
    fixes = {}
    for t in np.arange(0.5, path.seconds - 0.5, 1.0 / rate_hz):
        error = generator.multivariate_normal(np.zeros(6), covariance)
        true = path.pose(t)
        pose = Pose(Rotation.from_rotvec(error[3:]) * true.rotation, true.translation + error[:3])
        fixes[round(t * SECOND)] = (pose, covariance)
    return fixes
