"""An IMU between visual poses: as exact as it claims, whatever the walk."""

import numpy as np
import pytest
from imu_walks import NOISE, SECOND, imu_samples, visual_fixes
from scipy.spatial.transform import Rotation
from tracked_walks import Path

from campose_core.bag.imu import ImuSamples
from campose_core.errors import CaptureError
from campose_core.geometry import Pose, pose_difference, pose_error
from campose_core.inertial.error_state_filter import ImuNoise, advance, check_force, corrected, start_at
from campose_core.inertial.smoother import PoseFix, measured_drift, smoothed


def started(path: Path, second: float, generator: np.random.Generator):
    """A state at a true pose with a little noise of its own."""
    covariance = np.diag([0.005**2] * 3 + [0.003**2] * 3)
    error = generator.multivariate_normal(np.zeros(6), covariance)
    true = path.pose(second)
    pose = Pose(Rotation.from_rotvec(error[3:]) * true.rotation, true.translation + error[:3])
    velocity = path.position(second, 1) + generator.normal(0, 0.05, 3)
    return start_at(round(second * SECOND), pose, covariance, velocity, 0.05, NOISE)


def normalised(state, true: Pose) -> float:
    error = pose_difference(state.pose, true)
    return float(error @ np.linalg.solve(state.pose_covariance, error))


@pytest.mark.parametrize("seed", range(3))
def test_a_perfect_imu_walks_as_the_body_did(seed):
    path = Path(seed, 8.0)
    samples = imu_samples(path, seed, noise=None)
    state = start_at(SECOND, path.pose(1.0), 1e-9 * np.eye(6), path.position(1.0, 1), 1e-6, NOISE)
    for stop_s in (1.0037, 2.5, 6.0):  # between samples as well
        state, _ = advance(state, samples, round(stop_s * SECOND), NOISE)
    distance_m, angle = pose_error(state.pose, path.pose(6.0))
    assert distance_m < 0.002
    assert angle < 1e-4


def test_without_fixes_the_covariance_grows_as_the_errors_do():
    squared = []
    for seed in range(30):
        path = Path(seed, 6.0)
        state, _ = advance(
            started(path, 1.0, np.random.default_rng(seed)), imu_samples(path, seed, rate_hz=100), 4 * SECOND, NOISE
        )
        squared.append(normalised(state, path.pose(4.0)))
    # chi2 with 30 x 6 degrees of freedom: 4.8 .. 7.4 holds 99.9 %
    assert 4.5 < np.mean(squared) < 7.6


@pytest.mark.parametrize("seed", range(3))
def test_with_fixes_it_is_consistent_better_than_they_and_learns_the_biases(seed):
    path = Path(seed, 30.0)
    samples, fixes = imu_samples(path, seed, rate_hz=100), visual_fixes(path, seed)
    state, squared, better = None, [], []
    for stamp_ns, (pose, covariance) in fixes.items():
        if state is None:
            state = start_at(stamp_ns, pose, covariance, np.zeros(3), 1.0, NOISE)
            continue
        moved, _ = advance(state, samples, stamp_ns, NOISE)
        state, _ = corrected(moved, pose, covariance)
        true = path.pose(stamp_ns / SECOND)
        squared.append(normalised(state, true))
        better.append(np.subtract(pose_error(pose, true), pose_error(state.pose, true)))
    assert 4.0 < np.mean(squared) < 9.0
    assert (np.mean(better, axis=0) > [0.001, np.radians(0.05)]).all()
    assert (np.sqrt(np.diag(state.covariance)[12:]) < 0.1 * NOISE.gyro_bias).all()


