"""How a body moves between images: by odometry, or, without it, on as it moved before.

A covariance is (6, 6) over (x, y, z, rx, ry, rz), metres and radians: the true pose has the translation t + n_t and the
rotation Exp(n_r) R. Of a pose in the map the axes are the map's; of a motion those of the body at its start.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.bag.imu import ImuSamples
from campose_core.errors import LocalizationError
from campose_core.geometry import Array, Pose, covariance_at_lever, rotation_angle
from campose_core.statistics import checked_covariance, require_positive


class UncertainPose(NamedTuple):
    """A pose, or a motion `before_from_after`, and its covariance as above."""

    pose: Pose
    covariance: Array


@dataclass(frozen=True)
class MotionOptions:
    """What a body may do, and how well its odometry counts.

    max_speed_mps, max_turn_rate_radps: odometry beyond them jumps, and nothing is predicted to move faster.
    speed_change_mps, turn_rate_change_radps: by how much the velocity has changed after a second, each axis, one
    standard deviation; it grows with the square root of the time (white noise acceleration: Bar-Shalom, Li and
    Kirubarajan, "Estimation with Applications to Tracking and Navigation", 6.2.2). At 10 Hz these are 1.5 m/s^2 and
    rad/s^2; the handheld 7-Scenes RedKitchen shows 1.0 and 1.0, a wheeled robot in the rendered world 0.3 and 0.6.
    odometry_share: of the distance and of the turn that a step of odometry is wrong by, one standard deviation. More
    than the 1 to 3 % of wheels: part of that is the same in each step, but each step is taken to err by itself.
    odometry_rad_per_m: heading lost on the way; unequal wheels alone make 0.01 (Borenstein and Feng, "Measurement and
    correction of systematic odometry errors in mobile robots", T-RA 1996).
    odometry_floor_m, odometry_floor_rad: what a step is wrong by though nothing moves (stamps, interpolation).

    Raises:
        LocalizationError: a value that is not positive.
    """

    max_speed_mps: float = 2.0
    max_turn_rate_radps: float = math.pi
    speed_change_mps: float = 0.6
    turn_rate_change_radps: float = 0.6
    odometry_share: float = 0.05
    odometry_rad_per_m: float = 0.01
    odometry_floor_m: float = 0.002
    odometry_floor_rad: float = 0.002

    def __post_init__(self) -> None:
        require_positive(LocalizationError, **vars(self))


def odometry_motion(
    elapsed_s: float, odom_from_before: Pose, odom_from_after: Pose, options: MotionOptions
) -> UncertainPose | None:
    """Return `before_from_after` as odometry counted it; None where time stood still, or no body can move so far.

    The noise grows with the distance and the turn of the step.
    """
    before_from_after = odom_from_before.inverse() * odom_from_after
    distance_m = float(np.linalg.norm(before_from_after.translation))
    angle = float(rotation_angle(before_from_after.rotation))
    if not (
        elapsed_s > 0
        and distance_m <= options.max_speed_mps * elapsed_s + 3.0 * options.odometry_floor_m
        and angle <= options.max_turn_rate_radps * elapsed_s + 3.0 * options.odometry_floor_rad
    ):
        return None
    variance_m2 = options.odometry_floor_m**2 + (options.odometry_share * distance_m) ** 2
    variance_rad2 = (
        options.odometry_floor_rad**2
        + (options.odometry_share * angle) ** 2
        + (options.odometry_rad_per_m * distance_m) ** 2
    )
    return UncertainPose(before_from_after, np.diag([variance_m2] * 3 + [variance_rad2] * 3))


def standing_still(options: MotionOptions) -> UncertainPose:
    """Return `before_from_after` of no time."""
    variances = [options.odometry_floor_m**2] * 3 + [options.odometry_floor_rad**2] * 3
    return UncertainPose(Pose.identity(), np.diag(variances))


def compose(start: UncertainPose, motion: UncertainPose) -> UncertainPose:
    """Move a body that was at `map_from_before` by `before_from_after`, to first order in the noise."""
    end = start.pose * motion.pose
    turn = np.kron(np.eye(2), start.pose.rotation.as_matrix())
    carried = covariance_at_lever(start.covariance, end.translation - start.pose.translation)
    return UncertainPose(end, carried + turn @ motion.covariance @ turn.T)


class _Velocity(NamedTuple):
    """Mean velocity over the `interval_s` before the anchor: m/s and rad/s (6,), both in body axes midway.

    covariance: (6, 6) of the velocity, map axes; cross: (6, 6) of the anchor's pose with it, map axes.
    """

    twist: Array
    covariance: Array
    cross: Array
    interval_s: float


class MotionModel:
    """Where the body should be when the next image is taken.

    For each image: `predict`, then `believe` if its pose is believed. A step with odometry moves the last pose by it.
    Any other step goes on with the velocity of the last two believed poses (or of the odometry before), which after
    KEPT_S fades with the time constant FADING_S to standing still. A stamp before the last one (a bag that starts over)
    resets.
    """

    KEPT_S = 0.5
    FADING_S = 0.5
    MAX_INTERVAL_S = 1.0  # poses farther apart tell no velocity

    def __init__(self, options: MotionOptions | None = None) -> None:
        self.options = options or MotionOptions()
        self.reset()

    @property
    def _any_velocity(self) -> Array:
        """Covariance (6, 6) of the velocity of a body of which nothing is known."""
        speed, turn_rate = self.options.max_speed_mps / 3.0, self.options.max_turn_rate_radps / 3.0
        return np.diag([speed**2] * 3 + [turn_rate**2] * 3)

    def reset(self) -> None:
        """Forget where the body was."""
        self._anchor: tuple[int, UncertainPose] | None = None
        self._believed: dict[str, tuple[int, UncertainPose]] = {}  # by camera
        self._velocity: _Velocity | None = None
        self._odometry: tuple[int, Pose] | None = None

    def predict(self, stamp_ns: int, odom_from_base: Pose | None = None) -> UncertainPose | None:
        """Predict `map_from_base` at the stamp, None before any pose was believed.

        odom_from_base: at the same stamp. Odometry that jumps is left out for this step, not for the next.
        """
        latest = max((entry[0] for entry in (self._anchor, self._odometry) if entry is not None), default=stamp_ns)
        if stamp_ns < latest:
            self.reset()
        if odom_from_base is not None and self._odometry is not None and self._anchor is not None:
            self._follow(stamp_ns, odom_from_base, *self._odometry)
        self._odometry = None if odom_from_base is None else (stamp_ns, odom_from_base)
        return self._coasted(stamp_ns)

    def take_imu(self, samples: ImuSamples) -> None:
        """Take in what an IMU measured since the last image; of no use here."""

    def measured(self) -> UncertainPose | None:
        """Return the last prediction, if it was measured and not guessed from how the body moved before; here never."""
        return None

    @property
    def fault(self) -> str:
        """Say why what measured the motion is not used, and the cure; empty where nothing is wrong."""
        return ""

    def believe(self, stamp_ns: int, map_from_base: Pose, covariance: Array, camera: str = "") -> None:
        """Take the body to have been there, as `camera` saw it; a stamp before the last one resets first.

        Poses of one camera tell the velocity: between two cameras lies also the error of where they are said to sit.

        covariance: (6, 6) over (x, y, z, rx, ry, rz), fixed map axes, metres and radians.

        Raises:
            GeometryError: not a covariance.
        """
        now = UncertainPose(map_from_base, checked_covariance(covariance))
        if self._anchor is not None and stamp_ns < self._anchor[0]:
            self.reset()
        before = self._believed.get(camera)
        elapsed_s = math.inf if before is None else (stamp_ns - before[0]) * 1e-9
        if before is not None and 0 < elapsed_s <= self.MAX_INTERVAL_S:
            self._velocity = self._velocity_between(before[1], now, elapsed_s)
        elif all((stamp_ns - seen_ns) * 1e-9 > self.MAX_INTERVAL_S for seen_ns, _ in self._believed.values()):
            self._velocity = None
        self._anchor = self._believed[camera] = (stamp_ns, now)

    def _follow(self, stamp_ns: int, odom_from_base: Pose, before_ns: int, odom_from_before: Pose) -> None:
        """Move the anchor by one step of odometry, unless that jumps."""
        elapsed_s = (stamp_ns - before_ns) * 1e-9
        motion = odometry_motion(elapsed_s, odom_from_before, odom_from_base, self.options)
        start = self._coasted(before_ns)
        if motion is None or start is None:
            return
        end = compose(start, motion)
        turn = np.kron(np.eye(2), start.pose.rotation.as_matrix())
        self._velocity = _Velocity(
            _twist(motion.pose, elapsed_s),
            turn @ motion.covariance @ turn.T / elapsed_s**2,
            np.zeros((6, 6)),
            elapsed_s,
        )
        self._anchor = (stamp_ns, end)

    def _velocity_between(self, before: UncertainPose, now: UncertainPose, elapsed_s: float) -> _Velocity:
        """Velocity from two noisy poses, shrunk to what a body does: the posterior mean with prior N(0, S).

        With v = (x1 - x0) / dt + e, cov(e) = N = (P0 + P1) / dt^2 and gain G = S (S + N)^-1 the mean is G v, its
        covariance (I - G) S, and that with the error of x1: P1 G^T / dt.
        """
        noise = (before.covariance + now.covariance) / elapsed_s**2
        any_velocity = self._any_velocity
        gain = any_velocity @ np.linalg.inv(any_velocity + noise)
        body = np.kron(np.eye(2), now.pose.rotation.as_matrix())
        twist = _twist(before.pose.inverse() * now.pose, elapsed_s)
        twist = body.T @ gain @ body @ twist
        covariance = (np.eye(6) - gain) @ any_velocity
        return _Velocity(
            self._within_limits(twist),
            0.5 * (covariance + covariance.T),
            now.covariance @ gain.T / elapsed_s,
            elapsed_s,
        )

    def _within_limits(self, twist: Array) -> Array:
        speed, turn_rate = np.linalg.norm(twist[:3]), np.linalg.norm(twist[3:])
        slower = min(1.0, self.options.max_speed_mps / max(float(speed), 1e-9))
        calmer = min(1.0, self.options.max_turn_rate_radps / max(float(turn_rate), 1e-9))
        return np.concatenate([twist[:3] * slower, twist[3:] * calmer])

    def _coasted(self, stamp_ns: int) -> UncertainPose | None:
        """Move the anchor on to the stamp with the fading velocity."""
        if self._anchor is None:
            return None
        anchor_ns, anchor = self._anchor
        ahead_s = (stamp_ns - anchor_ns) * 1e-9
        if ahead_s <= 0:
            return anchor
        velocity = self._velocity or _Velocity(np.zeros(6), self._any_velocity, np.zeros((6, 6)), ahead_s)
        fading_s = max(0.0, ahead_s - self.KEPT_S)
        moving_s = min(ahead_s, self.KEPT_S) + self.FADING_S * -math.expm1(-fading_s / self.FADING_S)
        motion = _motion(velocity.twist, moving_s)
        end = anchor.pose * motion
        carried = covariance_at_lever(anchor.covariance, end.translation - anchor.pose.translation)
        carried = carried + ahead_s * (velocity.cross + velocity.cross.T) + ahead_s**2 * velocity.covariance
        return UncertainPose(end, carried + np.diag(self._unforeseen(ahead_s, velocity.interval_s) ** 2))

    def _unforeseen(self, ahead_s: float, interval_s: float) -> Array:
        """Return the standard deviations (6,) of what acceleration adds.

        White noise acceleration of density q, over the interval T0 whose mean velocity is known and the time T ahead,
        makes the variance q (T^3 + T^2 T0) / 3. No body errs by more than its top speed makes.
        """
        lever = math.sqrt((ahead_s**3 + ahead_s**2 * interval_s) / 3.0)
        distance_m = min(self.options.speed_change_mps * lever, self.options.max_speed_mps * ahead_s)
        angle = min(self.options.turn_rate_change_radps * lever, self.options.max_turn_rate_radps * ahead_s, math.pi)
        return np.array([distance_m] * 3 + [angle] * 3)


def _twist(before_from_after: Pose, elapsed_s: float) -> Array:
    """Mean body velocity (6,) of a motion: on an arc the chord points where the body looks midway."""
    turn = before_from_after.rotation.as_rotvec()
    forward = Rotation.from_rotvec(-0.5 * turn).apply(before_from_after.translation.copy())
    return np.concatenate([forward, turn]) / elapsed_s


def _motion(twist: Array, elapsed_s: float) -> Pose:
    """Inverse of `_twist`."""
    turn = twist[3:] * elapsed_s
    return Pose(Rotation.from_rotvec(turn), Rotation.from_rotvec(0.5 * turn).apply(twist[:3] * elapsed_s))
