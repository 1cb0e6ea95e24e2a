"""The report of an evaluation: one page that opens in any browser, and the same as report.json beside it."""

from __future__ import annotations

import html
import json
import platform
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

from campose_core import __version__
from campose_core.errors import TrajectoryError
from campose_core.evaluation.comparison import Difference, compare, per_frame, read_earlier
from campose_core.evaluation.estimates import Estimates
from campose_core.evaluation.frame_errors import FrameErrors
from campose_core.evaluation.gate import leak_text
from campose_core.evaluation.judge import Beside, Judgement, judged
from campose_core.evaluation.leak import Leak
from campose_core.evaluation.page import html_figure as html_figure
from campose_core.evaluation.page import html_page, html_table
from campose_core.evaluation.photos import ImageOf, MapImage, frames_to_show, html_photos
from campose_core.evaluation.pictures import error_distribution, error_over_time, floor_plan, reliability_curves
from campose_core.evaluation.room_table import in_rooms, room_dict, rooms_html
from campose_core.evaluation.rooms import find_rooms
from campose_core.evaluation.table import (
    HEADER,
    RELIABILITY_HEADER,
    degrees_text,
    measure_cells,
    metres_text,
    metrics_cells,
    percent_text,
    reliability_cells,
)
from campose_core.files import write_bytes, write_texts
from campose_core.floor import FloorMap
from campose_core.map_scale import ScaleBasis
from campose_core.pixels.scene_images import read_image
from campose_core.trajectory import Trajectory

FORMAT = 1
MapImageOf = Callable[[int], MapImage | None]

CAPTIONS = {
    "floor_plan.png": "The floor from above, the estimates of the first row of the table coloured by their error in "
    "space; from the poses of the estimate and of the reference.",
    "error_over_time.png": "Error of each frame, on logarithmic axes. Dashed: 1 m. An answer above it, given "
    "while not LOST, is wrong and sure. Ticks at the upper edge: no answer. Below: the state that the estimator "
    "itself said it was in.",
    "error_distribution.png": "Share of all frames with an error below x. Frames without an answer never count as "
    "below, so a curve ends at the share of answered frames. Dotted: the thresholds of the recalls.",
    "reliability.png": "Whether the covariances hold: the share of frames whose truth lies in the ellipsoid that "
    "should hold the share below. On the diagonal they are right, under it too small, over it too cautious. From the "
    "covariances beside the estimate.",
}


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
    """Write OUT_DIR/index.html, report.json and the pictures beside them; returns the path of the page.

    estimates: one or more, each with its own name; the first one is the one whose path and frames are shown.
    snapped: its poses after the snap. image_of: the image taken at a stamp, or None. facts: what else to say, by name.

    Raises:
        TrajectoryError: no frame of one of the estimates has a reference.
        MissingDependency: matplotlib is not installed.
    """
    judgement = judged(estimates, reference, Beside())
    return _write(Path(out_dir), title, judgement, floor, snapped, image_of, None, dict(facts or {}), [])


def write_judgement(
    folder: Path, title: str, judgement: Judgement, beside: Beside, against: Path | None = None
) -> Path:
    """Write FOLDER/index.html, report.json and the pictures beside them; returns the path of the page.

    against: report.json of an earlier run.

    Raises:
        TrajectoryError: `against` is none, or has no estimator of these names.
        MissingDependency: matplotlib is not installed.
    """
    differences = [] if against is None else _differences(judgement, against)
    errors = judgement.errors[0]
    images = beside.images_at([int(errors.stamps_ns[frame.row]) for frame in frames_to_show(errors)])
    floor = None if beside.walkable is None else beside.walkable.floor
    facts: dict[str, str] = {}
    if beside.scene is not None:
        facts["Scene"] = f"{beside.scene.path}, {len(beside.training)} frames that the estimators were made of"
    if against is not None:
        facts["Compared with"] = str(against)
    map_image_of = _map_images(judgement, beside) if images else None
    return _write(folder, title, judgement, floor, None, images.get, map_image_of, facts, differences)


def _write(
    folder: Path,
    title: str,
    judgement: Judgement,
    floor: FloorMap | None,
    snapped: Trajectory | None,
    image_of: ImageOf | None,
    map_image_of: MapImageOf | None,
    facts: dict[str, str],
    differences: list[tuple[str, list[Difference]]],
) -> Path:
    named = {one.estimator: of for one, of in zip(judgement.estimates, judgement.errors, strict=True)}
    shown = judgement.errors[0]
    rooms = None if floor is None else find_rooms(floor)
    pictures = {
        "floor_plan.png": floor_plan(floor, shown, judgement.estimates[0].trajectory, snapped, rooms),
        "error_over_time.png": error_over_time(named),
        "error_distribution.png": error_distribution(named),
        "reliability.png": reliability_curves(named),
    }
    made = {name: data for name, data in pictures.items() if data is not None}
    program = Path(sys.argv[0]).name
    words = ["campose" if program == "main.py" else program, *sys.argv[1:]]  # `python -m campose_core.cli.main` too
    run = {"command": shlex.join(words), "versions": _versions()}
    divided = [] if rooms is None else in_rooms(shown, rooms)
    body = "".join(
        [
            _leak_html(judgement.leak),
            _differences_html(differences),
            html_table(HEADER, [metrics_cells(metrics) for metrics in judgement.rows]),
            _note(judgement),
            rooms_html(divided),
            f'<div class="figures">{"".join(html_figure(CAPTIONS[name], data) for name, data in made.items())}</div>',
            _photos_html(shown, image_of, map_image_of),
            _measures_html(judgement),
        ]
    )
    said = {**facts, **_scale(judgement.estimates), "Command": run["command"], "Versions": run["versions"]}
    content = {
        "format": FORMAT,
        "title": title,
        **run,
        "rows": [metrics.to_dict() for metrics in judgement.rows],
        **({"rooms": [room_dict(*room) for room in divided]} if divided else {}),
        **({"against": {name: [d.to_dict() for d in found] for name, found in differences}} if differences else {}),
        "per_frame": {name: per_frame(errors) for name, errors in named.items()},
    }
    texts = {
        folder / "index.html": html_page(title, said, body),
        folder / "report.json": json.dumps(content, allow_nan=False) + "\n",
    }
    for name, data in made.items():
        write_bytes(folder / name, data)
    write_texts(texts)
    return folder / "index.html"


