"""Principal components, held against numpy's singular value decomposition."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from campose_core.learning.principal import fit_components

seeds = st.integers(0, 2**16)


def features(seed: int, frames: int, size: int) -> torch.Tensor:
    """With a mean far from zero, and axes of very different spread."""
    random = np.random.default_rng(seed)
    mixed = (
        random.normal(size=(frames, size))
        * np.geomspace(1.0, 30.0, size)
        @ np.linalg.qr(random.normal(size=(size, size)))[0]
    )
    return torch.from_numpy(mixed + 20.0 * random.normal(size=size)).float()


def fitted(values: torch.Tensor, components: int) -> nn.Linear:
    layer = nn.Linear(values.shape[1], components)
    fit_components(layer, values)
    return layer


@settings(max_examples=25)
@given(seeds, st.integers(30, 80), st.integers(1, 12))
def test_components_are_uncorrelated_and_of_variance_one(seed, frames, components):
    values = features(seed, frames, 20)
    found = fitted(values, components)(values).detach().double().numpy()
    np.testing.assert_allclose(found.mean(0), 0.0, atol=1e-2)
    np.testing.assert_allclose(found.T @ found / frames, np.eye(components), atol=1e-2)


@settings(max_examples=25)
@given(seeds, st.sampled_from([(60, 12), (12, 60)]))
def test_they_are_numpys_up_to_sign_whichever_side_is_longer(seed, shape):
    values = features(seed, *shape)
    centred = values.double().numpy() - values.double().numpy().mean(0)
    u, _, _ = np.linalg.svd(centred, full_matrices=False)
    expected = u[:, :5] * np.sqrt(len(values))
    found = fitted(values, 5)(values).detach().double().numpy()
    signs = np.sign((found * expected).sum(0))
    np.testing.assert_allclose(found * signs, expected, atol=0.05)


@given(seeds, st.integers(2, 6))
def test_what_the_frames_do_not_span_is_zero(seed, frames):
    """Centred, so many frames have one direction less."""
    values = features(seed, frames, 20)
    found = fitted(values, 10)(values).detach()
    assert found.isfinite().all()
    np.testing.assert_array_equal(found[:, frames - 1 :].numpy(), 0.0)
    np.testing.assert_allclose((found[:, : frames - 1] ** 2).mean(0).numpy(), 1.0, atol=1e-2)


def test_frames_that_are_all_alike_have_no_components():
    values = torch.full((5, 8), 3.0)
    found = fitted(values, 4)(values)
    np.testing.assert_array_equal(found.detach().numpy(), 0.0)


@pytest.mark.parametrize("frames", [40, 1030])
def test_half_precision_and_many_frames_change_little(frames):
    """Features are kept in half precision, and multiplied 1024 rows at a time."""
    values = features(3, frames, 20)
    whole, half = (fitted(kept, 4)(values).detach() for kept in (values, values.half()))
    assert float((whole.abs() - half.abs()).abs().max()) < 0.05
