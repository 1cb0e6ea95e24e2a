"""What every kind of features in the table promises: docs/extend/features.md."""

import numpy as np
import pytest
from posters import HEIGHT, WIDTH, posters

from campose_core.features.base import Detail, FeatureKind, SizedFeatures
from campose_core.features.pair_matching import matcher_of
from campose_core.features.registry import FEATURES

kinds = pytest.mark.parametrize("kind", [FEATURES.load(name) for name in FEATURES.table], ids=list(FEATURES.table))


@kinds
def test_shapes_units_and_bounds(kind: type[FeatureKind]):
    for detail in Detail:
        pixels, descriptors = kind(detail)(posters())
        assert 50 < len(pixels) <= detail.max_features
        assert pixels.shape == (len(pixels), 2)
        assert pixels.dtype == np.float64
        assert ((pixels >= -0.5) & (pixels <= np.array([WIDTH, HEIGHT]) - 0.5)).all()
        assert descriptors.shape == (len(pixels), kind.size)
        assert descriptors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1.0, atol=1e-3)


@kinds
def test_the_same_image_gives_the_same_features(kind: type[FeatureKind]):
    first, second = kind(), kind()
    second(posters(1))  # what was seen before plays no part
    for one, other in zip(first(posters()), second(posters()), strict=True):
        np.testing.assert_array_equal(one, other)


@kinds
@pytest.mark.parametrize("image", [np.full((HEIGHT, WIDTH, 3), 90, np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)])
def test_a_blank_image_shows_nothing(kind: type[FeatureKind], image: np.ndarray):
    pixels, descriptors = kind()(image)
    assert pixels.shape == (0, 2)
    assert descriptors.shape == (0, kind.size)
    assert kind.to_bytes(descriptors).shape == (0, kind.size)


@kinds
def test_at_most_so_many_and_the_strongest(kind: type[FeatureKind]):
    every, some = kind()(posters()), kind(Detail.HALF, 40)(posters())
    assert len(some.pixels) <= 40 + 2  # OpenCV keeps those that tie with the last
    distances = np.linalg.norm(every.pixels[:, None] - some.pixels[None], axis=2).min(axis=0)
    assert np.median(distances) < 1e-6


@kinds
def test_stored_descriptors_are_still_like_themselves(kind: type[FeatureKind]):
    descriptors = kind()(posters()).descriptors
    stored = kind.to_bytes(descriptors)
    assert (stored.dtype, stored.shape) == (np.uint8, descriptors.shape)
    assert ((kind.to_unit(stored) * descriptors).sum(axis=1) > 0.995).all()


@kinds
def test_features_are_found_where_they_were_and_matched(kind: type[FeatureKind]):
    """An image moved by a whole number of pixels: matches move by as much, without an offset of their own."""
    image, (down, right) = posters(), (6, 10)
    moved = np.full_like(image, 128)
    moved[down:, right:] = image[:-down, :-right]
    found, found_moved = (SizedFeatures(*kind(Detail.FULL)(one), (WIDTH, HEIGHT)) for one in (image, moved))
    pixels, pixels_moved = found.pixels, found_moved.pixels
    rows, columns = matcher_of(kind)(found, found_moved).T
    assert len(rows) > 0.3 * len(pixels)
    offsets = pixels_moved[columns] - pixels[rows]
    right_ones = np.linalg.norm(offsets - (right, down), axis=1) < 2.0
    assert right_ones.mean() > 0.8
    np.testing.assert_allclose(offsets[right_ones].mean(axis=0), (right, down), atol=0.05)


@kinds
def test_grey_and_mirrored_pixels_mean_the_same_place(kind: type[FeatureKind]):
    """Pixel centres lie at integers: what is at x in an image is at W - 1 - x in its mirror."""
    grey = posters().mean(axis=2).astype(np.uint8)
    pixels, mirrored = kind(Detail.FULL)(grey).pixels, kind(Detail.FULL)(np.ascontiguousarray(grey[:, ::-1])).pixels
    back = np.column_stack([WIDTH - 1 - mirrored[:, 0], mirrored[:, 1]])
    distances = np.linalg.norm(pixels[:, None] - back[None], axis=2)
    near = distances.min(axis=1) < 1.0
    assert near.mean() > 0.5
    assert abs(float(np.mean((back[distances.argmin(axis=1)] - pixels)[near, 0]))) < 0.05
