"""Rate and latency of the real node: the later drive over DDS at 30 images a second, player and node on two cores."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.localization.material import Place
from benchmarks.localization.plain import PlainEstimator
from campose_core.capture.recording import open_recording
from campose_core.evaluation.estimates import Estimates, read_estimates
from campose_core.evaluation.run import frames_with_camera
from campose_core.progress import say

RATE_HZ = 30.0
CORES = 2
PLAIN_FRAMES = 15


def table(place: Place, out: Path) -> str:
    """The drive is recorded at 10 Hz and played three times as fast: 30 images a second, each as far from the last as a
    robot's that drives at three times the speed."""
    stamps = [frame.stamp_ns for frame in open_recording(place.query).frames()]
    recorded_hz = 1e9 / float(np.median(np.diff(stamps)))
    say(f"node: playing {place.query} at {RATE_HZ:g} Hz")
    with on_cores(CORES):
        plain_ms = _plain_ms(place)
        _play(place, out, RATE_HZ / recorded_hz)
    summary = json.loads((out / "replay.json").read_text())
    rows = node_rows(read_estimates(out / "pose_raw.tum"), summary, RATE_HZ / recorded_hz)
    estimate_ms = 1e3 * summary["estimate_s"]["p50"]
    rows.append(
        ("one image, p50: node / plain way", f"{estimate_ms:.0f} / {plain_ms:.0f} ms, {plain_ms / estimate_ms:.1f}x")
    )
    width = max(len(name) for name, _ in rows)
    return "\n".join(["node over DDS", *(f"{name.ljust(width)}  {value}" for name, value in rows)])


def node_rows(answers: Estimates, summary: dict[str, object], speed: float) -> list[tuple[str, str]]:
    """answers: what the node published, by the stamps of the images; `speed`: times recorded speed they were played."""
    published = list(summary["published_stamps_ns"])
    tracked = [outcome for outcome in answers.outcomes if outcome.status == "TRACKING"]
    since = tracked[0].stamp_ns if tracked else published[-1]
    seconds = (published[-1] - since) * 1e-9 / speed
    latencies_ms = [outcome.latency_ms for outcome in tracked if outcome.latency_ms is not None]
    p50, p95 = np.percentile(latencies_ms, [50, 95]) if latencies_ms else (np.nan, np.nan)
    rate_hz = (len(tracked) - 1) / seconds if len(tracked) > 1 else 0.0
    return [
        ("images published / processed / TRACKING", f"{len(published)} / {len(answers.outcomes)} / {len(tracked)}"),
        ("images/s in TRACKING (wanted: > 25)", f"{rate_hz:.1f}"),
        ("latency p50 / p95, image sent to pose received (wanted: < 60 ms)", f"{p50:.0f} / {p95:.0f} ms"),
    ]


def _play(place: Place, out: Path, speed: float) -> None:
    from campose_ros.demo import play_to_node

    out.mkdir(parents=True, exist_ok=True)
    play_to_node(place.query, place.scene.path, out, out / "node.log", speed)


def _plain_ms(place: Place) -> float:
    plain, spent = PlainEstimator.load(place.scene), []
    for frame, camera in islice(frames_with_camera(place.scene, open_recording(place.query), None, ""), PLAIN_FRAMES):
        start = time.perf_counter()
        plain.estimate(frame, camera)
        spent.append(1e3 * (time.perf_counter() - start))
    return float(np.median(spent))


@contextmanager
def on_cores(count: int) -> Iterator[None]:
    """This process and those it starts run on so many cores, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
