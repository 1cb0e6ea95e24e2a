"""How an odometry drifts: learned against poses that landmarks gave, and what follows for a way without any.

What wheels count is wrong by factors that stay (unequal or worn tyres: Borenstein and Feng, T-RA 1996) and by chance
(uneven ground, slip). With a step s and a turn w of the odometry, both in the axes of the body, the body truly moved by

    s (1 + k_s) + noise,    w (1 + k_w) + |s| k_h + noise

The five numbers (k_s, k_w, k_h of three axes) are followed by a Kalman filter; the strength of the noise is that of
STRENGTHS that explains best by how much ways were off. A pose carried on by the odometry is left as that says: what is
known of the factors, mean and spread, is in its covariance, E[e e^T] of its error e.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from campose_core.geometry import Array, Pose, covariance_at_lever, pose_difference, rotation_angle, skew
from campose_core.motion.model import UncertainPose

FACTORS = 5  # k_s, k_w, k_h
STRENGTHS = 4.0 ** np.arange(-2, 6)  # of the noise, in variance
FORGOTTEN = 0.97  # of what ways before said of the noise, with each new one
UNEXPLAINED = 100.0  # squared error of a way, in standard deviations
WILD = 16.8  # squared error of a way, in standard deviations, beyond which it tells little of the factors (99 %)
LEAST_M, LEAST_RAD = 1.0, 0.5  # of a way that tells something: landmarks are exact to a centimetre
LONGEST_S = 10.0  # of one: what is learned serves while it is new


@dataclass(frozen=True)
class DriftOptions:
    """What is taken of an odometry that has shown nothing yet, one standard deviation.

    distance, turn: factors. rad_per_m: heading lost on the way, each axis. The noise: of a metre, m_per_sqrt_m and
    rad_per_sqrt_m; of a turn, rad_per_sqrt_rad. renewed: share of these variances of the factors that a metre adds, as
    floors and loads differ. floor_m, floor_rad: of stamps and interpolation, however short the way.
    """

    distance: float = 0.05
    turn: float = 0.05
    rad_per_m: float = 0.01
    m_per_sqrt_m: float = 0.01
    rad_per_sqrt_m: float = 0.004
    rad_per_sqrt_rad: float = 0.01
    renewed: float = 0.002
    floor_m: float = 0.002
    floor_rad: float = 0.001

    @property
    def factors(self) -> Array:
        """Return the covariance (5, 5) of the factors before anything was seen."""
        return np.diag(np.square([self.distance, self.turn, *[self.rad_per_m] * 3]))


class Way(NamedTuple):
    """What odometry says since a start, and how wrong that may be; axes are those of the body at the start.

    start_from_now: the motion. sensitivity (6, 5): of its error to the factors. noise (6, 6): by chance, at strength 1.
    length_m, turned_rad: of all steps together.
    """

    start_from_now: Pose
    sensitivity: Array
    noise: Array
    length_m: float = 0.0
    turned_rad: float = 0.0

    @classmethod
    def none(cls) -> Way:
        """Begin one."""
        return cls(Pose.identity(), np.zeros((6, FACTORS)), np.zeros((6, 6)))

    def extended(self, step: Pose, options: DriftOptions) -> Way:
        """Append a step `before_from_now`; errors of the heading before move its end by turn x step."""
        axes = self.start_from_now.rotation.as_matrix()
        moved, turned = axes @ step.translation, axes @ step.rotation.as_rotvec()
        length_m, angle = float(np.linalg.norm(moved)), float(rotation_angle(step.rotation))
        sensitivity = self.sensitivity.copy()
        sensitivity[:3] -= skew(moved) @ sensitivity[3:]
        sensitivity[:3, 0] += moved
        sensitivity[3:, 1] += turned
        sensitivity[3:, 2:] += length_m * axes
        variance_m2 = options.m_per_sqrt_m**2 * length_m
        variance_rad2 = options.rad_per_sqrt_m**2 * length_m + options.rad_per_sqrt_rad**2 * angle
        noise = covariance_at_lever(self.noise, moved) + np.diag([variance_m2] * 3 + [variance_rad2] * 3)
        end = self.start_from_now * step
        return Way(end, sensitivity, noise, self.length_m + length_m, self.turned_rad + angle)

    def tells_drift(self) -> bool:
        """Tell whether it is long enough for landmarks at both ends to say how the odometry drifts."""
        return self.length_m >= LEAST_M or self.turned_rad >= LEAST_RAD


class OdometryDrift:
    """What an odometry has shown so far."""

    def __init__(self, options: DriftOptions | None = None) -> None:
        self.options = options or DriftOptions()
        self._factors, self._covariance = np.zeros(FACTORS), self.options.factors
        self._log_likelihoods = -0.5 * np.log(STRENGTHS) ** 2 / np.log(4.0) ** 2  # before anything was seen: about 1

    @property
    def strength(self) -> float:
        """Return that of the noise, in variance."""
        weights = np.exp(self._log_likelihoods - self._log_likelihoods.max())
        return float(weights @ STRENGTHS / weights.sum())

    def covariance(self, way: Way) -> Array:
        """Return E[e e^T] (6, 6) of the error of a way, axes of the body at its start."""
        second_moment = self._covariance + np.outer(self._factors, self._factors)
        floor = np.square([self.options.floor_m] * 3 + [self.options.floor_rad] * 3)
        return np.asarray(
            way.sensitivity @ second_moment @ way.sensitivity.T + self.strength * way.noise + np.diag(floor)
        )

    def learn(self, way: Way, start: UncertainPose, end: UncertainPose) -> None:
        """Take in that landmarks saw the body at both ends of a way: poses in the map."""
        to_start = np.kron(np.eye(2), start.pose.rotation.as_matrix().T)
        counted = start.pose * way.start_from_now
        error = to_start @ pose_difference(end.pose, counted)
        lever = counted.translation - start.pose.translation
        floor = np.square([self.options.floor_m] * 3 + [self.options.floor_rad] * 3)
        seen = to_start @ (covariance_at_lever(start.covariance, lever) + end.covariance) @ to_start.T + np.diag(floor)
        self._covariance = self._covariance + self.options.renewed * way.length_m * self.options.factors
        by_factors = way.sensitivity @ self._covariance @ way.sensitivity.T
        left = error - way.sensitivity @ self._factors
        self._log_likelihoods *= FORGOTTEN
        self._log_likelihoods += [
            _log_likelihood(left, by_factors + seen + strength * way.noise) for strength in STRENGTHS
        ]
        noise = seen + self.strength * way.noise
        squared = left @ np.linalg.solve(by_factors + noise, left)
        noise = noise * max(1.0, squared / WILD)
        gain = np.linalg.solve(by_factors + noise, way.sensitivity @ self._covariance).T
        self._factors = self._factors + gain @ left
        keep = np.eye(FACTORS) - gain @ way.sensitivity
        self._covariance = keep @ self._covariance @ keep.T + gain @ noise @ gain.T


def _log_likelihood(error: Array, covariance: Array) -> float:
    """Up to a constant; of a way whose error nothing explains (the robot was carried) only so much counts."""
    _, log_determinant = np.linalg.slogdet(covariance)
    return float(-0.5 * (min(error @ np.linalg.solve(covariance, error), UNEXPLAINED) + log_determinant))
