"""The worker: newest first, in turns, and video in order."""

import threading
from collections import Counter

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")

from campose_ros.worker import MAX_IN_ORDER, LatestWorker


class Bench:
    """A worker that takes up work only when it is told to."""

    def __init__(self) -> None:
        self.done: list[tuple[str, list[int]]] = []
        self._go, self._idle = threading.Semaphore(0), threading.Semaphore(0)
        self.worker = LatestWorker(self._work, "bench")
        self.worker.submit("first", -1, -1)  # is at work while the others are submitted
        self._idle.acquire(timeout=10)

    def _work(self, source: str, items) -> None:
        self._idle.release()
        self._go.acquire(timeout=10)
        self.done.append((source, list(items)))

    def step(self, last: bool = False) -> None:
        """End the work at hand, and wait for the next to begin."""
        self._go.release()
        if not last:
            self._idle.acquire(timeout=10)

    def finish(self) -> list[tuple[str, list[int]]]:
        self._go.release()
        self.worker.stop()
        return self.done[1:]


@pytest.fixture
def bench():
    return Bench()


def test_the_newest_wins_and_the_others_are_counted(bench: Bench) -> None:
    dropped = [bench.worker.submit("front", stamp, stamp) for stamp in range(5)]
    bench.step()
    assert dropped == [0, 1, 1, 1, 1]
    assert bench.finish() == [("front", [4])]


def test_the_oldest_stamp_is_served_first_whichever_came_first(bench: Bench) -> None:
    bench.worker.submit("late", 20, 20)
    bench.worker.submit("early", 10, 10)
    bench.step()
    bench.step()
    assert bench.finish() == [("early", [10]), ("late", [20])]


def test_cameras_faster_than_the_worker_take_turns(bench: Bench) -> None:
    for stamp in range(0, 400, 10):  # each brings two images while one is worked on
        for source, offset in (("front", 0), ("rear", 5)):
            bench.worker.submit(source, stamp + offset, stamp + offset)
        bench.step()
    served = bench.finish()
    counts = Counter(source for source, _ in served)
    assert abs(counts["front"] - counts["rear"]) <= 1
    for source in counts:
        stamps = [items[0] for name, items in served if name == source]
        assert stamps == sorted(stamps)


def test_packets_wait_in_order_and_none_is_skipped(bench: Bench) -> None:
    assert [bench.worker.submit("video", stamp, stamp, in_order=True) for stamp in range(5)] == [0] * 5
    bench.step()
    assert bench.finish() == [("video", [0, 1, 2, 3, 4])]


def test_a_worker_that_hangs_does_not_fill_the_memory(bench: Bench) -> None:
    dropped = [bench.worker.submit("video", stamp, stamp, in_order=True) for stamp in range(MAX_IN_ORDER + 2)]
    bench.step()
    assert sum(dropped) == MAX_IN_ORDER
    assert bench.finish() == [("video", [MAX_IN_ORDER, MAX_IN_ORDER + 1])]
