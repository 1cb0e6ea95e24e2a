"""Wrong and sure: are wrong poses published when the camera is covered, blinded, carried off, or fooled?"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.localization.drives import Drive, StressRun, stress_runs
from benchmarks.localization.picture import draw
from benchmarks.localization.scoring import WRONG_M, Judged, RunScore, score
from benchmarks.localization.worlds import with_twin
from campose_core.cli.console import say
from campose_core.evaluation.baselines import PlainEstimator
from campose_core.files import write_text
from campose_core.geometry import pose_error
from campose_core.localization.estimators.base import PoseEstimator
from campose_core.localization.estimators.registry import load_estimator
from campose_core.localization.localizer import Localizer
from campose_core.localization.result import LocalizationResult
from campose_core.progress import track
from campose_core.scene.scene import Scene
from campose_core.simulation.building import build_world

TWIN_SHIFT = (20.0, 0.0, 0.0)  # metres: beyond the building
HEADER = ("run", "frames", "published", "wrong & sure", "median", "lost after", "found after", "poses blind", "kinds")


def table(scene: Scene, world: Path, out: Path, names: list[str] | None = None, plain: bool = False) -> str:
    """All runs (or those whose name contains one of `names`) as text; `out` keeps what was drawn, stress.json and
    stress.png.

    world: what `campose simulate` wrote at size demo, seed 0; scene: built from its mapping drive. plain: the same
    Localizer on top of the plain way beside it.
    """
    out.mkdir(parents=True, exist_ok=True)
    runs = [
        run
        for run in stress_runs(Drive.open(world), out)
        if not names or any(name in run.name for name in names)
    ]  # fmt: skip
    west = build_world("demo", 0).place("west")
    scenes: dict[float | None, Scene] = {None: scene}
    for kept in {run.twin_kept for run in runs if run.twin_kept}:
        scenes[kept] = with_twin(scene, out / f"twin_{kept:g}", west, TWIN_SHIFT, kept)
    ways: dict[str, Callable[[Scene], PoseEstimator]] = {"structure": lambda scene: load_estimator(scene, "structure")}
    if plain:
        ways["plain"] = PlainEstimator.load
    texts, report = [], {}
    for way, load in ways.items():
        scores = {}
        report[way] = {}
        for run in runs:
            judged = [judge(shot, result) for shot, result in localized(run, load(scenes[run.twin_kept]))]
            scores[run.name] = score([row for row, _ in judged], run.events)
            report[way][run.name] = _to_dict(scores[run.name], judged)
        texts.append(f"stress, {way} in the localizer:\n{scores_table(scores)}")
    write_text(out / "stress.json", json.dumps(report, indent=1) + "\n")
    if not names:
        draw(out / "stress.json", out / "stress.png")
    return "\n\n".join(texts)


def localized(run: StressRun, estimator: PoseEstimator) -> list[tuple[Any, LocalizationResult]]:
    """Each shot of a run without its pixels, with what a fresh Localizer says of it."""
    localizer = Localizer(estimator)
    say(f"stress: {run.name}")
    return [
        (shot.with_image(shot.frame.image[:0]), localizer.localize(shot.frame, shot.camera))
        for shot in track(run.shots(), run.name)
    ]


def judge(shot: Any, result: LocalizationResult) -> tuple[Judged, dict[str, object]]:
    """The result against the truth, and what to print of it where it is wrong."""
    error_m = None
    if result.map_from_cam is not None:
        error_m = pose_error(result.map_from_cam, shot.map_from_cam)[0]
    row = Judged(result.stamp_ns, result.status.value, error_m, result.kind.value if result.kind else "")
    details = {"frame": shot.frame.name, "stamp_ns": result.stamp_ns, "status": row.status, "error_m": error_m,
               "support": result.support, "kind": row.kind, "reason": result.reason}  # fmt: skip
    return row, details


def _to_dict(scored: RunScore, judged: list[tuple[Judged, dict[str, object]]]) -> dict[str, object]:
    wrong = [details for row, details in judged if row.error_m is not None and row.error_m > WRONG_M]
    events = [
        {k: "never" if v == math.inf else v for k, v in event._asdict().items()} for event in scored.events
    ]  # fmt: skip
    frames = [list(details.values())[1:] for _, details in judged]
    return {**scored._asdict(), "events": events, "wrong_frames": wrong, "all_frames": frames}


def scores_table(scores: dict[str, RunScore]) -> str:
    """Lines of text; times are those of the slowest event of a run, `-` where there was none."""
    rows = [HEADER, *(_cells(name, scored) for name, scored in scores.items())]
    frames, wrong = sum(s.frames for s in scores.values()), sum(s.wrong for s in scores.values())
    blind = sum(event.published_blind for s in scores.values() for event in s.events)
    published = sum(s.published for s in scores.values())
    share = f"{100 * wrong / max(frames, 1):.2f} %"
    rows.append(("all", str(frames), str(published), share, "", "", "", str(blind), ""))
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _cells(name: str, scored: RunScore) -> tuple[str, ...]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(scored.kinds.items()))
    return (
        name,
        str(scored.frames),
        str(scored.published),
        f"{100 * scored.wrong_and_sure:.2f} %",
        "-" if scored.median_m is None else f"{100 * scored.median_m:.1f} cm",
        _slowest([event.lost_after_s for event in scored.events]),
        _slowest([event.found_after_s for event in scored.events]),
        str(sum(event.published_blind for event in scored.events)),
        kinds,
    )


def _slowest(seconds: list[float | None]) -> str:
    """Of several events: the longest time; those that never ended are counted."""
    never = sum(value == math.inf for value in seconds)
    known = [value for value in seconds if value is not None and value < math.inf]
    text = f"{max(known):.1f} s" if known else ""
    return " ".join(filter(None, [text, f"{never}x never" if never else ""])) or "-"
