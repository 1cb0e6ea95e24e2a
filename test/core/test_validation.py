import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import poses

from campose_core.geometry import pose_error
from campose_core.learning.validation import FRAMES_FOR_CORRELATIONS, Residuals


@given(poses, poses)
def test_a_residual_is_as_long_as_the_pose_error(estimate, reference):
    residuals = Residuals.of([estimate], [reference])
    expected = pose_error(estimate, reference)
    assert (residuals.median_m, np.radians(residuals.median_deg)) == pytest.approx(expected, abs=1e-6)


@given(st.integers(0, 2**32 - 1))
def test_a_covariance_holds_spread_and_bias_and_is_positive_with_few_residuals(seed):
    random = np.random.default_rng(seed)
    spread = random.normal(size=(6, 6))
    bias = random.normal(size=6)
    many = random.normal(size=(FRAMES_FOR_CORRELATIONS, 6)) @ spread.T + bias
    np.testing.assert_allclose(Residuals(many).covariance(), np.cov(many.T, bias=True) + np.outer(*[many.mean(0)] * 2))
    few = Residuals(many[:5]).covariance()
    np.testing.assert_allclose(few, np.diag(np.mean(many[:5] ** 2, axis=0)))
    assert np.linalg.eigvalsh(few).min() > 0
