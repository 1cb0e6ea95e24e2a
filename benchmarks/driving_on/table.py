"""What the benchmark prints, beside the numbers to reach."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from benchmarks.driving_on.drives import LEARNING, WHEELS, Place, Stretch
from benchmarks.driving_on.runs import WRONG_M, Kept, Row, driven, kidnapped, returns_m, with_stretches
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
Example = tuple[list[Row], list[Stretch]]


def measured(material: Material, seeds: int) -> tuple[str, Example]:
    """All lines, and one drive for a picture."""
    place = Place.open(str(material.world))
    estimator = load_estimator(material.demo.scene, "structure")
    kept, small = Kept.of(estimator, place), place.small()
    lines, example = [HEADER], None
    for wheels in WHEELS:
        runs = [with_stretches(small, kept, wheels, seed, TURNS) for seed in range(seeds)]
        example = example or runs[0]
        lines.append((f"{wheels.name}, {seeds} drives", *_cells(runs)))
    for wheels in WHEELS:
        lines.append(
            (f"{wheels.name}, searched in the images", *_cells([with_stretches(place, estimator, wheels, 0, 2)]))
        )
    assert example is not None
    texts = [_aligned(lines), _kidnapped(small, kept), _plain(place, material)]
    return "\n\n".join(texts), example


def _cells(runs: Sequence[Example]) -> tuple[str, ...]:
    hidden = [row for rows, _ in runs for row in rows[LEARNING:] if row.is_hidden]
    answered = [row for row in hidden if row.error_m is not None]
    errors_m = [row.error_m for row in answered if row.error_m is not None]
    back_m = max(back for rows, some in runs for back in returns_m(rows, some))
    return (
        str(len(hidden)),
        f"{100 * len(answered) / len(hidden):.1f} %",
        f"{100 * np.mean([row.inside for row in answered]):.1f} %",
        f"{100 * np.median(errors_m):.1f} cm",
        f"{100 * np.percentile(errors_m, 95):.1f} cm",
        str(sum(error_m > WRONG_M for error_m in errors_m)),
        f"{100 * np.mean([row.status is Status.LOST for row in hidden]):.1f} %",
        f"{100 * back_m:.1f} cm",
    )


def _kidnapped(place: Place, kept: Kept) -> str:
    ends = [kidnapped(place, kept, seed) for seed in range(KIDNAPPINGS)]
    in_time = [end for end in ends if end.seconds is not None and end.seconds <= 1.0]
    slow = [f"{end.before} > {end.after}: {end.seconds}" for end in ends if end not in in_time]
    wrong = sum(end.wrong for end in ends)
    text = f"kidnapped while predicting: {len(in_time)} of {KIDNAPPINGS} LOST or found in 1 s, {wrong} wrong and sure"
    return text + "".join(f"\n  {line}" for line in slow)


def _plain(place: Place, material: Material) -> str:
    """The drive without stretches, all of it recognized, and what an image costs."""
    estimator = load_estimator(material.demo.scene, "structure")
    shots = list(place.shots(place.to_and_fro(1), WHEELS[0], 0, {}))
    started = time.process_time()
    rows = driven(estimator, place.camera, shots)
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
