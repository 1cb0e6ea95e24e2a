"""The report of a matrix: one page with the curves, the sums by condition, and every run."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from campose_core import __version__
from campose_core.evaluation.page import html_figure, html_page, html_table
from campose_core.evaluation.table import degrees_text, metres_text
from campose_core.files import write_bytes, write_text
from campose_core.matrix.curves import robustness_curves
from campose_core.matrix.rows import HEADER, RECALLS, Row, summaries, summary_cells

RUN_HEADER = ("run", "frames", "answered", "median", *RECALLS, "wrong & sure", "p95 latency", "time")
CAPTION = (
    "Recall against severity: a frame counts when its answer is within 25 cm and 2 degrees; one without an answer "
    "never does. Dropped images did not arrive, and count in nothing. Dotted: answers, not LOST, more than 1 m off."
)


def write_page(folder: Path, plan: Path, rows: Sequence[Row]) -> Path:
    """Write FOLDER/index.html, and curves.png beside it; returns the path of the page.

    plan: where RUNS.yaml lies. rows: of `run_matrix`.

    Raises:
        MissingDependency: matplotlib is not installed.
    """
    found = summaries(rows)
    curves = robustness_curves(found)
    if curves is not None:
        write_bytes(folder / "curves.png", curves)
    else:
        (folder / "curves.png").unlink(missing_ok=True)
    title = f"{plan.stem}: {len(rows)} runs"
    facts = {"made by": f"{Path(sys.argv[0]).name} {' '.join(sys.argv[1:])}", "campose": __version__}
    failed = [row for row in rows if row["error"]]
    if failed:
        facts["failed"] = f"{len(failed)} of {len(rows)} runs, with the reason in their row"
    body = f"""{html_table(HEADER, summary_cells(found)) if found else ""}
<p class="note">Sums over scenes, recordings and seeds, in which every frame counts as much as any other.</p>
{html_figure(CAPTION, curves) if curves else ""}
{html_table(RUN_HEADER, [_cells(row) for row in rows])}"""
    write_text(folder / "index.html", html_page(title, facts, body))
    return folder / "index.html"


def _cells(row: Row) -> list[str]:
    if row["error"]:
        return [row["run"], row["error"], *[""] * (len(RUN_HEADER) - 2)]
    answered = f"{100 * row['answered'] / row['frames']:.1f} %"
    scored = _scored(row) if row.get("wrong_and_sure") is not None else ["-"] * (len(RECALLS) + 2)
    latency = row.get("latency_ms.p95")
    times = ["-" if latency is None else f"{latency:.0f} ms", f"{row['wall_s']:.1f} s"]
    return [row["run"], str(row["frames"]), answered, *scored, *times]


def _scored(row: Mapping[str, float | None]) -> list[str]:
    metres, degrees = row["position_m.median"], row["rotation_deg.median"]
    median = "no pose" if metres is None or degrees is None else f"{metres_text(metres)} / {degrees_text(degrees)}"
    shares = [f"{100 * (row[f'recall.{name}'] or 0.0):.1f} %" for name in RECALLS]
    return [median, *shares, f"{100 * (row['wrong_and_sure'] or 0.0):.2f} %"]
