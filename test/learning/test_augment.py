"""Light and weather change what an image looks like, and nothing about where things are in it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from campose_core.learning.augment import MIN_WINDOW, Haze, Night, Rain, Window, augmentation, augmented

SIZE = 64
seeds = st.integers(0, 2**16)


def blocks(seed: int) -> torch.Tensor:
    """Image uint8 [3, S, S] of blocks of eight pixels: edges everywhere."""
    random = np.random.default_rng(seed)
    coarse = random.integers(30, 226, (3, SIZE // 8, SIZE // 8)).astype(np.uint8)
    return torch.from_numpy(np.kron(coarse, np.ones((8, 8), np.uint8)))


def seeded(seed: int, transform: nn.Module, picture: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(seed)
    return transform(picture)


def edges(picture: torch.Tensor) -> np.ndarray:
    values = picture.float().mean(0).numpy()
    return np.abs(np.gradient(values, axis=0)) + np.abs(np.gradient(values, axis=1))


@settings(max_examples=20)
@given(seeds, st.sampled_from(["light", "weather"]))
def test_edges_stay_where_they_are(seed, kind):
    picture = blocks(seed)
    before, after = edges(picture), edges(seeded(seed, augmentation(kind), picture))
    inner = slice(12, -12)  # a window may cover what is farther out

    def likeness(down: int, right: int) -> float:
        shifted = np.roll(after, (down, right), axis=(0, 1))
        return float(np.corrcoef(before[inner, inner].ravel(), shifted[inner, inner].ravel())[0, 1])

    moves = {(d, r): likeness(d, r) for d in range(-2, 3) for r in range(-2, 3)}
    assert max(moves, key=moves.get) == (0, 0)


@given(seeds, st.sampled_from([Window(), Haze(), Rain(), Night(), augmentation("light"), augmentation("weather")]))
def test_shape_and_type_stay_and_the_generator_decides(seed, transform):
    picture = blocks(seed)
    before = picture.clone()
    found = seeded(seed, transform, picture)
    assert found.shape == picture.shape
    assert found.dtype == torch.uint8
    assert torch.equal(picture, before)
    assert torch.equal(found, seeded(seed, transform, picture))


@pytest.mark.parametrize("transform", [Window(), Haze(), Rain(), Night(), augmentation("light")])
def test_another_seed_is_another_picture(transform):
    picture = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE), dtype=np.uint8))
    found = {seeded(seed, transform, picture).numpy().tobytes() for seed in range(20)}
    assert len(found) > 10


@given(seeds)
def test_a_window_keeps_its_pixels_and_repeats_its_edge(seed):
    """Colours that tell the pixel: outside the window they are those of its nearest pixel."""
    columns, rows = np.meshgrid(np.arange(60), np.arange(80))
    picture = torch.from_numpy(np.stack([columns, rows, 0 * rows]).astype(np.uint8))
    found = seeded(seed, Window(), picture).numpy()
    left, right, top, bottom = found[0].min(), found[0].max(), found[1].min(), found[1].max()
    np.testing.assert_array_equal(found[0], np.clip(columns, left, right))
    np.testing.assert_array_equal(found[1], np.clip(rows, top, bottom))
    assert right - left + 1 >= int(MIN_WINDOW * 60)
    assert bottom - top + 1 >= int(MIN_WINDOW * 80)


@given(seeds)
def test_weather_does_what_it_is_called(seed):
    picture = blocks(seed).float()
    night = seeded(seed, Night(), blocks(seed)).float()
    assert night.mean() < 0.6 * picture.mean()
    haze = seeded(seed, Haze(), blocks(seed)).float()
    # Thicker at the top: less contrast is left there.
    assert haze[:, : SIZE // 2].std() < 0.85 * picture[:, : SIZE // 2].std()
    left = [haze[:, half].std() / picture[:, half].std() for half in (slice(0, SIZE // 2), slice(SIZE // 2, None))]
    assert left[0] < left[1]
    rain = seeded(seed, Rain(), blocks(seed)).float()
    dry = (20.0 + 0.85 * picture).round()
    assert (rain >= dry - 1).all()  # streaks are bright
    assert 0.0 < (rain > dry + 10).float().mean() < 0.5


def test_none_leaves_pictures_as_they_are_and_each_picture_has_its_own_weather():
    pictures = torch.stack([blocks(1).permute(1, 2, 0)] * 12)
    assert augmented(pictures, augmentation("none")) is pictures
    torch.manual_seed(0)
    found = augmented(pictures, augmentation("weather"))
    assert found.shape == pictures.shape
    assert len({picture.numpy().tobytes() for picture in found}) > 6
