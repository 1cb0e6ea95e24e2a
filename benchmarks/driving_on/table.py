"""What the benchmark prints, beside the numbers to reach."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.driving_on.drives import WHEELS, Place
from benchmarks.driving_on.runs import CARRIED_MPS, WRONG_M, Drive, Kept, Plan, Row, driven, kidnapped
from benchmarks.localization.material import Material
from campose_core.localization.estimators.registry import load_estimator
from campose_core.localization.result import Status

TURNS, KIDNAPPINGS = 3, 100
HEADER = (
    "what",
    "images",
    "answered",
    "in the 90 % ellipsoid",
    "median",
    "p95",
    "wrong and sure",
    "LOST",
    "back within",
)


def measured(material: Material, data: Path, seeds: int) -> tuple[str, Drive]:
    """All lines, and one drive for a picture. data: the folder with the bags of the kitchen."""
    (calibrated,) = material.kitchen.scene.cameras.values()
    floor, kitchen = Place.floor(material.world), Place.kitchen(data, calibrated)
    on_floor, in_kitchen = (load_estimator(one.scene, "structure") for one in (material.demo, material.kitchen))
    kept, small = Kept.of(on_floor, floor), floor.small()
    kept_kitchen, small_kitchen = Kept.of(in_kitchen, kitchen), kitchen.small()
    lines = [HEADER, *_rows("floor", small, kept, seeds)]
    searched = Plan.of(floor, 0, 2)
    for wheels in WHEELS:
        drive = searched.driven(on_floor, wheels, 0)
        lines.append((f"floor, {wheels.name}, searched in the images", *_cells([drive], Drive.hidden)))
    lines += _rows("kitchen", small_kitchen, kept_kitchen, seeds)
    example = Plan.of(small, 0, TURNS).driven(kept, WHEELS[0], 0)
    return "\n\n".join([_aligned(lines), _kidnapped(small, kept), _plain(floor, material)]), example


def _rows(name: str, place: Place, kept: Kept, seeds: int) -> list[tuple[str, ...]]:
    """Hidden stretches, and the same without any image; by odometry."""
    hidden, cut = defaultdict[str, list[Drive]](list), defaultdict[str, list[Drive]](list)
    for seed in range(seeds):
        plan = Plan.of(place, seed, TURNS)
        for wheels in WHEELS:
            hidden[wheels.name].append(plan.driven(kept, wheels, seed))
            cut[wheels.name].append(plan.driven(kept, wheels, seed, is_cut=True))
    return [
        *((f"{name}, {odometry}", *_cells(drives, Drive.hidden)) for odometry, drives in hidden.items()),
        *((f"{name}, {odometry}, no images: the first after", *_cells(drives, Drive.first_after))
          for odometry, drives in cut.items()),
    ]  # fmt: skip


def _cells(runs: Sequence[Drive], of: Callable[[Drive], list[Row]]) -> tuple[str, ...]:
    asked = [row for run in runs for row in of(run)]
    answered = [row for row in asked if row.error_m is not None]
    errors_m = [row.error_m for row in answered if row.error_m is not None] or [np.inf]
    back_m = max(back_m for run in runs for back_m in run.returns_m())
    return (
        str(len(asked)),
        f"{100 * len(answered) / len(asked):.1f} %",
        f"{100 * np.mean([row.inside for row in answered]):.1f} %",
        f"{100 * np.median(errors_m):.1f} cm",
        f"{100 * np.percentile(errors_m, 95):.1f} cm",
        str(sum(error_m > WRONG_M for error_m in errors_m if np.isfinite(error_m))),
        f"{100 * np.mean([row.status is Status.LOST for row in asked]):.1f} %",
        f"{100 * back_m:.1f} cm",
    )


def _kidnapped(place: Place, kept: Kept) -> str:
    ends = [kidnapped(place, kept, seed) for seed in range(KIDNAPPINGS)]
    in_time = [end for end in ends if end.seconds is not None and end.seconds <= 1.0]
    slow = [f"{end.before} > {end.after}: {end.seconds}" for end in ends if end not in in_time]
    wrong = sum(end.wrong for end in ends)
    carried_m = [end.worst_m for end in ends if end.is_carried]
    text = (
        f"kidnapped while predicting: {len(in_time)} of {KIDNAPPINGS} LOST or found in 1 s, {wrong} wrong and sure; "
        f"{len(carried_m)} carried at {CARRIED_MPS:g} m/s with nothing to see: at most {max(carried_m):.2f} m off"
    )
    return text + "".join(f"\n  {line}" for line in slow)


def _plain(place: Place, material: Material) -> str:
    """The drive without stretches, all of it recognized, and what an image costs."""
    estimator = load_estimator(material.demo.scene, "structure")
    shots = list(place.shots(place.to_and_fro(1), WHEELS[0], 0, {}))
    started = time.process_time()
    rows = driven(estimator, place, shots)
    seconds = (time.process_time() - started) / len(rows)
    errors_m = [np.inf if row.error_m is None else row.error_m for row in rows]
    return (
        f"without stretches: median {100 * np.median(errors_m):.2f} cm, "
        f"p95 {100 * np.percentile(errors_m, 95):.2f} cm, {np.mean(np.isfinite(errors_m)):.1%} answered; "
        f"{1e3 * seconds:.0f} ms of a core an image, without decoding: {10 * seconds:.2f} of it at 10 Hz"
    )


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
