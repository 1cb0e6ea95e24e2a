"""The page of the paper's tables: reports/benchmark/index.html, with the pictures in it and beside it."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from campose_core.evaluation.estimates import write_estimates
from campose_core.evaluation.page import html_figure, html_page
from campose_core.files import write_bytes, write_text
from campose_core.floorplan.scene_floor import walkable_of
from campose_core.paper.pictures import History, paths, validation_curves
from campose_core.paper.tables import COLUMNS, RETRIEVAL, STRUCTURE, PaperBenchmark, beside_label, cells_of
from campose_core.paper.variants import Line, PaperTable

KINDS = {"posenet": "PoseNet", "mapnet": "MapNet"}
CURVES = (
    "Median error on the validation frames after each epoch. The dot is the epoch that was kept; it is the one that "
    "stands in the tables."
)
PATHS = "From above: where the camera was, and where the best networks of both kinds and what stands beside them say."
MORE_STYLE = """
td:nth-child(2) { text-align: left; color: var(--muted) } th:nth-child(2) { text-align: left }
.faint td, td.faint, th.faint { color: var(--muted); font-weight: 400 }
.best { font-weight: 700 }
li { font-size: 0.9em; overflow-wrap: anywhere }
"""


def write_benchmark(folder: Path, found: PaperBenchmark) -> Path:
    """Write FOLDER/index.html, benchmark.json, the pictures, and EST.tum of each estimator; returns the page's path."""
    pictures = {"validation.png": (CURVES, _curves(found)), "paths.png": (PATHS, _paths(found))}
    for name, estimates in found.runs.items():
        write_estimates(folder / f"{name}.tum", estimates)
    for name, (_, png) in pictures.items():
        write_bytes(folder / name, png)
    write_text(folder / "benchmark.json", json.dumps(found.to_dict(), indent=1))
    write_text(folder / "index.html", _page(found, [html_figure(*picture) for picture in pictures.values()]))
    return folder / "index.html"


def _page(found: PaperBenchmark, figures: Sequence[str]) -> str:
    title = f"{found.scene.name}: pose networks side by side"
    recipe = next(iter(found.plan.models.values()))
    counts = {split: len(found.scene.posed_frames(split)) for split in ("train", "val")}
    facts = {
        "errors": f"medians over {found.frames} frames: {found.course.description}",
        "learned from": f"{counts['train']} frames, the epoch chosen on {counts['val']} others",
        "networks": f"frozen backbones, averages in {recipe.grid}x{recipe.grid} cells, {recipe.components} principal "
        f"components, pictures of {recipe.image_size}x{recipe.image_size}, {recipe.views} synthesised views a frame, "
        f"{recipe.epochs} epochs",
    }
    if found.scene.scale.caution():
        facts["scale"] = found.scene.scale.caution()
    reasons = [(name, f"left out: {why}") for name, why in found.left_out.items()]
    reasons += [(name, f"could not be trained: {why}") for name, why in found.failed.items()]
    left_out = "".join(f"<li><b>{html.escape(n)}</b> {html.escape(why)}</li>\n" for n, why in reasons)
    body = f"""{"".join(_table(found, table) for table in found.plan.tables)}
{_beside(found)}
<p class="note">Bold: the best of a table. A network that does not beat the nearest image among its own training frames
has learned nothing. Training: the layers alone; the features of a frozen backbone are computed once for all models on
it. Inference: median time of one image. <span class="faint">Paper: position / rotation error that Izzo and Bozzo
published, in the units of their own data set (one corridor floor, frames split by index): for comparison among
themselves only.</span></p>
{f"<h2>Not in the tables</h2><ul>{left_out}</ul>" if left_out else ""}
{"".join(figures)}"""
    return html_page(title, facts, body, MORE_STYLE)


def _table(found: PaperBenchmark, table: PaperTable) -> str:
    scores = [found.scores[line.model] for line in table.lines if line.model in found.scores]
    best = (min(s.position_m for s in scores), min(s.rotation_deg for s in scores)) if len(scores) > 1 else None
    with_paper = any(line.published for line in table.lines)
    rows = [_row(found, line, best, with_paper) for line in table.lines]
    if RETRIEVAL in found.scores:
        rows.append(_cells(["nearest image", RETRIEVAL, *found.scores[RETRIEVAL].cells()], "", with_paper, faint=True))
    return f"<h2>{html.escape(table.title)}</h2>\n{_whole(table.varied, rows, with_paper)}"


def _row(found: PaperBenchmark, line: Line, best: tuple[float, float] | None, with_paper: bool) -> str:
    score = found.scores.get(line.model or "")
    bold = [2 + i for i in (0, 1) if score and best and (score.position_m, score.rotation_deg)[i] == best[i]]
    return _cells([line.label, *cells_of(found, line)], line.published, with_paper, faint=score is None, bold=bold)


def _beside(found: PaperBenchmark) -> str:
    names = [name for name in found.beside if name != RETRIEVAL]
    rows = [_cells([beside_label(name), name, *found.scores[name].cells()], "", False) for name in names]
    return f"<h2>Beside them</h2>\n{_whole('what', rows, False)}" if rows else ""


def _whole(first: str, rows: Sequence[str], with_paper: bool) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in (first, *COLUMNS))
    head += '<th class="faint">paper</th>' if with_paper else ""
    body = "\n".join(rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n'


def _cells(
    texts: Sequence[str], published: str, with_paper: bool, faint: bool = False, bold: Sequence[int] = ()
) -> str:
    cells = "".join(
        f'<td class="best">{html.escape(text)}</td>' if i in bold else f"<td>{html.escape(text)}</td>"
        for i, text in enumerate(texts)
    )
    cells += f'<td class="faint">{html.escape(published)}</td>' if with_paper else ""
    return f'<tr class="faint">{cells}</tr>' if faint else f"<tr>{cells}</tr>"


def _curves(found: PaperBenchmark) -> bytes:
    groups: dict[str, dict[str, History]] = {}
    for name, options in found.plan.models.items():
        if name in found.scores:
            history = _history(found.scene.models_dir / name / "metrics.csv")
            groups.setdefault(KINDS[options.kind], {})[name] = history
    return validation_curves(groups)


def _history(path: Path) -> History:
    """Read the epochs of a training run."""
    table = np.genfromtxt(path, delimiter=",", names=True, ndmin=1)
    return table["epoch"], table["val_median_m"], table["val_median_deg"]


def _paths(found: PaperBenchmark) -> bytes:
    shown = []
    for kind in KINDS:
        names = [n for n, options in found.plan.models.items() if options.kind == kind and n in found.scores]
        shown += sorted(names, key=lambda name: found.scores[name].total)[:1]
    shown += [name for name in (RETRIEVAL, STRUCTURE) if name in found.scores]
    walkable = walkable_of(found.scene)
    floor = None if walkable is None else walkable.floor
    return paths(floor, [(name, found.errors[name], found.runs[name].trajectory) for name in shown])
