"""The trajectory of a rigid body in a CSV that Motive (OptiTrack) exports.

Its first line is keys and values by turns; names of the columns stand one part a line, the last of them `Frame,Time
(Seconds),X,Y,Z,...`. Motive's frame is right-handed with y up: docs.optitrack.com/motive/data-export/data-export-csv.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from campose_core.errors import TrajectoryError

FIRST_CELL = "Format Version"
METRES = {"Meters": 1.0, "Centimeters": 0.01, "Millimeters": 0.001}
BODY = "Rigid Body"
PARTS = (("Position", "X"), ("Position", "Y"), ("Position", "Z"), *(("Rotation", axis) for axis in "XYZW"))


def is_optitrack(text: str) -> bool:
    """Tell whether a file is one of Motive's, by its first cell."""
    return text.lstrip('"').startswith(FIRST_CELL)


def read_optitrack(path: Path, text: str) -> list[tuple[int, str, list[str], float]]:
    """Return each row's line, seconds since the begin of the take, seven numbers, and metres of their unit.

    The numbers are x, y, z and the quaternion x, y, z, w of the body in Motive's frame, empty where it was not seen.

    Raises:
        TrajectoryError: no rigid body, or several, or angles instead of quaternions, or another unit or frame.
    """
    rows = _rows(text)
    said = dict(zip(rows[0][::2], rows[0][1::2], strict=False))
    begin = next((i for i, row in enumerate(rows) if row[:2] == ["Frame", "Time (Seconds)"]), 0)
    if begin == 0:
        raise TrajectoryError(f"{path}: of an export of Motive the line `Frame,Time (Seconds)` is missing")
    _refuse(path, said, "Rotation Type", ("Quaternion",))
    _refuse(path, said, "Coordinate Space", ("Global", ""))
    _refuse(path, said, "Length Units", tuple(METRES))
    labels = {row[1]: row for row in rows[1:begin] if len(row) > 2 and row[1] in ("Type", "Name")}
    parts = next((row for row in reversed(rows[1:begin]) if {"Position", "Rotation"} <= set(row)), [])
    if len(labels) < 2 or not parts:
        raise TrajectoryError(f"{path}: of an export of Motive the lines Type, Name and Rotation, Position are missing")
    columns = _columns_of_the_body(path, labels, parts, rows[begin])
    scale = METRES[said["Length Units"]]
    return [
        (number, row[1], [row[i] if i < len(row) else "" for i in columns], scale)
        for number, row in enumerate(rows[begin + 1 :], start=begin + 2)
        if len(row) > 1
    ]


def _rows(text: str) -> list[list[str]]:
    """Return the cells; those of a spreadsheet of another country, apart by `;`, have decimal commas."""
    lines = text.splitlines()
    if lines[0].count(";") <= lines[0].count(","):
        return list(csv.reader(lines))
    return [[cell.replace(",", ".") for cell in row] for row in csv.reader(lines, delimiter=";")]


def _refuse(path: Path, said: dict[str, str], key: str, known: tuple[str, ...]) -> None:
    if said.get(key, "") not in known:
        raise TrajectoryError(f"{path}: {key} is {said.get(key, 'not said')!r}: export it anew with {known[0]}")


def _columns_of_the_body(
    path: Path, labels: dict[str, list[str]], parts: Sequence[str], axes: Sequence[str]
) -> list[int]:
    cells = list(zip(labels["Type"], labels["Name"], parts, axes, strict=False))
    bodies = list(dict.fromkeys(name for kind, name, _, _ in cells if kind == BODY))
    if len(bodies) != 1:
        which = f"the bodies {', '.join(bodies)}" if bodies else "no rigid body"
        raise TrajectoryError(f"{path}: holds {which}: export the one that carries the camera alone")
    found = {(part, axis): i for i, (kind, _, part, axis) in enumerate(cells) if kind == BODY}
    missing = [" ".join(key) for key in PARTS if key not in found]
    if missing:
        raise TrajectoryError(f"{path}: the column {missing[0]} of {bodies[0]} is missing: export it anew")
    return [found[key] for key in PARTS]
