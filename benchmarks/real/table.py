"""The rows for people: one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from campose_core.evaluation.table import aligned

HEADER = (
    "set, method",
    "mapped",
    "map median",
    "held out",
    "answered",
    "right",
    "median",
    "deg",
    "wrong & sure",
    "own",
    "elsewhere",
    "foreign",
    "unknown",
    "seconds",
)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Lines of text; what failed, and which queries are unknown, below."""
    lines = [aligned([list(HEADER), *(_cells(row) for row in rows)])]
    lines += [f"{row['set']}, {row['method']}: {row['error']}" for row in rows if row["error"]]
    for row in {row["set"]: row for row in rows if row["unknown_frames"]}.values():
        lines.append(f"{row['set']}: nobody knows where these were taken: {', '.join(row['unknown_frames'])}")
    return "\n".join(lines)


def _cells(row: dict[str, Any]) -> list[str]:
    known = row["queries"] - row["unknown"]
    return [
        f"{row['set']}, {row['method']}",
        f"{row['frames_mapped']}/{row['frames']}",
        _distance(row, "map_median"),
        "-" if row["held_out_share"] is None else f"{100 * row['held_out_share']:.0f} %",
        f"{row['answered']}/{row['queries']}",
        f"{row['right']}/{known}",
        _distance(row, "median"),
        _number(row.get("median_deg"), "{:.2f}"),
        str(row["wrong_and_sure"]),
        str(row["wrong_in_own_set"]),
        f"{row['elsewhere_answered']}/{row['elsewhere_queries']}",
        f"{row['foreign_answered']}/{row['foreign_queries']}",
        str(row["unknown"]),
        f"{row['seconds']:.0f}",
    ]


def _distance(row: dict[str, Any], name: str) -> str:
    """In the unit that the row has it in."""
    for key, text in ((f"{name}_m", "{:.3f} m"), (f"{name}_frames", "{:.1f} frames")):
        if row.get(key) is not None:
            return text.format(row[key])
    share = row.get(f"{name}_share")
    return "-" if share is None else f"{100 * share:.2f} %"


def _number(value: float | None, text: str) -> str:
    return "-" if value is None else text.format(value)
