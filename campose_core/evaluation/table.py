"""The tables of metrics and of reliability: the same columns in a terminal and on a report page."""

import math
from collections.abc import Sequence

from campose_core.evaluation.metrics import RECALL_THRESHOLDS, Metrics, recall_name
from campose_core.evaluation.reliability import LEVELS, level_name
from campose_core.text import one_line

HEADER = (
    "estimator",
    "frames",
    "answered",
    "median",
    "p95",
    *(recall_name(*threshold) for threshold in RECALL_THRESHOLDS),
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
        metrics.estimator,
        str(metrics.frames),
        f"{100 * metrics.answered / metrics.frames:.1f} %",
        f"{metres_text(position.median)} / {degrees_text(rotation.median)}",
        f"{metres_text(position.p95)} / {degrees_text(rotation.p95)}",
        *(f"{100 * share:.1f} %" for share in metrics.recall.values()),
        f"{100 * metrics.wrong_and_sure:.2f} %",
        f"{metrics.latency_ms.p95:.0f} ms" if metrics.latency_ms else "-",
    ]


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
    """Write both tables, for people."""
    reliable = reliability_table(rows)
    return metrics_table(rows) + (f"\n\n{reliable}" if reliable else "")


def aligned(table: list[list[str]]) -> str:
    """Write rows of texts, the first of them the header, in columns; all but the first column end to the right."""
    table = [[one_line(cell) for cell in row] for row in table]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in table
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def metres_text(metres: float) -> str:
    """Write centimetres below 1 m, metres above; `no pose` for an unanswered frame."""
    if math.isinf(metres):
        return "no pose"
    return f"{metres * 100:.1f} cm" if metres < 1 else f"{metres:.2f} m"


def degrees_text(degrees: float) -> str:
    """Write degrees; `no pose` for an unanswered frame."""
    return "no pose" if math.isinf(degrees) else f"{degrees:.2f} deg"
