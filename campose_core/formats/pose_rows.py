"""Rows of a text file that are stamped poses: separators, columns and units told apart, nothing guessed.

A file names its columns in its first line, or is of a program whose columns are known by their number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.errors import TrajectoryError
from campose_core.geometry import Array
from campose_core.text import quoted
from campose_core.trajectory import FARTHEST_NS, FARTHEST_S, NO_STAMP, Stamps, stamp_from_seconds, stamp_from_text

# A stamp that lies in the years 2000 to 2100 in this unit; smaller ones are seconds of a clock of their own.
EARLIEST_S, LATEST_S = 946_684_800, 4_102_444_800
LATEST_NS = LATEST_S * 10**9
EXPONENTS = {"s": 0, "ms": -3, "us": -6, "ns": -9}  # of ten: seconds
LONGEST_STAMP = 40  # letters: no decimal number of nanoseconds needs as many
POSE = ("x", "y", "z", "qx", "qy", "qz", "qw")
STAMP_NAME = re.compile(r"%?(?:stamp|timestamp|time|t|sec|secs|seconds)(?:_(s|ms|us|ns))?")
UNIT_NAME = re.compile(r"[\[(]\s*(s|sec|ms|us|ns|nsec)?[^\])]*[\])]\s*$")
PLACE_NAME = re.compile(r"(?:t|p|pos|position|p_rs_r|.*position)?_?([xyz])")
TURN_NAME = re.compile(r"(?:q|quat|quaternion|q_rs|rot|ori|orientation|.*orientation)_?([xyzw])")
LENGTH_NAME = re.compile(r"[\[(]\s*([^\])\s]+)\s*[\])]\s*$")
LENGTHS_M = {"m": 1.0, "cm": 0.01, "mm": 0.001}
NAMES_WANTED = f"one of stamp_ns and stamp_s, and {','.join(POSE)}"


class Row(NamedTuple):
    """A line's fields; open_end: a separator stands behind the last."""

    number: int
    text: str
    fields: list[str]
    open_end: bool = False


class Layout(NamedTuple):
    """Which fields are the stamp (None: rows count images) and x, y, z, qx, qy, qz, qw, and the unit of the stamp.

    unit: of EXPONENTS, or None where its size must tell. names: of the columns in the message about a wrong row.
    metres: how many one unit of length is.
    """

    stamp: int | None
    pose: tuple[int, ...]
    unit: str | None
    names: str
    metres: float = 1.0


TUM = Layout(0, (1, 2, 3, 4, 5, 6, 7), None, "stamp_s x y z qx qy qz qw")
# Quaternions with w first.
EUROC = Layout(0, (1, 2, 3, 5, 6, 7, 4), "ns", "stamp_ns,x,y,z,qw,qx,qy,qz")


def begin_of_rows(lines: Sequence[str]) -> tuple[list[str], int]:
    """Return the names in the first line that has some, `#` before it or not, and where the rows of numbers begin."""
    names: list[str] = []
    for index, line in enumerate(lines):
        body, _, comment = line.partition("#")
        if not body.strip():
            if _is_layout(_fields(comment)[0]):  # a comment that names no columns is one
                names = _fields(comment)[0]
            continue
        fields, _ = _fields(body)
        if names or are_numbers(fields):
            return names, index
        names = fields
    return names, len(lines)


def rows_from(lines: Sequence[str], begin: int) -> Iterator[Row]:
    """Yield the rows of lines, beginning with one of them; comments and empty lines are none."""
    for number, line in enumerate(lines[begin:], start=begin + 1):
        body, _, _ = line.partition("#")
        if body.strip():
            yield Row(number, line.strip(), *_fields(body))


def stamped_numbers(
    lines: Sequence[str], columns: int, stamp: int, wanted: Sequence[int], delimiter: str | None
) -> tuple[NDArray[np.str_], Array] | None:
    """Read at once a table whose lines all are numbers, with a stamp among them; None where a line is anything else.

    stamp: which of the columns. wanted: those to return. delimiter: None for blanks. Returns the texts of the stamps,
    which may be none, and the numbers (N, wanted).
    """
    if columns <= max(stamp, *wanted):
        return None
    kinds = [("before", "f8", (stamp,)), ("stamp", f"U{LONGEST_STAMP}"), ("after", "f8", (columns - stamp - 1,))]
    try:
        table = np.loadtxt(lines, kinds, comments=None, delimiter=delimiter, ndmin=1) if lines else np.empty(0, kinds)
    except ValueError:
        return None
    texts = np.ascontiguousarray(table["stamp"])
    cut_off = np.char.str_len(texts) == LONGEST_STAMP
    if len(table) != len(lines) or cut_off.any():  # or an empty line
        return None
    if min(wanted) > stamp:
        return texts, table["after"][:, np.subtract(wanted, stamp + 1)]
    others = np.hstack([table["before"], table["after"]])
    return texts, others[:, [column - (column > stamp) for column in wanted]]


