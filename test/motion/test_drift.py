"""What an odometry has shown of its drift, and whether a pose carried on by it is as unsure as it says."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from campose_core.geometry import Pose, pose_difference
from campose_core.motion.drift import DriftOptions, OdometryDrift, Way
from campose_core.motion.model import MotionOptions, UncertainPose
from campose_core.motion.prediction import OdometryPrediction
from campose_core.simulation.drive import drifting_odometry
from campose_core.trajectory import Trajectory

STEP_NS = 100_000_000
SEEN = np.diag([0.005**2] * 3 + [0.003**2] * 3)


def tour(seed: int, count: int = 500) -> Trajectory:
    """A wheeled robot at 10 Hz, round bends both ways, slower and faster."""
    t = np.arange(count) / 10.0 + 7.0 * seed
    headings = 0.8 * np.sin(t / 2.3) + 0.1 * t
    speeds = 0.45 + 0.3 * np.cos(t / 4.1)
    steps = np.stack([np.cos(headings), np.sin(headings), 0 * t], axis=1) * speeds[:, None] * 0.1
    rotations = Rotation.from_rotvec(headings[:, None] * [0.0, 0.0, 1.0])
    return Trajectory(STEP_NS * np.arange(1, count + 1), np.cumsum(steps, axis=0), rotations)


def predictions(drift: float, seed: int, blind: range) -> tuple[OdometryPrediction, list[tuple[Pose, UncertainPose]]]:
    """Truth and prediction for each pose in `blind`; all others are seen."""
    truth, rng = tour(seed), np.random.default_rng(seed)
    odometry = [pose for _, pose in drifting_odometry(truth, drift, seed)]
    model, found = OdometryPrediction(MotionOptions()), []
    for i, (stamp_ns, pose) in enumerate(truth):
        model.step(stamp_ns, odometry[i])
        if i in blind:
            assert model.pose is not None
            found.append((pose, model.pose))
        else:
            noise = np.linalg.cholesky(SEEN) @ rng.standard_normal(6)
            seen = Pose(Rotation.from_rotvec(noise[3:]) * pose.rotation, pose.translation + noise[:3])
            model.seen(stamp_ns, UncertainPose(seen, SEEN), by_landmarks=True)
    return model, found


@pytest.mark.parametrize("drift", [0.02, 0.1])
def test_the_truth_is_in_the_ellipsoid_and_that_is_no_larger_than_need_be(drift: float) -> None:
    inside, shares = [], []
    for seed in range(6):
        for truth, guess in predictions(drift, seed, range(300, 400))[1][10::10]:
            error, spread = pose_difference(truth, guess.pose)[:3], guess.covariance[:3, :3]
            inside.append(error @ np.linalg.solve(spread, error) < chi2.ppf(0.9, 3))
            shares.append(np.linalg.norm(error) / np.sqrt(np.trace(spread)))
    assert np.mean(inside) >= 0.8
    assert 0.3 < np.median(shares) < 1.5


def test_odometry_that_has_shown_to_be_good_is_trusted_longer_than_one_that_has_shown_nothing() -> None:
    sigmas = {}
    for drift, start in ((0.005, 300), (0.1, 300), (0.005, 2)):
        guess = predictions(drift, 0, range(start, start + 100))[1][-1][1]
        sigmas[drift, start] = np.sqrt(np.linalg.eigvalsh(guess.covariance[:3, :3])[-1])
    assert sigmas[0.005, 300] < 0.5 * sigmas[0.005, 2]
    assert sigmas[0.005, 2] < sigmas[0.1, 300]


def test_a_way_is_as_sensitive_to_the_factors_as_its_derivative() -> None:
    options, rng = DriftOptions(), np.random.default_rng(1)
    steps = [Pose(Rotation.from_rotvec(0.05 * rng.normal(size=3)), 0.1 * rng.normal(size=3)) for _ in range(12)]

    def end(factors: np.ndarray) -> Pose:
        pose = Pose.identity()
        for step in steps:
            turn = step.rotation.as_rotvec() * (1 + factors[1]) + np.linalg.norm(step.translation) * factors[2:]
            pose = pose * Pose(Rotation.from_rotvec(turn), step.translation * (1 + factors[0]))
        return pose

    way = Way.none()
    for step in steps:
        way = way.extended(step, options)
    for k in range(5):
        small = np.zeros(5)
        small[k] = 1e-6
        derivative = pose_difference(end(small), end(-small)) / 2e-6
        np.testing.assert_allclose(way.sensitivity[:, k], derivative, atol=0.03)


def test_a_robot_that_was_carried_says_little_of_its_wheels() -> None:
    model, _ = predictions(0.02, 3, range(0))
    way = Way.none()
    for _ in range(20):
        way = way.extended(Pose(Rotation.identity(), np.array([0.1, 0.0, 0.0])), DriftOptions())
    before = np.sqrt(model.drift.covariance(way)[0, 0])
    there = UncertainPose(Pose(Rotation.identity(), np.array([50.0, 3.0, 0.0])), SEEN)
    model.drift.learn(way, UncertainPose(Pose.identity(), SEEN), there)
    for _ in range(12):
        straight = UncertainPose(way.start_from_now, SEEN)
        model.drift.learn(way, UncertainPose(Pose.identity(), SEEN), straight)
    assert np.sqrt(model.drift.covariance(way)[0, 0]) < 4.0 * before


def test_a_prediction_ends_with_odometry_that_jumps_and_what_was_learned_stays() -> None:
    model, _ = predictions(0.1, 0, range(0))
    learned = OdometryDrift().covariance(Way.none().extended(Pose(Rotation.identity(), np.ones(3)), DriftOptions()))
    stamp_ns = 501 * STEP_NS
    model.step(stamp_ns, Pose(Rotation.identity(), np.array([900.0, 0.0, 0.0])))
    assert model.pose is None
    way = Way.none().extended(Pose(Rotation.identity(), np.ones(3)), DriftOptions())
    assert not np.allclose(model.drift.covariance(way), learned)
