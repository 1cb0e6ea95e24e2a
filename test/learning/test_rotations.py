"""Rotation matrices in torch, held against scipy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from strategies import rotations

from campose_core.learning.rotations import columns_of_rotation, rotation_exp, rotation_from_columns, rotation_log

numbers = st.floats(-3.0, 3.0)
six = st.tuples(*[numbers] * 6).map(lambda v: torch.tensor(v, dtype=torch.float64))
turns = st.tuples(*[st.floats(-1.7, 1.7)] * 3).map(lambda v: torch.tensor(v, dtype=torch.float64))


def matrix_of(rotation: Rotation) -> torch.Tensor:
    return torch.from_numpy(rotation.as_matrix())


@given(turns)
def test_exp_is_scipys_and_log_its_inverse(vector):
    rotation = rotation_exp(vector)
    np.testing.assert_allclose(rotation.numpy(), Rotation.from_rotvec(vector.numpy()).as_matrix(), atol=1e-9)
    np.testing.assert_allclose(rotation_log(rotation).numpy(), vector.numpy(), atol=1e-5)


@given(rotations)
def test_log_is_as_long_as_the_angle_for_every_rotation(rotation):
    """Up to what its rounding of sines near a half turn costs."""
    found = rotation_log(matrix_of(rotation))
    if rotation.magnitude() < 3.1:
        np.testing.assert_allclose(found.numpy(), rotation.as_rotvec(), atol=1e-4)
    assert found.norm() <= np.pi + 1e-6


@given(rotations)
def test_a_rotation_comes_back_from_its_columns(rotation):
    matrix = matrix_of(rotation)
    np.testing.assert_allclose(rotation_from_columns(columns_of_rotation(matrix)).numpy(), matrix.numpy(), atol=1e-6)


@given(six, st.floats(0.1, 50.0))
def test_six_numbers_are_one_rotation_whatever_their_length(columns, scale):
    first, second = columns[:3], columns[3:]
    if torch.linalg.cross(first, second).norm() < 0.05:
        return  # hardly a plane
    rotation = rotation_from_columns(columns)
    np.testing.assert_allclose((rotation @ rotation.T).numpy(), np.eye(3), atol=1e-4)
    assert torch.linalg.det(rotation) == pytest.approx(1.0, abs=1e-4)
    np.testing.assert_allclose(rotation_from_columns(scale * columns).numpy(), rotation.numpy(), atol=1e-4)
    assert torch.dot(rotation[:, 0], first) == pytest.approx(float(first.norm()), rel=1e-4)


@given(turns)
def test_leading_axes_are_only_carried_along(vector):
    stacked = torch.stack([vector, 0.5 * vector, torch.zeros(3, dtype=torch.float64)]).view(3, 1, 3)
    rotation = rotation_exp(stacked)
    assert rotation.shape == (3, 1, 3, 3)
    torch.testing.assert_close(rotation[0, 0], rotation_exp(vector))
    torch.testing.assert_close(rotation_log(rotation)[1, 0], rotation_log(rotation[1, 0]))


def gradient_of(function, point):
    point = point.clone().requires_grad_()
    function(point).sum().backward()
    return point.grad


@pytest.mark.parametrize(
    "vector", [[0, 0, 0], [1e-9, 0, 0], [1.0, 2.0, -0.5], [np.pi, 0, 0], [0.6 * np.pi, 0.8 * np.pi, 0]]
)
def test_gradients_are_finite_at_no_turn_and_at_half_turns(vector):
    vector = torch.tensor(vector, dtype=torch.float32)
    assert gradient_of(rotation_exp, vector).isfinite().all()
    assert gradient_of(rotation_log, rotation_exp(vector)).isfinite().all()


@pytest.mark.parametrize("columns", [[0] * 6, [1, 0, 0, 1, 0, 0], [1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0]])
def test_six_numbers_that_span_no_plane_give_finite_values_and_gradients(columns):
    columns = torch.tensor(columns, dtype=torch.float32)
    assert rotation_from_columns(columns).isfinite().all()
    assert gradient_of(rotation_from_columns, columns).isfinite().all()


@given(turns.filter(lambda v: 0.05 < float(v.norm()) < 2.9))
def test_the_gradient_of_the_angle_is_the_axis(vector):
    """Along exp: the length of the logarithm grows one for one with the length of the vector."""
    gradient = gradient_of(lambda v: rotation_log(rotation_exp(v)).norm(), vector)
    np.testing.assert_allclose(gradient.numpy(), (vector / vector.norm()).numpy(), atol=1e-3)
