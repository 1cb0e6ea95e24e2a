"""The error-state Kalman filter of an IMU that poses correct now and then.

Sola, "Quaternion kinematics for the error-state Kalman filter" (arXiv 1711.02508, 2017), with the angular error in the
fixed axes of the map (chapter 7), as all covariances here. The map must be level: gravity pulls along -z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.bag.imu import ImuSamples
from campose_core.errors import CaptureError
from campose_core.geometry import Array, Pose, pose_difference, skew
from campose_core.statistics import require_positive

GRAVITY = np.array([0.0, 0.0, -9.80665])  # m/s^2 in the map (standard gravity, CGPM 1901)
SIZE = 15
POSITION, VELOCITY, TURN, ACCEL_BIAS, GYRO_BIAS = (slice(start, start + 3) for start in range(0, SIZE, 3))
POSE = np.r_[0:3, 6:9]  # rows of position and turn
LONGEST_GAP_S = 0.1  # between two samples: over more, what the body did is not known


@dataclass(frozen=True)
class ImuNoise:
    """Noise densities and how much is not known of the biases at the start, one standard deviation per axis.

    gyro: rad/s/sqrt(Hz); accel: m/s^2/sqrt(Hz); gyro_walk: rad/s^2/sqrt(Hz); accel_walk: m/s^3/sqrt(Hz). About five
    times what data sheets of small MEMS units promise (EuRoC's ADIS16448: 1.7e-4, 2e-3, 1.9e-5, 3e-3), since vibration
    and stamps are in no data sheet.

    Raises:
        CaptureError: a value that is not positive.
    """

    gyro: float = 1e-3
    accel: float = 1e-2
    gyro_walk: float = 1e-4
    accel_walk: float = 3e-3
    gyro_bias: float = 0.02
    accel_bias: float = 0.2

    def __post_init__(self) -> None:
        require_positive(CaptureError, **{f"the IMU's noise {name}": value for name, value in vars(self).items()})


class ImuState(NamedTuple):
    """Of the IMU in the map at a stamp: position, velocity (3,) in map axes, rotation matrix map_from_imu (3, 3),
    biases (3,) in IMU axes, and the covariance (15, 15) of their errors, that of the turn about the map's axes."""

    stamp_ns: int
    position: Array
    velocity: Array
    rotation: Array
    accel_bias: Array
    gyro_bias: Array
    covariance: Array

    @property
    def pose(self) -> Pose:
        """Return map_from_imu."""
        return Pose(Rotation.from_matrix(self.rotation), self.position)

    @property
    def pose_covariance(self) -> Array:
        """Return the covariance (6, 6) over x, y, z, rx, ry, rz about the map's axes."""
        return np.asarray(self.covariance[np.ix_(POSE, POSE)])

    def moved(self, error: Array, covariance: Array) -> ImuState:
        """Return the state with the error (15,) put into it, of covariance (15, 15)."""
        return self._replace(
            position=self.position + error[POSITION],
            velocity=self.velocity + error[VELOCITY],
            rotation=_exp(error[TURN]) @ self.rotation,
            accel_bias=self.accel_bias + error[ACCEL_BIAS],
            gyro_bias=self.gyro_bias + error[GYRO_BIAS],
            covariance=0.5 * (covariance + covariance.T),
        )

    def error_of(self, other: ImuState) -> Array:
        """Return what (15,) must be put into this state to have the other."""
        turn = Rotation.from_matrix(other.rotation @ self.rotation.T).as_rotvec()
        pairs = ((other.position, self.position), (other.velocity, self.velocity))
        biases = ((other.accel_bias, self.accel_bias), (other.gyro_bias, self.gyro_bias))
        return np.concatenate([*(a - b for a, b in pairs), turn, *(a - b for a, b in biases)])


def start_at(
    stamp_ns: int, map_from_imu: Pose, covariance: Array, velocity: Array, velocity_sigma: float, noise: ImuNoise
) -> ImuState:
    """Make the state at a first pose with its covariance (6, 6); nothing is known of the biases.

    velocity: (3,) in map axes, m/s, with its standard deviation per axis.
    """
    whole = np.zeros((SIZE, SIZE))
    whole[np.ix_(POSE, POSE)] = covariance
    sigmas = (velocity_sigma, noise.accel_bias, noise.gyro_bias)
    for part, sigma in zip((VELOCITY, ACCEL_BIAS, GYRO_BIAS), sigmas, strict=True):
        whole[part, part] = sigma**2 * np.eye(3)
    zero = np.zeros(3)
    return ImuState(stamp_ns, map_from_imu.translation, velocity, map_from_imu.rotation.as_matrix(), zero, zero, whole)


def advance(state: ImuState, samples: ImuSamples, stamp_ns: int, noise: ImuNoise) -> tuple[ImuState, Array] | None:
    """Find the state at a later stamp and the transition (15, 15) of errors; None where samples are missing between.

    Between two samples their mean holds; the stamps at either end are met by interpolation.
    """
    pieces = _between(samples, state.stamp_ns, stamp_ns)
    if pieces is None:
        return None
    seconds, gyro, accel = pieces
    transition, covariance = np.eye(SIZE), state.covariance
    position, velocity, rotation = state.position, state.velocity, state.rotation
    step_transition, noise_density = np.eye(SIZE), np.zeros(SIZE)
    densities = (noise.accel, noise.gyro, noise.accel_walk, noise.gyro_walk)
    for part, density in zip((VELOCITY, TURN, ACCEL_BIAS, GYRO_BIAS), densities, strict=True):
        noise_density[part] = density**2
    for i, dt in enumerate(np.diff(seconds)):
        half_turn = _exp(0.5 * dt * (0.5 * (gyro[i] + gyro[i + 1]) - state.gyro_bias))
        middle = rotation @ half_turn
        force = middle @ (0.5 * (accel[i] + accel[i + 1]) - state.accel_bias)
        acceleration = force + GRAVITY
        position = position + dt * velocity + 0.5 * dt**2 * acceleration
        velocity = velocity + dt * acceleration
        rotation = middle @ half_turn
        # Sola, section 7.2: the errors after a step.
        step_transition[POSITION, VELOCITY] = dt * np.eye(3)
        step_transition[POSITION, TURN] = -0.5 * dt**2 * skew(force)
        step_transition[POSITION, ACCEL_BIAS] = -0.5 * dt**2 * middle
        step_transition[VELOCITY, TURN] = -dt * skew(force)
        step_transition[VELOCITY, ACCEL_BIAS] = -dt * middle
        step_transition[TURN, GYRO_BIAS] = -dt * middle
        covariance = step_transition @ covariance @ step_transition.T
        covariance[np.diag_indices(SIZE)] += dt * noise_density
        transition = step_transition @ transition
    after = ImuState(
        stamp_ns, position, velocity, rotation, state.accel_bias, state.gyro_bias, 0.5 * (covariance + covariance.T)
    )
    return after, transition


def corrected(state: ImuState, map_from_imu: Pose, covariance: Array) -> tuple[ImuState, float]:
    """Correct the state by a pose at its stamp with covariance (6, 6); returns also its squared Mahalanobis distance.

    Sola, section 6.1, with Joseph's form of the covariance.
    """
    innovation = pose_difference(map_from_imu, state.pose)
    spread = state.pose_covariance + covariance
    gain = np.linalg.solve(spread, state.covariance[POSE]).T
    keep = np.eye(SIZE)
    keep[:, POSE] -= gain
    after = keep @ state.covariance @ keep.T + gain @ covariance @ gain.T
    return state.moved(gain @ innovation, after), float(innovation @ np.linalg.solve(spread, innovation))


def check_force(samples: ImuSamples, where: str) -> None:
    """Refuse an accelerometer in another unit, or without gravity.

    Raises:
        CaptureError: what it seems to measure instead.
    """
    strength = float(np.median(np.linalg.norm(samples.accel_m_s2, axis=1)))
    gravity = float(np.linalg.norm(GRAVITY))
    if abs(strength / gravity - 1.0) < 0.15:
        return
    guess = "is it in m/s^2, and calibrated?"
    if abs(strength - 1.0) < 0.15 and np.std(np.linalg.norm(samples.accel_m_s2, axis=1)) < 0.3:
        guess = f"it is in g: multiply it by {gravity:.3f} to have m/s^2"
    elif strength < 3.0:
        guess = "gravity has been removed: record the raw acceleration (REP-145: /imu/data_raw or /imu/data)"
    raise CaptureError(
        f"{where}: the IMU's acceleration is {strength:.2f} m/s^2 in the median, not {gravity:.1f}: {guess}"
    )


def _between(samples: ImuSamples, first_ns: int, last_ns: int) -> tuple[Array, Array, Array] | None:
    """Seconds (K,) from one stamp to another, and turn rates and forces (K, 3) there; the ends are interpolated.

    None where samples are farther apart than LONGEST_GAP_S.
    """
    known = samples.stamps_ns
    low = max(int(np.searchsorted(known, first_ns, "right")) - 1, 0)
    near = (known[low : int(np.searchsorted(known, last_ns, "left")) + 1] - first_ns).astype(float) / 1e9
    span = (last_ns - first_ns) / 1e9
    covered = np.concatenate([[min(near[0], 0.0)], near, [max(near[-1], span)]]) if len(near) else np.array([0.0, span])
    if np.diff(covered).max() > LONGEST_GAP_S or len(near) == 0 or span < 0:
        return None
    at = np.concatenate([[0.0], near[(near > 0) & (near < span)], [span]])
    rows = slice(low, low + len(near))
    gyro, accel = (
        np.stack([np.interp(at, near, axis) for axis in values[rows].T], axis=1)
        for values in (samples.gyro_rad_s, samples.accel_m_s2)
    )
    return at, gyro, accel


def _exp(turn: Array) -> Array:
    """Rotation matrix of a rotation vector (Rodrigues)."""
    angle = math.sqrt(float(turn @ turn))
    matrix = skew(turn)
    if angle < 1e-8:
        return np.eye(3) + matrix
    return np.asarray(
        np.eye(3) + math.sin(angle) / angle * matrix + (1.0 - math.cos(angle)) / angle**2 * (matrix @ matrix)
    )
