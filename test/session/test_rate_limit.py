"""Which images of a camera are localized where not all are wanted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campose_core.session.rate_limit import RateLimit


@pytest.mark.parametrize(("camera_hz", "wanted_hz"), [(30, 10), (30, 20), (30, 7), (15, 10), (10, 10), (5, 10)])
def test_about_so_many_come_and_no_more(camera_hz: float, wanted_hz: float) -> None:
    rng, limit = np.random.default_rng(0), RateLimit(wanted_hz)
    stamps = np.arange(600) / camera_hz + rng.uniform(-0.002, 0.002, 600)
    taken = [stamp for stamp in stamps if limit.accepts(round((stamp + 1.0) * 1e9))]
    rate_hz = len(taken) / (600 / camera_hz)
    assert 0.95 * min(camera_hz, wanted_hz) <= rate_hz <= 1.02 * wanted_hz


@given(st.lists(st.integers(1, 10**12)))
def test_none_is_left_out_where_all_are_wanted(stamps: list[int]) -> None:
    limit = RateLimit()
    assert all(limit.accepts(stamp) for stamp in stamps)


def test_after_a_pause_and_after_stamps_that_go_back_the_next_image_is_taken() -> None:
    limit = RateLimit(10.0)
    assert [limit.accepts(round(s * 1e9)) for s in (100.0, 100.03, 107.0, 107.03, 1.0, 1.03)] == [
        True, False, True, False, True, False,
    ]  # fmt: skip
