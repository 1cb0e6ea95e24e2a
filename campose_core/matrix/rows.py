"""The rows of a matrix: a table in Parquet, and the same summed up for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from campose_core.evaluation.table import aligned
from campose_core.extras import load_extra
from campose_core.files import replacing
from campose_core.matrix.conditions.table import AS_RECORDED

Row = Mapping[str, Any]
RECALLS = ("5cm/5deg", "25cm/2deg", "50cm/5deg")
HEADER = ("condition", "estimator", "runs", "frames", "answered", *RECALLS, "wrong & sure")


def write_parquet(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows as a table, whole or not at all; a column has a null where a run has no such number.

    Raises:
        MissingDependency: pyarrow is not installed.
    """
    pyarrow = load_extra("pyarrow", "matrix")
    parquet = load_extra("pyarrow.parquet", "matrix")
    columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        kind = _kind(pyarrow, values)
        columns[name] = pyarrow.array(values, type=kind)
    with replacing(path) as beside:
        parquet.write_table(pyarrow.table(columns), beside)


def _kind(pyarrow: Any, values: Sequence[Any]) -> Any:
    """Which type holds them all: a column must not change its type with the rows that happen to be there."""
    known = [value for value in values if value is not None]
    if any(isinstance(value, str) for value in known):
        return pyarrow.string()
    if known and all(type(value) is bool for value in known):
        return pyarrow.bool_()
    if known and all(type(value) is int for value in known):
        return pyarrow.int64()
    return pyarrow.float64() if known else pyarrow.string()


@dataclass(frozen=True)
class Summary:
    """All runs of an estimator under a condition, each frame as much as any other; shares are of the frames.

    frames: with a known truth. recall: by RECALLS.
    """

    condition: str
    severity: float
    estimator: str
    runs: int
    frames: int
    answered: float
    recall: dict[str, float]
    wrong_and_sure: float


def summaries(rows: Sequence[Row]) -> list[Summary]:
    """Sum up the runs that have a reference, by condition, severity and estimator, in the order of the rows."""
    groups: dict[tuple[str, float, str], list[Row]] = {}
    for row in rows:
        if row.get("wrong_and_sure") is not None:
            groups.setdefault((row["condition"], row["severity"], row["estimator"]), []).append(row)
    return [_pooled(*key, group) for key, group in groups.items()]


def _pooled(condition: str, severity: float, estimator: str, rows: Sequence[Row]) -> Summary:
    frames = sum(row["frames"] for row in rows)

    def share(name: str) -> float:
        return float(sum(row["frames"] * row[name] for row in rows) / frames)

    answered = sum(row["answered"] for row in rows) / frames
    recall = {name: share(f"recall.{name}") for name in RECALLS}
    return Summary(condition, severity, estimator, len(rows), frames, answered, recall, share("wrong_and_sure"))


def summary_cells(found: Sequence[Summary]) -> list[list[str]]:
    """Write the texts of the summaries, as many in a row as HEADER has."""
    return [
        [
            one.condition if one.condition == AS_RECORDED else f"{one.condition} {one.severity:g}",
            one.estimator,
            str(one.runs),
            str(one.frames),
            f"{100 * one.answered:.1f} %",
            *(f"{100 * share:.1f} %" for share in one.recall.values()),
            f"{100 * one.wrong_and_sure:.2f} %",
        ]
        for one in found
    ]


def summary_table(rows: Sequence[Row]) -> str:
    """Write lines of text; empty where no run has a reference."""
    cells = summary_cells(summaries(rows))
    return aligned([list(HEADER), *cells]) if cells else ""
