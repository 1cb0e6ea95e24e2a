"""The tables of metrics and of reliability: the same columns in a terminal and on a report page."""

import math
from collections.abc import Callable, Sequence

from campose_core.evaluation.gate import leak_text
from campose_core.evaluation.metrics import Metrics
from campose_core.evaluation.reliability import LEVELS, level_name
from campose_core.evaluation.spread import Spread
from campose_core.text import one_line

# Of the recalls that are measured, those of 7-Scenes, of robots, and of long-term localization.
SHOWN_RECALLS = ("5cm/5deg", "10cm/1deg", "25cm/2deg", "50cm/5deg")
HEADER = (
    "estimator",
    "frames",
    "answered",
    "median",
    "p95",
    *SHOWN_RECALLS,
    "wrong & sure",
    "p95 latency",
)
RELIABILITY_HEADER = (
    "estimator",
    "covariance of",
    "frames",
    *(f"in {level_name(level)}" for level in LEVELS),
    "error ratio",
)


def metrics_cells(metrics: Metrics) -> list[str]:
    """Write the texts of one row, as many as HEADER has."""
    position, rotation = metrics.position_m, metrics.rotation_deg
    return [
        name_of(metrics),
        str(metrics.frames),
        f"{100 * metrics.availability:.1f} %",
        f"{metres_text(position.median)} / {degrees_text(rotation.median)}",
        f"{metres_text(position.p95)} / {degrees_text(rotation.p95)}",
        *(f"{100 * metrics.recall[name]:.1f} %" for name in SHOWN_RECALLS),
        f"{100 * metrics.wrong_and_sure:.2f} %",
        f"{metrics.latency_ms.p95:.0f} ms" if metrics.latency_ms else "-",
    ]


def name_of(metrics: Metrics) -> str:
    """Name a row; numbers of a query that leaks are marked."""
    return f"{metrics.estimator} (leak)" if metrics.leak is not None and metrics.leak.leaks else metrics.estimator


def metrics_table(rows: Sequence[Metrics]) -> str:
    """Write lines of text with aligned columns, without a newline at the end."""
    return aligned([list(HEADER), *(metrics_cells(metrics) for metrics in rows)])


def reliability_cells(rows: Sequence[Metrics]) -> list[list[str]]:
    """Write the texts of the reliability table, as many a row as RELIABILITY_HEADER has; none without a covariance.

    A row for the pose, one for its position and one for its rotation, of each estimator.
    """
    return [
        [
            metrics.estimator,
            name,
            str(metrics.reliability.frames),
            *(f"{100 * share:.0f} %" for share in part.coverage.values()),
            f"{part.error_ratio:.2f}",
        ]
        for metrics in rows
        if metrics.reliability
        for name, part in metrics.reliability.parts.items()
    ]


def reliability_table(rows: Sequence[Metrics]) -> str:
    """Write lines of text; empty where no covariance is known."""
    cells = reliability_cells(rows)
    return aligned([list(RELIABILITY_HEADER), *cells]) if cells else ""


def tables(rows: Sequence[Metrics]) -> str:
    """Write both tables, for people, and below them what leaks."""
    reliable = reliability_table(rows)
    leaks = dict.fromkeys(leak_text(row.leak) for row in rows if row.leak is not None and row.leak.leaks)
    parts = [metrics_table(rows), reliable, "\n".join(leaks)]
    return "\n\n".join(filter(None, parts))


def measure_cells(rows: Sequence[Metrics]) -> list[list[str]]:
    """Write every measure in a row of texts and every estimator in a column, the first row the header.

    Behind a number stands its 95 % interval. A measure that no estimator has is absent.
    """
    table: dict[str, list[str]] = {}
    for column, metrics in enumerate(rows):
        for name, text in _measures(metrics).items():
            table.setdefault(name, [""] * len(rows))[column] = text
    return [["measure", *map(name_of, rows)], *([name, *texts] for name, texts in table.items())]


def measure_table(rows: Sequence[Metrics]) -> str:
    """Write lines of text with every measure."""
    return aligned(measure_cells(rows))


def _measures(metrics: Metrics) -> dict[str, str]:
    def ends(name: str, text_of: Callable[[float], str]) -> str:
        found = metrics.intervals.get(name)
        return "" if found is None else f" [{text_of(found.low)}, {text_of(found.high)}]"

    def share(name: str, value: float) -> str:
        return percent_text(value) + ends(name, percent_text)

    found = {"availability": share("availability", metrics.availability)}
    found["wrong & sure"] = share("wrong_and_sure", metrics.wrong_and_sure)
    for title, kind, text_of in (
        ("position", "position_m", metres_text),
        ("rotation", "rotation_deg", degrees_text),
        ("on the floor (x, y)", "floor_m", metres_text),
        ("yaw", "yaw_deg", degrees_text),
    ):
        spread: Spread = getattr(metrics, kind)
        found[f"{title}, median"] = text_of(spread.median) + ends(f"{kind}.median", text_of)
        found[f"{title}, 75, 90, 99 %"] = ", ".join(map(text_of, (spread.p75, spread.p90, spread.p99)))
        found[f"{title}, 95 %"] = text_of(spread.p95) + ends(f"{kind}.p95", text_of)
    for name, value in metrics.recall.items():
        found[f"recall {name}"] = share(f"recall@{name}", value)
    for name, value in metrics.recall_floor.items():
        found[f"recall on the floor {name}"] = share(f"recall_floor@{name}", value)
    found["jumps"] = str(metrics.jumps)
    found["time to first fix"] = seconds_text(metrics.first_fix_s)
    found["outages"] = str(metrics.outages.outages)
    if metrics.outages.median_s is not None and metrics.outages.longest_s is not None:
        found["time to recover, median"] = seconds_text(metrics.outages.median_s)
        found["time to recover, longest"] = seconds_text(metrics.outages.longest_s)
    for length, error in metrics.relative.items():
        found[f"error over {length}, median"] = (
            f"{metres_text(error.position_m.median)} / {degrees_text(error.rotation_deg.median)}"
        )
    if metrics.snap is not None:
        found["on the floor before snap"] = metres_text(metrics.snap.before_m.median)
        found["on the floor after snap"] = metres_text(metrics.snap.after_m.median)
        found["answers on walkable cells"] = percent_text(metrics.snap.walkable_before)
        found["truth on walkable cells"] = percent_text(metrics.snap.true_walkable)
    if metrics.latency_ms is not None:
        found["latency, 50, 95, 99 %"] = ", ".join(f"{ms:.0f} ms" for ms in metrics.latency_ms)
    return found


def aligned(table: list[list[str]]) -> str:
    """Write rows of texts, the first of them the header, in columns; all but the first column end to the right."""
    table = [[one_line(cell) for cell in row] for row in table]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in table
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def percent_text(share: float) -> str:
    """Write a share of frames."""
    return f"{100 * share:.2f} %"


def seconds_text(seconds: float) -> str:
    """Write a time; `never` for an infinite one."""
    return "never" if math.isinf(seconds) else f"{seconds:.1f} s"


def metres_text(metres: float) -> str:
    """Write centimetres below 1 m, metres above; `no pose` for an unanswered frame."""
    if math.isinf(metres):
        return "no pose"
    return f"{metres * 100:.1f} cm" if metres < 1 else f"{metres:.2f} m"


def degrees_text(degrees: float) -> str:
    """Write degrees; `no pose` for an unanswered frame."""
    return "no pose" if math.isinf(degrees) else f"{degrees:.2f} deg"
