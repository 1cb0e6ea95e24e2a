"""Which descriptors are of one thing."""

import numpy as np
import pytest

from campose_core.features.matching import OF_SIFT, Likeness, match_mutual, nearest_in


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def some(seed: int, count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Descriptors of two images: half of them of the same things, more and less alike, some of these twice."""
    rng = np.random.default_rng(seed)
    one, other = rng.random((2, count, 16))
    shared = count // 2
    other[:shared] = one[:shared] + rng.normal(0.0, 0.3, (shared, 1)) * rng.normal(size=(shared, 16))
    other[shared : shared + 5] = other[:5]
    return unit(one), unit(other[rng.permutation(count)])


def by_definition(one: np.ndarray, other: np.ndarray, ratio: float) -> set[tuple[int, int]]:
    """Nearest to each other, and from either side nearer by `ratio` than the second."""
    distances = np.linalg.norm(one[:, None].astype(float) - other[None], axis=2)
    found = set()
    for row, column in np.ndindex(distances.shape):
        nearest = distances[row, column]
        rest = np.delete(distances[row], column).min(), np.delete(distances[:, column], row).min()
        if nearest < ratio * min(rest):
            found.add((row, column))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_mutual_matches_are_told_from_chance_from_either_side(seed):
    one, other = some(seed)
    rows, columns = match_mutual(one, other)
    pairs = set(zip(rows.tolist(), columns.tolist(), strict=True))
    assert pairs == by_definition(one, other, OF_SIFT.ratio)
    assert len(pairs) > 5
    there, back = match_mutual(other, one)
    assert pairs == set(zip(back.tolist(), there.tolist(), strict=True))


def test_mutual_matches_are_as_like_as_asked():
    one, other = some(0)
    rows, columns = match_mutual(one, other, Likeness(similarity=0.99))
    everyone = len(match_mutual(one, other)[0])
    assert 0 < len(rows) < everyone
    assert ((one[rows] * other[columns]).sum(axis=1) > 0.99).all()


@pytest.mark.parametrize("shape", [(5, 0), (0, 5), (0, 0), (5, 1)])
@pytest.mark.parametrize("ratio", [0.8, 1.0])
def test_among_no_landmarks_none_is_nearest(shape, ratio):
    rows, columns = nearest_in(np.ones(shape, dtype=np.float32), ratio)
    assert len(rows) == len(columns) == (1 if shape == (5, 1) and ratio == 1.0 else 0)


@pytest.mark.parametrize("count", [0, 1])
def test_what_has_no_second_nearest_matches_nothing(count):
    one, other = some(0)
    for first, second in ((one[:count], other), (one, other[:count])):
        rows, columns = match_mutual(first, second)
        assert len(rows) == len(columns) == 0
