"""The robot's side: what a node publishes, with the time it came."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from campose_ros.demo import DDS


class Answer(NamedTuple):
    """Of one image. Seconds: `latency_s` and `estimate_s` as the node says; the times are of the wall clock."""

    state: str
    sent: float
    came: float
    latency_s: float
    estimate_s: float


class Watch:
    """Answers of /localizer as they come, in order."""

    def __init__(self, node: object, executor: object) -> None:
        self.node, self._executor = node, executor
        self.answers: list[Answer] = []

    def spin(self, seconds: float) -> list[Answer]:
        """The answers of so many seconds."""
        before, end = len(self.answers), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)  # type: ignore[attr-defined]
        return self.answers[before:]

    def wait_for_tracking(self, timeout_s: float = 60.0) -> None:
        end = time.monotonic() + timeout_s
        while not any(answer.state == "TRACKING" for answer in self.spin(0.1)):
            if time.monotonic() > end:
                raise SystemExit(f"the node does not track within {timeout_s:g} s: see the logs in the output folder")

    def on_status(self, message: object) -> None:
        (status,) = message.status  # type: ignore[attr-defined]
        values = {item.key: item.value for item in status.values}
        sent = _seconds(message)
        self.answers.append(
            Answer(values["state"], sent, time.time(), float(values["latency_s"]), float(values["estimate_s"]))
        )


def _seconds(message: object) -> float:
    stamp = message.header.stamp  # type: ignore[attr-defined]
    return float(stamp.sec) + float(stamp.nanosec) * 1e-9


@contextmanager
def watching() -> Iterator[Watch]:
    os.environ.update(DDS)
    import rclpy
    from diagnostic_msgs.msg import DiagnosticArray
    from rclpy.executors import SingleThreadedExecutor

    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("watch", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    watch = Watch(node, executor)
    node.create_subscription(DiagnosticArray, "/localizer/status", watch.on_status, 1000)
    try:
        yield watch
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)


def percentiles_ms(seconds: list[float]) -> tuple[float, float]:
    """p50, p95."""
    p50, p95 = np.percentile(seconds or [np.nan], [50, 95])
    return 1e3 * float(p50), 1e3 * float(p95)
