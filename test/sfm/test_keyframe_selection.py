"""Which frames a map is made of."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from campose_core.errors import MappingError
from campose_core.sfm.keyframe_selection import STEP, FrameMotion, choose, choose_at_most, measure_motion

WIDTH, HEIGHT = 320, 240


def wall() -> np.ndarray:
    """Blobs that corners can be followed on, wider than an image."""
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT // 8, 4 * WIDTH // 8), dtype=np.uint8)
    return cv2.resize(noise, (4 * WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def written(tmp_path, pictures):
    paths = [tmp_path / f"{i:03d}.png" for i in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path)
    return paths


def walked(shifts_px):
    return [wall()[:, x : x + WIDTH] for x in np.cumsum(shifts_px).astype(int)]


def test_motion_is_the_shift_in_widths_and_a_camera_that_stands_has_none(tmp_path):
    found = measure_motion(written(tmp_path, walked([0, 16, 0, 32])), "test")
    np.testing.assert_allclose(found.motion, [0, 16 / WIDTH, 0, 32 / WIDTH], atol=1e-3)
    assert not found.blurred.any()
    assert not found.dark.any()


def test_a_camera_that_stands_makes_no_keyframes(tmp_path):
    chosen = choose(measure_motion(written(tmp_path, walked([0, 16, 0, 0, 0, 0, 16])), "test"))
    assert chosen.rows == (0, 1, 6)
    assert chosen.static == 4


def test_a_fast_turn_keeps_every_frame(tmp_path):
    chosen = choose(measure_motion(written(tmp_path, walked([0] + [60] * 8)), "test"))
    assert chosen.rows == tuple(range(9))


def test_a_blurred_frame_between_sharp_ones_and_a_dark_one_are_left_out_and_counted(tmp_path):
    pictures = walked([0] + [8] * 11)
    pictures[5] = cv2.GaussianBlur(pictures[5], (0, 0), 6)
    pictures[9] = np.full_like(pictures[9], 3)
    chosen = choose(measure_motion(written(tmp_path, pictures), "test"))
    assert 5 not in chosen.rows
    assert 9 not in chosen.rows
    assert (chosen.blurred, chosen.dark) == (1, 1)


def test_a_turn_that_is_blurred_throughout_is_kept(tmp_path):
    pictures = walked([0, 4, 4, 4, 4] + [60] * 4 + [4] * 5)
    for i in range(5, 9):
        pictures[i] = cv2.blur(pictures[i], (25, 1))
    chosen = choose(measure_motion(written(tmp_path, pictures), "test"))
    assert {5, 6, 7, 8} <= set(chosen.rows)


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    paths = written(tmp_path, walked([0, 8, 8]))
    paths[1].write_bytes(b"no image")
    with pytest.raises(MappingError, match=r"1 frames could not be read, the first: .*001\.png"):
        measure_motion(paths, "test")


motions = st.lists(st.floats(0, 0.25), min_size=1, max_size=60)


def of(motion, blurred=()):
    count = len(motion)
    bad = np.isin(np.arange(count), list(blurred))
    sharpness = np.random.default_rng(count).uniform(1, 2, count)
    return FrameMotion(np.array(motion), sharpness, np.zeros(count, dtype=bool), bad)


@given(motions)
def test_no_step_between_keyframes_is_longer_than_a_step_and_the_frame_that_made_it(motion):
    chosen = np.array(choose(of(motion)).rows)
    walk = np.cumsum(motion)
    assert chosen[0] == 0
    assert walk[-1] - walk[chosen[-1]] <= 1e-12
    assert (np.diff(chosen) > 0).all()
    assert (np.diff(walk[chosen]) <= STEP + max(motion) + 1e-9).all()


@given(motions, st.integers(3, 20))
def test_a_bound_is_kept_where_motion_allows(motion, most):
    chosen = choose_at_most({"a": of(motion), "b": of(motion)}, most)
    least = 2 * (2 + 2 * sum(motion))  # of two recordings, at the longest step
    assert sum(len(keyframes.rows) for keyframes in chosen.values()) <= max(most, least)
