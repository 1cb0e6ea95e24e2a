"""Where a body should be at the next image, with odometry, without, and with odometry that lies."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from scipy.stats import chi2
from strategies import poses, vectors

from campose_core.errors import GeometryError, LocalizationError
from campose_core.geometry import Array, Pose, pose_error
from campose_core.motion.model import MotionModel, MotionOptions, UncertainPose, compose, odometry_motion
from campose_core.simulation.drive import drifting_odometry
from campose_core.trajectory import Trajectory, read_tum

STEP_NS = 100_000_000
SURE = np.diag([0.003**2] * 3 + [0.002**2] * 3)
ONWARD = Pose(Rotation.from_rotvec([0.0, 0.0, 0.05]), np.array([0.07, 0.0, 0.0]))
FAR_IN_THE_ELLIPSOID = float(chi2.ppf(0.99, 6))


def drive(count: int, step: Pose = ONWARD) -> list[Pose]:
    path = [Pose(Rotation.from_euler("z", 30, degrees=True), np.array([3.0, 4.0, 0.5]))]
    for _ in range(count - 1):
        path.append(path[-1] * step)
    return path


def squared_error(truth: Pose, guess: UncertainPose) -> float:
    """In standard deviations."""
    turn = (truth.rotation * guess.pose.rotation.inv()).as_rotvec()
    error = np.concatenate([truth.translation - guess.pose.translation, turn])
    return float(error @ np.linalg.solve(guess.covariance, error))


def predicted(
    truth: Trajectory, odometry: list[Pose] | None, sigma_m: float = 0.003, sigma_rad: float = 0.002
) -> tuple[Array, Array]:
    """Squared errors, and mean standard deviations in metres along an axis, of the predictions for each pose."""
    rng, model = np.random.default_rng(0), MotionModel()
    covariance = np.diag([sigma_m**2] * 3 + [sigma_rad**2] * 3)
    squared, sigmas = [], []
    for i, (stamp_ns, pose) in enumerate(truth):
        guess = model.predict(stamp_ns, odometry[i] if odometry else None)
        if guess is not None:
            squared.append(squared_error(pose, guess))
            sigmas.append(np.sqrt(np.trace(guess.covariance[:3, :3]) / 3))
        turn = Rotation.from_rotvec(rng.normal(0, sigma_rad, 3))
        model.believe(stamp_ns, Pose(turn * pose.rotation, pose.translation + rng.normal(0, sigma_m, 3)), covariance)
    return np.array(squared), np.array(sigmas)


@pytest.fixture(scope="module")
def tour() -> Trajectory:
    """A wheeled robot at 10 Hz: straight on, round bends both ways, slower and faster."""
    turns = 0.5 * np.sin(np.arange(300) / 15.0) ** 3
    speeds = 0.45 + 0.3 * np.cos(np.arange(300) / 40.0)
    headings = np.cumsum(turns * 0.1)
    steps = np.stack([np.cos(headings), np.sin(headings), np.zeros(300)], axis=1) * speeds[:, None] * 0.1
    rotations = Rotation.from_rotvec(headings[:, None] * [0.0, 0.0, 1.0])
    return Trajectory(STEP_NS * np.arange(1, 301), np.cumsum(steps, axis=0), rotations)


def test_a_drive_stays_in_its_ellipsoid(tour: Trajectory) -> None:
    odometry = [pose for _, pose in drifting_odometry(tour)]
    for sigma_m, sigma_rad in ((0.003, 0.002), (0.4, 0.15)):
        for source, most in ((odometry, 0.004), (None, 0.025)):
            squared, sigmas = predicted(tour, source, sigma_m, sigma_rad)
            assert np.mean(squared < FAR_IN_THE_ELLIPSOID) > 0.97
            assert np.median(sigmas) < sigma_m * 1.1 + most


def test_a_camera_in_the_hand_stays_in_its_ellipsoid(shared_data: Path) -> None:
    truth = read_tum(shared_data / "redkitchen" / "query.tum")
    squared, sigmas = predicted(truth, None)
    assert np.mean(squared < FAR_IN_THE_ELLIPSOID) > 0.97
    assert np.median(sigmas) < 0.02


@settings(max_examples=25, deadline=None)
@given(poses, poses)
def test_odometry_moves_the_last_pose(odom_from_map: Pose, map_from_there: Pose) -> None:
    model = MotionModel()
    path = [map_from_there * pose for pose in drive(3)]
    assert model.predict(STEP_NS, odom_from_map * path[0]) is None
    model.believe(STEP_NS, path[0], SURE)
    guesses = [model.predict((i + 1) * STEP_NS, odom_from_map * path[i]) for i in (1, 2)]
    for guess, truth in zip(guesses, path[1:], strict=True):
        assert guess is not None
        assert pose_error(guess.pose, truth) == pytest.approx((0.0, 0.0), abs=1e-6)
    unsure = [np.trace(SURE), *(np.trace(guess.covariance) for guess in guesses if guess)]
    assert all(np.diff(unsure) > 0)


@settings(max_examples=25, deadline=None)
@given(poses, st.floats(0.2, 2.0))
def test_without_odometry_it_goes_on_round_the_bend(map_from_there: Pose, ahead: float) -> None:
    model = MotionModel()
    for i, pose in enumerate(drive(2)):
        model.believe((i + 1) * STEP_NS, map_from_there * pose, SURE * 1e-4)
    guess = model.predict(round((2 + ahead) * STEP_NS))
    assert guess is not None
    heading = 0.025 * (ahead - 1.0)  # of the chord: the body's velocity points half a turn beside its own axis
    chord = 0.07 * ahead * np.array([np.cos(heading), np.sin(heading), 0.0])
    expected = map_from_there * drive(2)[1] * Pose(Rotation.from_rotvec([0.0, 0.0, 0.05 * ahead]), chord)
    assert pose_error(guess.pose, expected)[0] < 0.002
    assert pose_error(guess.pose, expected)[1] < 0.001


def test_unseen_for_long_it_stands_still_and_knows_less() -> None:
    model = MotionModel()
    for i, pose in enumerate(drive(2)):
        model.believe((i + 1) * STEP_NS, pose, SURE)
    later = [model.predict((2 + i) * STEP_NS) for i in (1, 5, 30, 31, 100)]
    positions = [guess.pose.translation for guess in later if guess]
    sigmas = [np.sqrt(guess.covariance[0, 0]) for guess in later if guess]
    assert np.linalg.norm(positions[1] - positions[0]) == pytest.approx(0.28, abs=0.01)
    assert np.linalg.norm(positions[3] - positions[2]) < 0.001
    assert np.linalg.norm(positions[4] - positions[1]) < 0.75 * MotionModel.FADING_S
    assert all(np.diff(sigmas) > 0)
    assert sigmas[-1] < 2 * MotionOptions().max_speed_mps * 10.0


def test_odometry_that_jumps_is_left_out_for_that_step_alone() -> None:
    path = drive(8)
    jump = Pose(Rotation.from_euler("z", 90, degrees=True), np.array([5.0, 0.0, 0.0]))
    model = MotionModel()
    for i, pose in enumerate(path):
        guess = model.predict((i + 1) * STEP_NS, pose if i < 4 else jump * pose)
        if i < 4:
            model.believe((i + 1) * STEP_NS, pose, SURE)
            continue
        assert guess is not None
        distance_m, angle = pose_error(guess.pose, pose)
        assert max(distance_m, angle) < 0.02
    # The jump cost sureness; the steps after it were counted again.
    assert guess is not None
    assert 0.01 < np.sqrt(guess.covariance[0, 0]) < 0.05


@settings(max_examples=50, deadline=None)
@given(poses, vectors, st.floats(0.0, 3.1), st.floats(0.01, 1.0))
def test_a_step_is_a_jump_exactly_beyond_the_limits(start: Pose, way: Array, angle: float, elapsed_s: float) -> None:
    options = MotionOptions()
    end = start * Pose(Rotation.from_rotvec([0.0, angle, 0.0]), way)
    motion = odometry_motion(elapsed_s, start, end, options)
    slack_m, slack_rad = 3 * options.odometry_floor_m, 3 * options.odometry_floor_rad
    fast = np.linalg.norm(way) > options.max_speed_mps * elapsed_s + slack_m
    whirling = angle > options.max_turn_rate_radps * elapsed_s + slack_rad
    assert (motion is None) == (fast or whirling)
    assert odometry_motion(0.0, start, end, options) is None
    assert odometry_motion(-elapsed_s, start, end, options) is None


def test_the_covariance_of_a_composition_is_that_of_drawn_poses() -> None:
    rng = np.random.default_rng(0)
    factor = 0.02 * rng.standard_normal((6, 6))
    start = UncertainPose(Pose(Rotation.from_rotvec([0.3, -0.8, 1.1]), np.array([1.0, 2.0, 3.0])), factor @ factor.T)
    motion = UncertainPose(Pose(Rotation.from_rotvec([0.1, 0.0, 0.4]), np.array([2.0, 0.5, -1.0])), SURE)
    end, drawn = compose(start, motion), []
    for _ in range(4000):
        ends = [
            Pose(Rotation.from_rotvec(n[3:]) * part.pose.rotation, part.pose.translation + n[:3])
            for part in (start, motion)
            for n in [np.linalg.cholesky(part.covariance) @ rng.standard_normal(6)]
        ]
        product = ends[0] * ends[1]
        turn = (product.rotation * end.pose.rotation.inv()).as_rotvec()
        drawn.append(np.concatenate([product.translation - end.pose.translation, turn]))
    scale = np.sqrt(np.diagonal(end.covariance))
    np.testing.assert_allclose(
        np.cov(np.array(drawn).T) / np.outer(scale, scale), end.covariance / np.outer(scale, scale), atol=0.1
    )


def test_a_stamp_that_goes_back_resets() -> None:
    path = drive(3)
    model = MotionModel()
    for i, pose in enumerate(path):
        model.predict((i + 1) * STEP_NS, pose)
        model.believe((i + 1) * STEP_NS, pose, SURE)
    assert model.predict(3 * STEP_NS, path[2]) is not None  # the same image once more
    assert model.predict(STEP_NS, path[0]) is None
    model.believe(STEP_NS, path[0], SURE)
    guess = model.predict(2 * STEP_NS, path[1])
    assert guess is not None
    assert pose_error(guess.pose, path[1]) == pytest.approx((0.0, 0.0), abs=1e-9)


def test_nothing_is_predicted_to_move_faster_than_bodies_do() -> None:
    model = MotionModel()
    model.believe(STEP_NS, Pose.identity(), SURE)
    model.believe(2 * STEP_NS, Pose(Rotation.from_euler("z", 170, degrees=True), np.array([9.0, 0.0, 0.0])), SURE)
    guess = model.predict(3 * STEP_NS)
    assert guess is not None
    assert np.linalg.norm(guess.pose.translation - [9.0, 0.0, 0.0]) <= 0.2 + 1e-9
    assert guess.pose.rotation.magnitude() - np.radians(170) <= 0.1 * np.pi + 1e-9


def test_what_is_no_number_is_refused() -> None:
    """Of odometry, where the pose is made: the model never sees it."""
    for quat_xyzw, translation in (
        ([0, 0, 0, np.nan], [0, 0, 0]),
        ([0, 0, 0, 1], [0, np.inf, 0]),
        ([0, 0, 0, 0], [0, 0, 0]),
    ):
        with pytest.raises(GeometryError):
            Pose.from_quat_xyzw(quat_xyzw, translation)
    with pytest.raises(GeometryError, match="a covariance must be"):
        MotionModel().believe(1, Pose.identity(), np.full((6, 6), np.nan))
    with pytest.raises(LocalizationError, match="odometry_share must be positive"):
        MotionOptions(odometry_share=0.0)
