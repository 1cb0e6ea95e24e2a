"""The floor under what is published as covariance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from campose_core.geometry import Array
from campose_ros.covariance_floor import at_least


def covariance(seed: int) -> Array:
    """Correlated, some directions known to micrometres, some to metres."""
    generator = np.random.default_rng(seed)
    axes = generator.normal(size=(6, 6)) * 10.0 ** generator.uniform(-6, 0, 6)
    return axes @ axes.T


@given(st.integers(0, 1000), st.floats(0.0, 5.0), st.floats(0.0, 1.0))
def test_no_direction_is_below_the_floor_and_nothing_becomes_surer(seed: int, floor_m: float, floor_rad: float) -> None:
    before = covariance(seed)
    after = at_least(before, floor_m, floor_rad)
    assert np.sqrt(np.linalg.eigvalsh(after[:3, :3])[0]) >= floor_m * (1 - 1e-9)
    assert np.sqrt(np.linalg.eigvalsh(after[3:, 3:])[0]) >= floor_rad * (1 - 1e-9)
    scale = np.abs(after).max()
    assert np.linalg.eigvalsh(after - before)[0] >= -1e-12 * scale
    assert np.linalg.eigvalsh(after)[0] >= -1e-12 * scale
    assert_allclose(after[:3, 3:], before[:3, 3:])


@pytest.mark.parametrize("seed", range(5))
def test_what_is_above_the_floor_stays(seed: int) -> None:
    before = covariance(seed) + np.eye(6)
    assert_allclose(at_least(before, 0.9, 0.9), before)
    assert_allclose(at_least(covariance(seed), 0.0, 0.0), covariance(seed))
