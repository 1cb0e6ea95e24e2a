"""Stamps that can be used where those of the headers cannot."""

import numpy as np
import pytest

from campose_core.bag.clock import AS_RECORDED, BagClock, usable_stamps

S, PERIOD = 10**9, 10**8
START = 1_700_000_000 * S
HOUR = 3600 * S
COUNT = 40
TRUE = [START + i * PERIOD for i in range(COUNT)]
LATE = np.random.default_rng(0).integers(20_000_000, 60_000_000, COUNT).tolist()  # from the stamp to the log
LOGGED = [stamp + late for stamp, late in zip(TRUE, LATE, strict=True)]


def usable(header, logged=LOGGED, copies=None):
    return usable_stamps(header, logged, copies or [False] * len(header))


def with_stamps(**changes):
    """at0=3600 moves the first stamp by so many seconds; None makes it zero."""
    stamps = list(TRUE)
    for name, seconds in changes.items():
        index = int(name[2:])
        stamps[index] = 0 if seconds is None else stamps[index] + round(seconds * S)
    return stamps


def assert_true(stamps_ns, within_s=0.045):
    """In order, and as they were, up to one delay for all of them and the jitter of delays."""
    assert (np.diff(stamps_ns) > 0).all()
    off = np.array([int(a) - b for a, b in zip(stamps_ns, TRUE, strict=True)]) / 1e9
    assert np.abs(off - np.median(off)).max() < within_s


