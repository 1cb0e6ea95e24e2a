"""The report of an evaluation: one page that opens in any browser, its pictures inside it and beside it."""

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from campose_core.evaluation.estimates import Estimates
from campose_core.evaluation.metrics import Metrics, frame_errors, summarise
from campose_core.evaluation.pictures import (
    ImageOf,
    error_distribution,
    error_over_time,
    example_frames,
    floor_plan,
    reliability_curves,
)
from campose_core.evaluation.table import HEADER, RELIABILITY_HEADER, metrics_cells, reliability_cells
from campose_core.files import write_bytes, write_text
from campose_core.floor import FloorMap
from campose_core.map_scale import ScaleBasis
from campose_core.trajectory import Trajectory

CAPTIONS = {
    "floor_plan.png": "The floor from above. Where the snapped line leaves the dots, the snap moved the estimate onto "
    "floor that can be walked on.",
    "error_over_time.png": "Error of each frame. The dashed line is 1 m: an answer above it, given while TRACKING, is "
    "wrong and sure.",
    "error_distribution.png": "Share of all frames with an error below x. Frames without an answer never count as "
    "below, so a curve ends at the share of answered frames. Dotted: the thresholds of the table.",
    "reliability.png": "Whether the covariances hold: the share of frames whose truth lies in the ellipsoid that "
    "should hold the share below. On the diagonal they are right, under it too small, over it too cautious.",
    "example_frames.png": "Images behind the best, the median and the worst answer.",
}
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #2b303a; background: #fff }
body { max-width: 1180px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.7em; margin-bottom: 0.2em }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.85em }
th, td { padding: 0.35em 0.6em; text-align: right; border-bottom: 1px solid #d9dde3; white-space: nowrap }
th { font-weight: 600; border-bottom: 2px solid #2b303a }
th:first-child, td:first-child { text-align: left }
.wide { overflow-x: auto }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2em 1.2em }
dt, figcaption, .note { color: #5c6470 }
dd { margin: 0 }
figure { margin: 1.5em 0 }
img { max-width: 100% }
figcaption, .note { font-size: 0.9em }
"""


def write_report(
    out_dir: Path | str,
    title: str,
    estimates: Sequence[Estimates],
    reference: Trajectory,
    floor: FloorMap | None = None,
    snapped: Trajectory | None = None,
    image_of: ImageOf | None = None,
    facts: Mapping[str, str] | None = None,
) -> Path:
    """Write OUT_DIR/index.html and the pictures beside it; returns the path of the page.

    estimates: one or more, each with its own name; the first one is the one whose path and frames are shown.
    snapped: its poses after the snap. image_of: the image taken at a stamp, or None. facts: what else to say, by name.

    Raises:
        TrajectoryError: no frame of one of the estimates has a reference.
        MissingDependency: matplotlib is not installed.
    """
    out_dir = Path(out_dir)
    errors = {one.estimator: frame_errors(one, reference) for one in estimates}
    rows = [summarise(errors[one.estimator], one) for one in estimates]
    shown = estimates[0]
    pictures: dict[str, bytes | None] = {
        "floor_plan.png": floor_plan(floor, errors[shown.estimator], shown.trajectory, snapped),
        "error_over_time.png": error_over_time(errors),
        "error_distribution.png": error_distribution(errors),
        "reliability.png": reliability_curves(errors),
        "example_frames.png": example_frames(errors[shown.estimator], image_of) if image_of else None,
    }
    made = {name: data for name, data in pictures.items() if data is not None}
    for name, data in made.items():
        write_bytes(out_dir / name, data)
    write_text(out_dir / "index.html", _page(title, rows, {**(facts or {}), **_scale(estimates)}, made))
    return out_dir / "index.html"


def _scale(estimates: Sequence[Estimates]) -> dict[str, str]:
    """Say what the metres rest on, where they were not measured."""
    bases = {one.scale.value for one in estimates if one.scale is not ScaleBasis.MEASURED}
    return {"Scale": " and ".join(sorted(bases))} if bases else {}


def _page(title: str, rows: Sequence[Metrics], facts: Mapping[str, str], pictures: Mapping[str, bytes]) -> str:
    reliable = reliability_cells(rows)
    listed = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>\n" for name, value in facts.items())
    figures = "".join(html_figure(CAPTIONS[name], data) for name, data in pictures.items())
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style></head>
<body><h1>{html.escape(title)}</h1>
<dl>{listed}</dl>
{html_table(HEADER, [metrics_cells(metrics) for metrics in rows])}
<p class="note">Every frame counts: one without an answer has an infinite error. Recall is the share of frames within
both bounds; wrong &amp; sure the share answered, not LOST, and more than 1 m off.</p>
{html_table(RELIABILITY_HEADER, reliable) if reliable else ""}
{figures}</body></html>
"""


def html_figure(caption: str, png: bytes) -> str:
    """Put a picture inside the page, with what it shows."""
    said, data = html.escape(caption), base64.b64encode(png).decode()
    return f'<figure><img alt="{said}" src="data:image/png;base64,{data}"><figcaption>{said}</figcaption></figure>\n'


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table of texts, escaped, that scrolls where it is too wide."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>'
