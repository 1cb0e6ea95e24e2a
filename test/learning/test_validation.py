"""How far off a network is, and how far off it says it is."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from strategies import poses

from campose_core.errors import LearningError
from campose_core.geometry import Pose, pose_error
from campose_core.learning.losses import PoseNumbers
from campose_core.learning.model import to_numbers
from campose_core.learning.validation import EXPONENTS, RESIDUALS_FOR_CORRELATIONS, Calibration, Residuals

seeds = st.integers(0, 2**32 - 1)
MANY = 4 * RESIDUALS_FOR_CORRELATIONS


def predicted(*listed) -> PoseNumbers:
    return to_numbers(listed)._replace(log_spread=torch.zeros(len(listed), 2))


def drawn(seed: int, frames: int, exponent: float) -> Residuals:
    """Errors whose size grows with the predicted spread to the power `exponent`, with correlations and a bias."""
    random = np.random.default_rng(seed)
    spread = random.normal(size=(frames, 2)) * 0.8 - 2.0
    shape = np.eye(6) + 0.3 * random.normal(size=(6, 6))
    unit = random.normal(size=(frames, 6)) @ shape.T + 0.2 * random.normal(size=6)
    return Residuals(unit * np.repeat(np.exp(exponent * spread), 3, axis=1), spread)


@given(poses, poses)
def test_a_residual_is_as_long_as_the_pose_error(estimate, reference):
    residuals = Residuals.of(predicted(estimate), [reference], "here")
    metres, angle = pose_error(estimate, reference)
    # Poses pass through single precision.
    assert residuals.median_m == pytest.approx(metres, abs=1e-3)
    assert np.radians(residuals.median_deg) == pytest.approx(angle, abs=2e-3)
    assert residuals.score == pytest.approx(residuals.median_m + np.radians(residuals.median_deg))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["position", "rotation"])
def test_a_prediction_that_is_no_number_is_refused_and_said_when(where, value):
    wrong = {"position": torch.zeros(3, 3), "rotation": torch.eye(3).repeat(3, 1, 1)}
    wrong[where][1, 0] = value
    with pytest.raises(LearningError, match="predicts no number after epoch 7: lower the learning_rate"):
        Residuals.of(PoseNumbers(**wrong, log_spread=torch.zeros(3, 2)), [Pose.identity()] * 3, "after epoch 7")


@settings(max_examples=25)
@given(seeds, st.sampled_from(EXPONENTS))
def test_the_spread_is_believed_as_far_as_the_errors_follow_it(seed, exponent):
    assert drawn(seed, MANY, exponent).calibration().exponent == exponent


@settings(max_examples=25)
@given(seeds)
def test_a_spread_that_is_noise_is_not_believed(seed):
    random = np.random.default_rng(seed)
    residuals = Residuals(random.normal(size=(MANY, 6)), random.normal(size=(MANY, 2)))
    assert residuals.calibration().exponent == 0.0


@settings(max_examples=25)
@given(seeds, st.sampled_from(EXPONENTS))
def test_the_covariance_is_the_mean_square_of_what_is_left(seed, exponent):
    """Bias and correlations included: errors, divided by it, have mean squares of one along every axis."""
    residuals = drawn(seed, MANY, exponent)
    calibration = residuals.calibration()
    whitened = np.array([
        np.linalg.solve(np.linalg.cholesky(calibration.of(spread)), vector)
        for vector, spread in zip(residuals.vectors, residuals.log_spread, strict=True)
    ])  # fmt: skip
    np.testing.assert_allclose(whitened.T @ whitened / MANY, np.eye(6), atol=1e-6)


@given(seeds, st.integers(2, RESIDUALS_FOR_CORRELATIONS - 1))
def test_few_frames_keep_the_diagonal_only(seed, frames):
    residuals = drawn(seed, frames, 0.0)
    calibration = residuals.calibration()
    normalised = residuals.vectors / np.repeat(np.exp(calibration.exponent * residuals.log_spread), 3, axis=1)
    np.testing.assert_allclose(calibration.covariance, np.diag(np.mean(normalised**2, axis=0)), rtol=1e-9)
    enough = drawn(seed, RESIDUALS_FOR_CORRELATIONS, 0.0).calibration().covariance
    assert np.abs(enough - np.diag(np.diag(enough))).max() > 1e-6


@given(seeds, st.tuples(*[st.floats(-7.0, 3.0)] * 2), st.sampled_from(EXPONENTS))
def test_metres_scale_with_one_spread_and_radians_with_the_other(seed, spread, exponent):
    root = np.random.default_rng(seed).normal(size=(6, 6))
    calibration = Calibration(root @ root.T, exponent)
    found, (metres, radians) = calibration.of(spread), np.exp(exponent * np.array(spread))
    np.testing.assert_allclose(found[:3, :3], calibration.covariance[:3, :3] * metres**2)
    np.testing.assert_allclose(found[3:, 3:], calibration.covariance[3:, 3:] * radians**2)
    np.testing.assert_allclose(found[:3, 3:], calibration.covariance[:3, 3:] * metres * radians)
    again = Calibration.from_dict(calibration.to_dict())
    np.testing.assert_array_equal(again.of(spread), found)


def test_frames_without_any_error_have_a_covariance_too():
    calibration = Residuals(np.zeros((5, 6)), np.zeros((5, 2))).calibration()
    np.testing.assert_array_equal(calibration.covariance, 0.0)


def test_turns_are_about_the_maps_axes():
    """A camera that looks along y and is thought to be rolled is turned about the map's y."""
    looking = Rotation.from_matrix([[1, 0, 0], [0, 0, 1], [0, -1, 0]])  # optical axes: z forward along the map's y
    rolled = Pose(looking * Rotation.from_euler("z", 0.1), np.zeros(3))
    [vector] = Residuals.of(predicted(rolled), [Pose(looking, np.zeros(3))], "here").vectors
    np.testing.assert_allclose(vector, [0, 0, 0, 0, 0.1, 0], atol=1e-6)


@pytest.mark.parametrize("wrong", [[[1.0] * 6] * 5, np.full((6, 6), np.nan).tolist(), (-np.eye(6)).tolist()])
def test_what_is_no_covariance_is_refused(wrong):
    with pytest.raises(LearningError, match="covariance is not 6x6"):
        Calibration.from_dict({"covariance": wrong, "exponent": 1.0})