def alike_stamps(texts: NDArray[np.str_], unit: str) -> Stamps | None:
    """Return nanoseconds of stamps that all have as many digits before the point and behind it; else None.

    The same as `stamp_ns`, for a file of a hundred thousand lines.
    """
    point, width = texts[0].find("."), len(texts[0])
    letters = texts.view(np.uint32).reshape(len(texts), -1)
    if letters[:, width:].any() or point == width - 1:
        return None
    if point >= 0:
        if (letters[:, point] != ord(".")).any():
            return None
        letters, width = np.delete(letters, point, axis=1), width - 1
    digits = letters[:, :width] - np.uint32(ord("0"))
    lowest = 9 + EXPONENTS[unit] - (width - point if point >= 0 else 0)  # of ten, of the last digit, in nanoseconds
    if not width or lowest < 0 or width + lowest > 19 or (digits > 9).any():
        return None
    stamps = digits.astype(np.uint64) @ np.uint64(10) ** np.arange(width + lowest - 1, lowest - 1, -1, dtype=np.uint64)
    return None if stamps.max() > FARTHEST_NS else stamps.astype(np.int64)


def whole_stamps(texts: NDArray[np.str_]) -> Stamps:
    """Return whole nanoseconds (N,) from their decimal texts.

    Raises:
        ValueError, ArithmeticError: one of them is no whole number, or no stamp (OverflowError).
    """
    alike = alike_stamps(texts, "ns") if len(texts) else None
    return np.array([stamp_from_text(text) for text in texts.tolist()], dtype=np.int64) if alike is None else alike


def are_numbers(fields: Sequence[str]) -> bool:
    """Tell whether a line holds numbers (NaN too) or nothing, and no names."""
    try:
        for _ in map(float, filter(None, fields)):
            pass
    except ValueError:
        return False
    return True


def _fields(line: str) -> tuple[list[str], bool]:
    """Return the fields of a line, apart by `;`, `,` or blanks, and whether a separator stands at its end."""
    line = line.strip()
    if "[" in line or "(" in line:
        line = re.sub(r"\s+([\[(])", r"\1", line)  # a unit belongs to its name
    if ";" in line:
        separated = [field.replace(",", ".") for field in line.split(";")]  # decimal commas
    elif "," in line:
        separated = line.split(",")
        if any(len(field.split()) > 1 and are_numbers(field.split()) for field in separated):
            return line.replace(",", " ").split(), False
    else:
        return line.split(), False
    fields = [field.strip().strip('"') for field in separated]
    open_end = fields[-1] == ""
    return fields[:-1] if open_end else fields, open_end


def _is_layout(names: Sequence[str]) -> bool:
    found = _columns(names)
    return bool(found[0]) and all(found[1].get(name) for name in POSE)


def _columns(names: Sequence[str]) -> tuple[list[tuple[int, str | None]], dict[str, list[int]]]:
    """Return the columns that are stamps, each with its unit, and those of each number of a pose."""
    stamps: list[tuple[int, str | None]] = []
    pose: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        unit = UNIT_NAME.search(name)
        plain = re.sub(r"[./\s]+", "_", re.sub(r"[\[(].*", "", name).strip().lstrip("#").strip().lower()).strip("_")
        if stamp := STAMP_NAME.fullmatch(plain):
            written = stamp[1] or (unit[1] if unit else None)
            stamps.append((i, {"sec": "s", "nsec": "ns"}.get(str(written), written)))
        elif turn := TURN_NAME.fullmatch(plain):
            pose.setdefault(f"q{turn[1]}", []).append(i)
        elif place := PLACE_NAME.fullmatch(plain):
            pose.setdefault(place[1], []).append(i)
    return stamps, pose