def _versions() -> str:
    packages = ("numpy", "scipy", "pycolmap", "torch")
    found = [f"campose {__version__}", f"Python {platform.python_version()}"]
    for name in packages:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def _scale(estimates: Sequence[Estimates]) -> dict[str, str]:
    """Say what the metres rest on, where they were not measured."""
    bases = {one.scale.value for one in estimates if one.scale is not ScaleBasis.MEASURED}
    return {"Scale": " and ".join(sorted(bases))} if bases else {}


def _leak_html(leak: Leak | None) -> str:
    if leak is None:
        return ""
    if leak.leaks:
        return (
            f'<p class="leak">{html.escape(leak_text(leak))}. The numbers below are marked: they say how well the '
            "estimator remembers.</p>\n"
        )
    return f'<p class="note">No leak was found between {leak.frames} query frames and the map: {_nearest(leak)}.</p>\n'


def _nearest(leak: Leak) -> str:
    texts = {
        "time_s": "{:.1f} s",
        "place_m": "{:.2f} m",
        "place_deg": "{:.0f} deg",
        "view_grey": "{:.0f} grey levels in view",
    }
    parts = [texts[name].format(value) for name, value in leak.medians.items()]
    return f"the nearest map frame is {', '.join(parts)} away (medians)"


def _note(judgement: Judgement) -> str:
    missing = judgement.rows[0].without_reference
    without = f" {missing} frames have no reference pose and count in nothing." if missing else ""
    return f"""<p class="note">Every frame counts: one without an answer has an infinite error. Recall is the share of
frames within both bounds; wrong &amp; sure the share answered, not LOST, and more than 1 m off.{without}</p>
"""


def _differences(judgement: Judgement, against: Path) -> list[tuple[str, list[Difference]]]:
    earlier = read_earlier(against)
    found = [
        (one.estimator, compare(errors, earlier[one.estimator]))
        for one, errors in zip(judgement.estimates, judgement.errors, strict=True)
        if one.estimator in earlier
    ]
    if not found:
        ours = ", ".join(one.estimator for one in judgement.estimates)
        raise TrajectoryError(f"{against} is of {', '.join(earlier)}, and not of {ours}: give the report of such a run")
    return found


def _differences_html(differences: Sequence[tuple[str, list[Difference]]]) -> str:
    if not differences:
        return ""
    header = ("estimator", "measure", "before", "now", "difference, 95 %", "verdict")
    rows = []
    for name, found in differences:
        for one in found:
            text_of = _text_of(one.name)
            interval = "" if one.interval is None else " to ".join(_signed(end, text_of) for end in one.interval)
            verdict = one.verdict or "too short to tell"
            rows.append([name, one.name, text_of(one.before), text_of(one.now), interval, verdict])
    return f"<h2>Against the earlier run</h2>\n{html_table(header, rows, mark_last=True)}"


def _text_of(name: str) -> Callable[[float], str]:
    return metres_text if "_m." in name else degrees_text if "_deg." in name else percent_text


def _signed(value: float, text_of: Callable[[float], str]) -> str:
    return f"{'-' if value < 0 else '+'}{'inf' if np.isinf(value) else text_of(abs(value))}"


def _measures_html(judgement: Judgement) -> str:
    header, *rows = measure_cells(judgement.rows)
    reliable = reliability_cells(judgement.rows)
    calibration = f"<h2>Covariances</h2>\n{html_table(RELIABILITY_HEADER, reliable)}" if reliable else ""
    return f"""{calibration}<h2>All measures</h2>
{html_table(header, rows)}<p class="note">In brackets: 95 % intervals, a bootstrap over stretches of the recording;
absent where it is too short for eight of a second. A jump is a change of the error by more than 0.5 m or 10 deg between
answers at most a second apart; an outage a stretch without an answer within 1 m, after the first such answer; errors
over 1, 5 and 10 m are those of the motion between frames so far apart on the true path.</p>
"""


def _photos_html(errors: FrameErrors, image_of: ImageOf | None, map_image_of: MapImageOf | None) -> str:
    photos = "" if image_of is None else html_photos(errors, image_of, map_image_of)
    return f'<h2>Frames</h2>\n<div class="figures">{photos}</div>\n' if photos else ""


def _map_images(judgement: Judgement, beside: Beside) -> MapImageOf | None:
    scene, training, leak = beside.scene, judgement.training, judgement.leak
    if scene is None or training is None or leak is None or leak.nearest is None:
        return None
    nearest = leak.nearest

    def of_row(row: int) -> MapImage | None:
        frame = training.frames[nearest.place_frame[row]]
        return MapImage(
            read_image(scene, frame), frame.name, float(nearest.place_m[row]), float(nearest.place_deg[row])
        )

    return of_row
