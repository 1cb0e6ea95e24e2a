"""Rate and latency of the real node: a drive at 30 images a second over DDS, player and node on two cores."""

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
from campose_core.bag.writer import write_bag
from campose_core.capture.recording import open_recording
from campose_core.cli.console import say
from campose_core.evaluation.baselines import PlainEstimator
from campose_core.evaluation.estimates import Estimates, read_estimates
from campose_core.evaluation.metrics import evaluate
from campose_core.evaluation.run import frames_with_camera
from campose_core.evaluation.table import metrics_table
from campose_core.frame import Frame
from campose_core.progress import track
from campose_core.simulation.building import build_world
from campose_core.simulation.drive import BASE_FROM_CAM, camera_trajectory, drive
from campose_core.simulation.simulate import CAMERA_FRAME, PRESETS, drawing
from campose_core.trajectory import Trajectory, write_tum
from campose_ros.demo import play_to_node

RATE_HZ = 30.0
SECONDS = 20.0  # of the later drive
CORES = 2
PLAIN_FRAMES = 15


def table(place: Place, out: Path) -> str:
    """The first part of the later drive, drawn again with more frames, and played at its own speed."""
    bag, truth = fast_drive(out)
    say(f"node: playing {bag}")
    with on_cores(CORES):
        plain_ms = _plain_ms(place)
        play_to_node(bag, place.scene.path, out, out / "node.log")
    summary = json.loads((out / "replay.json").read_text())
    answers = read_estimates(out / "pose_raw.tum")
    rows = node_rows(answers, summary)
    estimate_ms = 1e3 * summary["estimate_s"]["p50"]
    rows.append(
        ("one image, p50: node / plain way", f"{estimate_ms:.0f} / {plain_ms:.0f} ms, {plain_ms / estimate_ms:.1f}x")
    )
    width = max(len(name) for name, _ in rows)
    table = "\n".join(["node over DDS", *(f"{name.ljust(width)}  {value}" for name, value in rows)])
    return f"{table}\n\n{metrics_table([evaluate(answers, truth)])}"


def fast_drive(out: Path) -> tuple[Path, Trajectory]:
    """A bag of the later drive at RATE_HZ, the camera's poses beside it, and the base's true trajectory."""
    world, bag = build_world("demo", 0), out / "fast.bag"
    map_from_base = drive(world, "later", RATE_HZ)
    map_from_base = map_from_base.select(range(round(SECONDS * RATE_HZ)))
    if not bag.is_dir():
        cameras, camera = camera_trajectory(map_from_base), PRESETS["demo"].camera
        out.mkdir(parents=True, exist_ok=True)
        say(f"node: drawing {bag}, {len(cameras)} frames")
        with drawing(world, camera, workers=2) as draw:
            images = track(draw(enumerate(pose for _, pose in cameras)), bag.name, total=len(cameras))
            stamped = enumerate(zip(cameras.stamps_ns, images, strict=True))
            frames = (Frame(int(stamp_ns), image, CAMERA_FRAME, f"{i:06d}") for i, (stamp_ns, image) in stamped)
            write_bag(bag, frames, camera, map_from_base, BASE_FROM_CAM)
    write_tum(bag.with_suffix(".tum"), camera_trajectory(map_from_base))
    return bag, map_from_base


def node_rows(answers: Estimates, summary: dict[str, object]) -> list[tuple[str, str]]:
    """answers: what the node published, by the stamps of the images."""
    published = list(summary["published_stamps_ns"])
    tracked = [outcome for outcome in answers.outcomes if outcome.status == "TRACKING"]
    since = tracked[0].stamp_ns if tracked else published[-1]
    seconds = (published[-1] - since) * 1e-9
    latencies_ms = [outcome.latency_ms for outcome in tracked if outcome.latency_ms is not None]
    p50, p95 = np.percentile(latencies_ms, [50, 95]) if latencies_ms else (np.nan, np.nan)
    rate_hz = (len(tracked) - 1) / seconds if len(tracked) > 1 else 0.0
    return [
        ("images published / processed / TRACKING", f"{len(published)} / {len(answers.outcomes)} / {len(tracked)}"),
        ("images/s in TRACKING (wanted: > 25)", f"{rate_hz:.1f}"),
        ("latency p50 / p95, image sent to pose received (wanted: < 60 ms)", f"{p50:.0f} / {p95:.0f} ms"),
    ]


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