def named_layout(path: Path, names: Sequence[str]) -> Layout:
    """Return the layout that the first line names.

    Raises:
        TrajectoryError: a column is missing, or there are two of a kind; or another unit of length.
    """
    stamps, pose = _columns(names)
    twice = next((name for name in POSE if len(pose.get(name, [])) > 1), None)
    if len(stamps) != 1 or twice or not all(pose.get(name) for name in POSE):
        said = f"two columns may be {twice}" if twice else f"got `{quoted(names)}`"
        raise TrajectoryError(f"{path}: the first line must name the columns {NAMES_WANTED}; {said}")
    column, unit = stamps[0]
    if any(name.strip().lstrip("#").lower().startswith("p_rs_r") for name in names):
        unit = "ns"  # of EuRoC, also where the unit is left out
    columns = tuple(pose[name][0] for name in POSE)
    return Layout(column, columns, unit, NAMES_WANTED, _metres(path, [names[column] for column in columns[:3]]))


def _metres(path: Path, names: Sequence[str]) -> float:
    """Return the metres of the unit of length that stands behind the names of x, y and z; 1 where none does."""
    units = {unit[1].lower() if (unit := LENGTH_NAME.search(name)) else "m" for name in names}
    if len(units) > 1 or not units <= LENGTHS_M.keys():
        raise TrajectoryError(f"{path}: its lengths are in {quoted(sorted(units))}, and m, cm and mm are read")
    return LENGTHS_M[units.pop()]


def counted_layout(path: Path, lines: Sequence[str], begin: int) -> Layout:
    """Return the layout of rows without names, by the number of their fields and their separator.

    Raises:
        TrajectoryError: no program is known to write such rows, or two are, with another order of the quaternion.
    """
    first = next(rows_from(lines, begin))
    count, commas = len(first.fields), "," in first.text
    whole_ns = unit_of(first.fields[0]) == "ns"
    if commas and (count == 17 or (first.open_end and count in (8, 11))) and re.fullmatch(r"\d+", first.fields[0]):
        return EUROC  # of the data set, and of VINS-Mono and VINS-Fusion, which end each number with a comma
    if commas and count == 8 and whole_ns:
        raise TrajectoryError(
            f"{path}:{first.number}: is its quaternion x y z w or w x y z? Name the columns in a first line, as "
            "`stamp_ns,x,y,z,qw,qx,qy,qz`"
        )
    if count == 8:
        return TUM
    if count == 9 and _counts_up([row.fields[-1] for row in rows_from(lines, begin) if len(row.fields) == 9]):
        return TUM  # and the number of a node of RTAB-Map
    if count == 12 or (count == 16 and [float(field or "nan") for field in first.fields[12:]] == [0, 0, 0, 1]):
        return Layout(None, tuple(range(12)), None, "the 12 numbers of a 3x4 matrix")
    raise TrajectoryError(f"{path}:{first.number}: expected `{TUM.names}`, got {first.text[:200]!r}")


def _counts_up(texts: Sequence[str]) -> bool:
    return all(re.fullmatch(r"\d+", text) for text in texts) and sorted(set(map(int, texts))) == list(map(int, texts))


def unit_of(text: str) -> str:
    """Return the unit in which a stamp is a date of this century; seconds where it is none."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return "s"
    if number.is_nan():
        return "s"
    for unit in ("ns", "us", "ms"):
        if 0 < number < LATEST_NS and EARLIEST_S <= number.scaleb(EXPONENTS[unit]) < LATEST_S:
            return unit
    return "s"


def stamp_ns(text: str, unit: str, where: str) -> int:
    """Return nanoseconds from the decimal text of a stamp in a unit, exactly.

    Raises:
        TrajectoryError: it is no number, or no stamp.
    """
    said = "whole nanoseconds" if unit == "ns" else "seconds" if unit == "s" else unit
    try:
        if unit == "s":
            return stamp_from_seconds(text)
        if unit == "ns" and text.isdigit():
            return stamp_from_text(text)
        seconds = Decimal(text).scaleb(EXPONENTS[unit])
        if unit == "ns" and abs(seconds) <= FARTHEST_S and seconds != round(seconds, 9):
            raise InvalidOperation
        return stamp_from_seconds(str(seconds))
    except OverflowError as error:
        raise TrajectoryError(f"{where}: {error}") from error
    except NO_STAMP:
        raise TrajectoryError(f"{where}: the stamp must be in {said}, got {text[:40]!r}") from None