@pytest.mark.parametrize(
    "header",
    [
        TRUE,
        [stamp + 60 * S * (i > 7) for i, stamp in enumerate(TRUE[:12])],  # a pause, of bags that log no real time
        [START + i * PERIOD // 3 for i in range(COUNT)],  # a simulation slower than life
        [stamp - 900_000_000 * S for stamp in TRUE],  # since boot
        [stamp - 150_000_000 * (i % 9 == 0) for i, stamp in enumerate(TRUE)],
    ],
)
def test_stamps_that_increase_are_never_touched(header):
    logged = LOGGED if len(header) == COUNT else [START + i * 10**6 for i in range(len(header))]
    found = usable(header, logged)
    assert found.stamps_ns.tolist() == header
    assert (found.clock, found.done) == (AS_RECORDED, "")


@pytest.mark.parametrize("index", [0, 1, 17, COUNT - 1])
@pytest.mark.parametrize("seconds", [3600, -3600, 86400 * 365, 31.5])
def test_one_stamp_far_off_moves_alone(index, seconds):
    found = usable(with_stamps(**{f"at{index}": seconds}))
    assert_true(found.stamps_ns)
    assert sum(a != b for a, b in zip(found.stamps_ns.tolist(), TRUE, strict=True)) == 1
    assert f"1 of {COUNT} stamps moved by {-seconds:+.0f}"[:-1] in found.done or "the clock was set: 1 of" in found.done


@pytest.mark.parametrize("first", [1, 2, 20, 30, 38])
@pytest.mark.parametrize("seconds", [3600, -3600, 5, 0.7])
def test_a_clock_that_was_set_counts_on(first, seconds):
    """Ahead until it is set back, or behind until it is set forward (which only the log can tell, if by enough)."""
    header = [stamp + round(seconds * S) * (i < first) for i, stamp in enumerate(TRUE)]
    found = usable(header)
    if seconds > 0 or seconds < -30:
        assert_true(found.stamps_ns)
        assert "the clock was set" in found.done
    else:
        assert found.stamps_ns.tolist() == header


def test_a_clock_set_twice_and_a_stray_stamp_are_one_repair():
    header = [stamp + HOUR * (i < 10) - HOUR * (i > 30) for i, stamp in enumerate(TRUE)]
    header[20] += 77 * S
    found = usable(header)
    assert_true(found.stamps_ns)
    assert found.done.count("stamps moved by") == 3


def test_the_clock_of_the_recorder_is_right_where_the_stamps_are_of_it_at_some_time():
    header = [stamp + HOUR * (i < 30) for i, stamp in enumerate(TRUE)]
    found = usable(header)
    np.testing.assert_array_equal(found.stamps_ns[30:], TRUE[30:])


def test_what_is_compared_with_the_images_moves_with_them():
    clock = usable([stamp + HOUR * (i < 30) for i, stamp in enumerate(TRUE)]).clock
    for i in (0, 29, 30, 39):
        imu = TRUE[i] + HOUR * (i < 30)
        assert abs(clock.stamp_ns(imu, TRUE[i] + 1_000_000) - TRUE[i]) < 50_000_000
        assert clock.stamp_ns(TRUE[i], TRUE[i] + 1_000_000) == TRUE[i]  # of a machine whose clock was right
        assert clock.stamp_ns(5 * S + i, TRUE[i]) == 5 * S + i  # since boot: no clock of the images
    assert clock.stamp_ns(0, TRUE[0]) == 0
    assert BagClock.from_dict(clock.to_dict()) == clock
    assert BagClock.from_dict({}) == AS_RECORDED
    assert AS_RECORDED.to_dict() == {}


@pytest.mark.parametrize("header", [[0] * COUNT, [START] * COUNT, [stamp // S * S for stamp in TRUE]])
def test_stamps_of_zero_or_without_end_repeated_are_the_log_times(header):
    found = usable(header)
    assert found.stamps_ns.tolist() == LOGGED
    assert f"all {COUNT} messages take their log time" in found.done
    assert found.clock.stamp_ns(0, TRUE[3]) == TRUE[3]
    assert found.clock.stamp_ns(TRUE[3] - 1_000_000, TRUE[3]) == TRUE[3] - 1_000_000
    assert found.clock.stamp_ns(7 * S, TRUE[3]) == TRUE[3]  # since boot: nothing that log times could be compared with


def test_stamps_that_fit_no_clock_are_the_log_times():
    header = np.random.default_rng(1).integers(1, START, COUNT).tolist()
    assert usable(header).stamps_ns.tolist() == LOGGED


def test_single_stamps_of_zero_and_repeated_ones_come_from_the_log():
    header = with_stamps(at0=None, at7=None, at8=None, at21=-0.1, at39=None)
    found = usable(header)
    assert_true(found.stamps_ns)
    assert f"5 of {COUNT} messages without a stamp of their own" in found.done


def test_an_image_that_came_twice_stays_a_copy():
    header = with_stamps(at21=-0.1)
    found = usable(header, copies=[i == 21 for i in range(COUNT)])
    assert found.stamps_ns.tolist() == header
    assert found.done == ""


def test_an_image_that_comes_out_of_order_keeps_its_stamp():
    header = list(TRUE)
    header[20], header[21] = header[21], header[20]
    assert usable(header).stamps_ns.tolist() == header


@pytest.mark.parametrize(
    ("header", "thousands"),
    [
        ([stamp // 1000 for stamp in TRUE], 1),
        ([stamp // 10**6 for stamp in TRUE], 2),
        ([(5 * S + stamp - START) * 1000 for stamp in TRUE], -1),
        ([(5 * S + stamp - START) // 1000 * S for stamp in TRUE], -2),  # microseconds taken for seconds
    ],
)
def test_another_unit_shows_in_the_rate(header, thousands):
    found = usable(header)
    assert_true(found.stamps_ns)
    assert f"1000^{thousands}" in found.done
    assert found.clock.stamp_ns(header[3], LOGGED[3]) == found.stamps_ns[3]
    assert found.clock.stamp_ns(TRUE[3], LOGGED[3]) == (found.stamps_ns[3] if thousands == 0 else TRUE[3])


@pytest.mark.parametrize("logged", [[START] * COUNT, [START + i * 10**6 for i in range(COUNT)]])
def test_without_real_log_times_images_come_at_a_steady_rate(logged):
    header = [stamp + HOUR * (i < 30) for i, stamp in enumerate(TRUE)]
    header[35] = 0
    found = usable(header, logged)
    assert_true(found.stamps_ns)
    assert found.clock == AS_RECORDED


def test_log_times_that_went_back_with_the_stamps_are_no_gap():
    header, logged = ([stamp - HOUR * (i >= 30) for i, stamp in enumerate(stamps)] for stamps in (TRUE, LOGGED))
    assert_true(usable(header, logged).stamps_ns)


@pytest.mark.parametrize("dropped", [0, 3])
@pytest.mark.parametrize("rate", [1.0, 0.3])
def test_a_simulation_begins_at_zero(dropped, rate):
    header = [0, *(i * PERIOD for i in range(1 + dropped, COUNT + dropped))]
    logged = [START + int(stamp / rate) + late for stamp, late in zip(header, LATE, strict=True)]
    found = usable(header, logged)
    assert found.stamps_ns.tolist() == [1, *header[1:]]
    assert (found.clock, found.done) == (AS_RECORDED, "")


@pytest.mark.parametrize("second", [START, 5 * S])  # by the clock, since boot
def test_a_first_stamp_of_zero_before_another_clock_is_none(second):
    header = [0, *(second + i * PERIOD for i in range(1, COUNT))]
    found = usable(header)
    assert abs(int(found.stamps_ns[0]) - second) < 45_000_000
    assert f"1 of {COUNT} messages without a stamp of their own" in found.done


def test_several_stamps_of_zero_are_none():
    found = usable([0, 0, 0, *(i * PERIOD for i in range(3, COUNT))])
    assert "3 of 40 messages without a stamp of their own" in found.done


def test_few_messages_and_none():
    assert usable([], []).stamps_ns.tolist() == []
    assert usable([0], [START]).stamps_ns.tolist() == [START]
    assert usable([START + HOUR, START + PERIOD], LOGGED[:2]).stamps_ns.tolist() == LOGGED[:2]
    assert usable([5, 7, 7, 6, 0], [100, 101, 102, 103, 104]).stamps_ns.tolist() == [5, 7, 7, 6, 0]  # no real time
