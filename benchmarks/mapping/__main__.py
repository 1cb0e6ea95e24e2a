"""Mapping beside the plain way: COLMAP as it comes, with sequential pairs and the incremental mapper.

    python -m benchmarks.mapping --data ../shared/data/redkitchen --out /tmp/mapping [--part hard|kitchen|growth]

hard: a hurried walk, six small images a second, smeared in the turns; and a faster one as a bag with odometry.
kitchen: recall of the query in the map of a real kitchen. growth: the first 300, 600, 1200 and 2000 frames of a drive.
Half an hour on two cores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.localization.material import campose
from benchmarks.mapping.hard_walk import FASTER, HURRIED, Walk, hard_walk
from benchmarks.mapping.long_drive import FRAMES, first_frames, long_drive
from benchmarks.mapping.own import campose_map, path_error
from benchmarks.mapping.plain import Mapped, plain_map
from campose_core.capture.recording import open_recording
from campose_core.cli.console import show_log
from campose_core.evaluation.metrics import evaluate
from campose_core.evaluation.run import localize_recording
from campose_core.evaluation.table import metrics_table
from campose_core.localization.estimators.registry import load_estimator
from campose_core.scene.scene import Scene
from campose_core.trajectory import read_tum

COUNTS = (300, 600, 1200, FRAMES)
PLAIN_COUNT = 300


def row(name: str, mapped: Mapped, more: str = "") -> None:
    share = 100 * mapped.in_largest / mapped.frames
    models = ", ".join(map(str, mapped.models))
    print(
        f"{name:34} {share:5.1f} % of {mapped.frames:5} frames (models {models})   {mapped.seconds:6.0f} s   "
        f"(cpu {mapped.cpu_seconds:6.0f} s)   {mapped.peak_gb:4.1f} GB{more}",
        flush=True,
    )


def hard(out: Path, walk: Walk) -> None:
    bag, truth = hard_walk(out, walk)
    for name, source in ((f"{walk.name}, video", bag.with_suffix(".mp4")), (f"{walk.name}, bag with odometry", bag)):
        mapped, scene = campose_map(source, out / f"{bag.stem}-{source.suffix[1:]}")
        if source.suffix == ".mp4":
            row(f"{walk.name}, plain", plain_map(scene.frames_dir / bag.stem, out / f"{bag.stem}-plain"))
        row(name, mapped, f"   {100 * path_error(scene, truth):.1f} cm off the true path (RMSE)")


def kitchen(data: Path, out: Path) -> None:
    scene = out / "kitchen"
    campose("build", data / "mapping.mp4", "--scene", scene, "--reference", data / "mapping.tum")
    opened = Scene.open(scene)
    estimates = localize_recording(opened, open_recording(data / "query.mp4"), load_estimator(opened, "structure"))
    print(metrics_table([evaluate(estimates, read_tum(data / "query.tum"))]), flush=True)


def growth(out: Path) -> None:
    folder, per_frame = long_drive(out), {}
    row("plain", plain_map(first_frames(folder, PLAIN_COUNT, out), out / "plain"))
    for count in COUNTS:
        mapped, _ = campose_map(first_frames(folder, count, out), out / f"grown{count}", "--max-keyframes", count)
        per_frame[count] = mapped.cpu_seconds / count
        ratio = per_frame[count] / per_frame[COUNTS[0]]
        row(f"campose, {count} frames", mapped, f"   {1000 * per_frame[count]:.0f} ms of cpu a frame ({ratio:.2f} x)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the kitchen's mapping and query recordings")
    parser.add_argument("--out", type=Path, required=True, help="folder for scenes")
    parser.add_argument("--part", choices=["hard", "kitchen", "growth"])
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.part in (None, "hard"):
        for walk in (HURRIED, FASTER):
            hard(options.out, walk)
    if options.part in (None, "kitchen"):
        kitchen(options.data, options.out)
    if options.part in (None, "growth"):
        growth(options.out)


if __name__ == "__main__":
    show_log()
    main()