@pytest.mark.parametrize("seed", range(3))
def test_between_fixes_poses_are_told_with_their_covariance(seed):
    path = Path(seed, 30.0)
    samples, fixes = imu_samples(path, seed, rate_hz=100), visual_fixes(path, seed)
    blind = [stamp_ns for stamp_ns in fixes if (stamp_ns // SECOND) % 6 in (3, 4)]  # two seconds out of six
    known = {stamp_ns: PoseFix(*fix) for stamp_ns, fix in fixes.items() if stamp_ns not in blind}
    asked = [*blind, 0, 31 * SECOND]  # and before and after all of them
    states = smoothed(samples, known, asked, NOISE)
    between = [s for s in blind if min(known) < s < max(known)]
    assert sorted(states) == sorted(between)
    errors = np.array([pose_error(states[s].pose, path.pose(s / SECOND)) for s in between])
    assert errors[:, 0].max() < 0.05
    assert np.degrees(errors[:, 1].max()) < 1.0
    squared = [normalised(states[s], path.pose(s / SECOND)) for s in between]
    assert np.mean(squared) < 12.0
    # A state in a gap is less sure than one at a fix.
    at_fix = smoothed(samples, known, list(known), NOISE)
    widest = max(np.trace(states[s].pose_covariance[:3, :3]) for s in between)
    assert widest > 2 * np.median([np.trace(at_fix[s].pose_covariance[:3, :3]) for s in at_fix])


def test_drift_is_measured_against_the_next_fix_and_grows():
    path = Path(1, 40.0)
    drifts = measured_drift(
        imu_samples(path, 1, rate_hz=100), {s: PoseFix(*f) for s, f in visual_fixes(path, 1).items()}, NOISE
    )
    assert [drift.seconds for drift in drifts] == [1.0, 5.0, 10.0]
    assert drifts[0].median_m < 0.05
    assert drifts[0].median_m < drifts[1].median_m < drifts[2].median_m
    assert "after 5 s without a fix" in drifts[1].text()


def test_wild_fixes_move_nothing():
    path = Path(2, 20.0)
    samples, fixes = imu_samples(path, 2, rate_hz=100), visual_fixes(path, 2)
    spoilt = {s: PoseFix(*f) for s, f in fixes.items()}
    for stamp_ns in list(spoilt)[50:150:12]:
        spoilt[stamp_ns] = spoilt[stamp_ns]._replace(pose=Pose(spoilt[stamp_ns].pose.rotation, np.full(3, 9.0)))
    states = smoothed(samples, spoilt, list(spoilt), NOISE)
    errors = [pose_error(states[s].pose, path.pose(s / SECOND))[0] for s in list(spoilt)[50:150]]
    assert max(errors) < 0.02


def test_over_a_gap_of_samples_nothing_is_told():
    path = Path(3, 20.0)
    samples, fixes = imu_samples(path, 3, rate_hz=100), {s: PoseFix(*f) for s, f in visual_fixes(path, 3).items()}
    seen = (samples.stamps_ns < 8 * SECOND) | (samples.stamps_ns > 12 * SECOND)
    holed = ImuSamples(samples.stamps_ns[seen], samples.gyro_rad_s[seen], samples.accel_m_s2[seen])
    known = {s: fix for s, fix in fixes.items() if not 9 * SECOND < s < 11 * SECOND}
    states = smoothed(holed, known, [7 * SECOND, 10 * SECOND, 13 * SECOND], NOISE)
    assert sorted(states) == [7 * SECOND, 13 * SECOND]


@pytest.mark.parametrize(
    ("factor", "offset", "message"),
    [
        (1 / 9.80665, 0.0, "it is in g: multiply it by 9.807"),
        (1.0, 9.80665, "gravity has been removed"),
        (2.0, 0.0, "is it in m/s"),
    ],
)
def test_another_unit_of_the_accelerometer_is_said(factor, offset, message):
    still = np.tile([0.0, 0.0, 9.80665], (400, 1)) + np.random.default_rng(0).normal(0, 0.05, (400, 3))
    samples = ImuSamples(np.arange(400), np.zeros((400, 3)), factor * (still - [0.0, 0.0, offset]))
    with pytest.raises(CaptureError, match=message):
        check_force(samples, "walk.bag")
    check_force(ImuSamples(np.arange(400), np.zeros((400, 3)), still), "walk.bag")


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        (lambda s: ImuSamples(s.stamps_ns, np.degrees(s.gyro_rad_s), s.accel_m_s2), "contradict the IMU: .* rad/s"),
        (lambda s: ImuSamples(s.stamps_ns + 3 * SECOND, s.gyro_rad_s, s.accel_m_s2), "contradict the IMU: .* clock"),
        (lambda s: ImuSamples(s.stamps_ns + 900 * SECOND, s.gyro_rad_s, s.accel_m_s2), "do both use the same clock"),
        (lambda s: s.between(0, 0), "do both use the same clock"),
    ],
)
def test_an_imu_of_another_body_unit_or_clock_is_refused(spoilt, message):
    path = Path(1, 15.0)
    fixes = {s: PoseFix(*f) for s, f in visual_fixes(path, 1).items()}
    with pytest.raises(CaptureError, match=message):
        smoothed(spoilt(imu_samples(path, 1, rate_hz=100)), fixes, list(fixes), NOISE)


def test_noise_must_be_positive():
    with pytest.raises(CaptureError, match="accel must be positive, got 0"):
        ImuNoise(accel=0.0)
