"""The samples of an IMU, image by image: the same whether later ones have come or not."""

from types import SimpleNamespace

import numpy as np
import pytest

from campose_core.errors import CaptureError, LocalizationError
from campose_core.session.imu_buffer import JUDGED, ImuBuffer

G = 9.81


def sample(stamp_ns: int, force: float = G, turn: float = 0.1) -> SimpleNamespace:
    stamp = SimpleNamespace(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return SimpleNamespace(
        header=SimpleNamespace(stamp=stamp, frame_id="imu"),
        angular_velocity=SimpleNamespace(x=0.0, y=0.0, z=turn),
        linear_acceleration=SimpleNamespace(x=0.0, y=0.0, z=force),
        angular_velocity_covariance=[0.0] * 9,
        linear_acceleration_covariance=[0.0] * 9,
    )


def stamps(buffer: ImuBuffer, until_ns: int) -> list[int]:
    samples = buffer.until(until_ns)
    return [] if samples is None else samples.stamps_ns.tolist()


def test_each_image_gets_what_was_measured_up_to_it_and_no_more() -> None:
    early, late = ImuBuffer(), ImuBuffer()
    times = [10**9 + 5_000_000 * i for i in range(20)]
    for time_ns in times:
        early.add(sample(time_ns))
    for time_ns in times[:9]:
        late.add(sample(time_ns))
    image_ns = times[8] + 1
    assert stamps(early, image_ns) == stamps(late, image_ns) == times[:9]
    for time_ns in times[9:]:
        late.add(sample(time_ns))
    assert stamps(early, times[-1]) == stamps(late, times[-1]) == times[9:]
    assert early.until(times[-1]) is None


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (sample(0), "its stamp is zero"),
        (sample(10**9), "it is not later than the one before"),
        (sample(10**9 + 5, force=np.nan), "is not finite"),
    ],
)
def test_a_sample_that_is_odd_is_refused_and_those_before_it_stay(odd: SimpleNamespace, reason: str) -> None:
    buffer = ImuBuffer()
    buffer.add(sample(10**9))
    with pytest.raises((LocalizationError, CaptureError), match=reason):
        buffer.add(odd)
    assert stamps(buffer, 2 * 10**9) == [10**9]


@pytest.mark.parametrize(("force", "reason"), [(1.0, "it is in g"), (0.02, "gravity has been removed")])
def test_an_imu_in_another_unit_is_refused_however_long_it_goes_on(force: float, reason: str) -> None:
    buffer = ImuBuffer()
    for i in range(3 * JUDGED):
        with pytest.raises(CaptureError, match=reason):
            buffer.add(sample(10**9 + 5_000_000 * i, force=force))
    assert buffer.until(60 * 10**9) is None


def test_a_bag_that_starts_over_drops_what_was() -> None:
    buffer = ImuBuffer()
    buffer.add(sample(50 * 10**9))
    buffer.add(sample(10**9))
    assert stamps(buffer, 60 * 10**9) == [10**9]


def test_it_says_why_nothing_is_told_up_to_an_image() -> None:
    buffer = ImuBuffer()
    assert buffer.why_not(10**9) == "none has come"
    for i in range(100):
        buffer.add(sample(10**9 + 5_000_000 * i))
    assert buffer.until(10**9 - 2 * 10**9) is None
    assert buffer.why_not(0) == "the image is 1.00 s older than all that is kept"
    assert buffer.until(10**9 + 200_000_000) is not None
    assert buffer.why_not(10**9 + 200_000_000) == ""
    assert buffer.until(10**9 + 800_000_000) is not None
    assert buffer.why_not(10**9 + 800_000_000).endswith("s newer than the newest")
    buffer.add(sample(10**9 + 900_000_000))
    assert buffer.why_not(10**9 + 800_000_000).startswith("it has a gap of 0.4")


def test_what_is_refused_is_the_reason_where_nothing_else_tells() -> None:
    buffer = ImuBuffer()
    for i in range(100):
        with pytest.raises(CaptureError):
            buffer.add(sample(10**9 + 5_000_000 * i, force=1.0))
    assert "it is in g: multiply it" in buffer.why_not(10**9)
    buffer = ImuBuffer()
    for i in range(100):
        buffer.add(sample(10**9 + 5_000_000 * i))
    with pytest.raises(LocalizationError):
        buffer.add(sample(10**9))
    assert buffer.until(10**9 + 450_000_000) is not None
    assert buffer.why_not(10**9 + 450_000_000) == ""  # the others do
