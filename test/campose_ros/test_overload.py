"""When a node that does not keep up says so."""

import time

import pytest

from campose_ros import overload
from campose_ros.overload import Overload


def fault(processed: int, dropped: int, latency_s: float) -> str:
    load = Overload()
    for _ in range(processed):
        load.done(latency_s)
    for _ in range(dropped):
        load.drop(1)
    return load.fault()


def test_most_images_dropped_is_told_with_the_cure() -> None:
    text = fault(40, 110, 0.1)
    assert "110 of 150 images" in text
    assert "4.0 a second" in text
    assert "fewer or smaller images" in text


def test_poses_that_come_late_are_told() -> None:
    assert "a pose comes 0.80 s after its image" in fault(30, 0, 0.8)


@pytest.mark.parametrize(
    ("processed", "dropped", "latency_s"),
    [(280, 20, 0.04), (60, 40, 0.1), (30, 0, 0.3), (3, 9, 0.1), (0, 30, 0.1)],
    ids=["30 Hz", "some dropped", "slow", "too few to tell", "nothing processed yet"],
)
def test_a_node_that_keeps_up_says_nothing(processed: int, dropped: int, latency_s: float) -> None:
    assert fault(processed, dropped, latency_s) == ""


def test_what_is_long_ago_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    load = Overload()
    for _ in range(30):
        load.done(2.0)
    assert load.fault()
    later = time.monotonic() + overload.WINDOW_S
    monkeypatch.setattr(overload.time, "monotonic", lambda: later)
    assert load.fault() == ""
