"""What a localizer node answers, written down."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile

from campose_core.bag.images import header_stamp_ns
from campose_core.bag.ros_messages import pose_of
from campose_core.cli.console import say
from campose_core.errors import LocalizationError
from campose_core.evaluation.estimates import Estimates, FrameOutcome, write_estimates
from campose_core.files import write_text
from campose_core.geometry import Array, Pose
from campose_core.map_scale import ScaleBasis

ALL = QoSProfile(depth=1000)


@contextmanager
def spinning(node: Node) -> Iterator[None]:
    """Run callbacks of `node` on a thread of their own inside the block."""
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    stop = threading.Event()

    def spin() -> None:
        try:
            while not stop.is_set():
                executor.spin_once(timeout_sec=0.1)
        except ExternalShutdownException:
            return
        except RuntimeError:
            if node.context.ok():
                raise  # otherwise a signal has shut the context down under a call

    thread = threading.Thread(target=spin, name="spin", daemon=True)
    thread.start()
    try:
        yield
    finally:
        # The thread first: rclpy crashes when an executor is shut down while another thread waits in it.
        stop.set()
        thread.join()
        executor.shutdown()


class Recorder:
    """Poses and states by the stamp of their image, and how long each image took from publishing to its pose."""

    def __init__(self, node: Node, localizer: str) -> None:
        name = "/" + localizer.strip("/")
        self._node, self._localizer = node, name
        self._published: dict[int, float] = {}
        self._poses: dict[int, Pose] = {}
        self._raw_poses: dict[int, Pose] = {}
        self._covariances: dict[int, Array] = {}
        self._latencies_s: dict[int, float] = {}
        self._states: dict[int, dict[str, str]] = {}
        self._last_heard = time.monotonic()
        self._subscriptions = [
            node.create_subscription(PoseStamped, f"{name}/pose", self._on_pose, ALL),
            node.create_subscription(PoseStamped, f"{name}/pose_raw", self._on_raw_pose, ALL),
            node.create_subscription(
                PoseWithCovarianceStamped, f"{name}/pose_with_covariance", self._on_covariance, ALL
            ),
            node.create_subscription(DiagnosticArray, f"{name}/status", self._on_status, ALL),
        ]

    def wait_for_node(self, timeout_s: float) -> None:
        """Wait until all outputs of the localizer are connected.

        Raises:
            LocalizationError: they were not in time.
        """
        deadline = time.monotonic() + timeout_s
        while not all(subscription.get_publisher_count() for subscription in self._subscriptions):
            if time.monotonic() > deadline:
                raise LocalizationError(f"no node {self._localizer} publishes poses: name it with --node")
            time.sleep(0.02)

    def image_published(self, stamp_ns: int) -> None:
        """Note that an image is sent now."""
        self._published[stamp_ns] = time.perf_counter()

    def has_status(self, stamp_ns: int) -> bool:
        """Tell whether the image of the stamp was processed."""
        return stamp_ns in self._states

    @property
    def counts(self) -> tuple[int, int]:
        """Return how many images were published, and how many of them processed."""
        return len(self._published), len(self._states)

    def wait_until_quiet(self, quiet_s: float = 1.0, timeout_s: float = 10.0) -> None:
        """Wait until the answer to the last image is there, or nothing has come for a while."""
        deadline = time.monotonic() + timeout_s
        newest = max(self._published, default=0)
        while newest not in self._states and time.monotonic() < deadline:
            if time.monotonic() - self._last_heard > max(quiet_s, 5.0 * max(self._latencies_s.values(), default=0.0)):
                return
            time.sleep(0.02)

    def _on_pose(self, message: PoseStamped) -> None:
        self._poses[header_stamp_ns(message)] = pose_of(message.pose)

    def _on_raw_pose(self, message: PoseStamped) -> None:
        stamp_ns, now = header_stamp_ns(message), time.perf_counter()
        self._raw_poses[stamp_ns] = pose_of(message.pose)
        if stamp_ns in self._published:
            self._latencies_s.setdefault(stamp_ns, now - self._published[stamp_ns])

    def _on_covariance(self, message: PoseWithCovarianceStamped) -> None:
        covariance = np.array(message.pose.covariance, dtype=np.float64).reshape(6, 6)
        self._covariances[header_stamp_ns(message)] = covariance

    def _on_status(self, message: DiagnosticArray) -> None:
        self._last_heard = time.monotonic()
        for status in message.status:
            values = {item.key: item.value for item in status.values}
            self._states[header_stamp_ns(message)] = {**values, "reason": status.message}

    def summary(self) -> dict[str, Any]:
        """Return counts, latencies in seconds, and the stamps of the images: published ones and processed ones."""
        published, processed = sorted(self._published), sorted(self._states)
        estimates_s = [float(state["estimate_s"]) for state in self._states.values()]
        span_s = (processed[-1] - processed[0]) * 1e-9 if len(processed) > 1 else 0.0
        return {
            "node": self._localizer,
            "frames": len(published),
            "accepted": len(processed),
            "answered": len(self._raw_poses),
            "on_floor": len(self._poses),
            "status": dict(Counter(state["state"] for state in self._states.values())),
            "unanswered": dict(
                Counter(state["reason"] for state in self._states.values() if state["answered"] == "False")
            ),
            "rate_hz": (len(processed) - 1) / span_s if span_s > 0 else None,
            "latency_s": _percentiles(list(self._latencies_s.values())),
            "estimate_s": _percentiles(estimates_s),
            "published_stamps_ns": published,
            "accepted_stamps_ns": processed,
        }

    def write(self, folder: Path) -> None:
        """Write pose.tum and pose_raw.tum with what lies beside them, as `campose evaluate` reads it, and replay.json.

        The covariance is that of pose_raw; a snapped pose has none.
        """
        for name, poses, covariances in (("pose", self._poses, {}), ("pose_raw", self._raw_poses, self._covariances)):
            outcomes = tuple(self._outcomes(poses, covariances))
            write_estimates(folder / f"{name}.tum", Estimates(name, outcomes, scale=self._scale()))
        summary = self.summary()
        write_text(folder / "replay.json", json.dumps(summary, indent=1) + "\n")
        counts = {key: summary[key] for key in ("frames", "accepted", "answered", "on_floor", "status")}
        say(f"{folder}: " + ", ".join(f"{key} {value}" for key, value in counts.items()))

    def _scale(self) -> ScaleBasis:
        """Of the map that the node localizes in; measured where an older node does not say."""
        told = {state.get("scale", ScaleBasis.MEASURED.value) for state in self._states.values()}
        return ScaleBasis(told.pop()) if len(told) == 1 else ScaleBasis.MEASURED

    def _outcomes(self, poses: dict[int, Pose], covariances: dict[int, Array]) -> Iterator[FrameOutcome]:
        """Of the images that the node has processed."""
        for stamp_ns, state in sorted(self._states.items()):
            latency_s = self._latencies_s.get(stamp_ns)
            latency_ms = None if latency_s is None else 1e3 * latency_s
            yield FrameOutcome(stamp_ns, poses.get(stamp_ns), state["state"], latency_ms, covariances.get(stamp_ns))


def _percentiles(seconds: list[float]) -> dict[str, float] | None:
    if not seconds:
        return None
    p50, p95 = np.percentile(seconds, [50, 95])
    return {"p50": float(p50), "p95": float(p95), "max": float(np.max(seconds))}
