"""Rows of a text file that are stamped poses: separators, columns and units told apart, nothing guessed.

A file names its columns in its first line, or is of a program whose columns are known by their number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.errors import TrajectoryError
from campose_core.formats.row_stamps import unit_of
from campose_core.geometry import Array
from campose_core.text import quoted

LONGEST_STAMP = 40  # letters: no decimal number of nanoseconds needs as many
POSE = ("x", "y", "z", "qx", "qy", "qz", "qw")
STAMP_NAME = re.compile(r"(?:stamp|timestamp|time|t|sec|secs|seconds)(?:_(s|ms|us|ns))?")
# The header's own stamp beside the time of receipt; and one in two columns, seconds and nanoseconds, as ROS has it.
HEADER_STAMP_NAME = re.compile(r"(?:.*_)?header_stamp(?:_(s|ms|us|ns))?")
SECONDS_NAME = re.compile(r"((?:.*_)?(?:stamp|timestamp|time)_)?(?:sec|secs|seconds)")
NANOSECONDS_NAME = re.compile(r"((?:.*_)?(?:stamp|timestamp|time)_)?(?:nsec|nsecs|nanosec|nanosecs|nanoseconds)")
UNIT_NAME = re.compile(r"[\[(]\s*(s|sec|ms|us|ns|nsec)?[^\])]*[\])]\s*$")
PLACE_NAME = re.compile(r"(?:t|p|pos|position|p_rs_r|.*position|.*translation)?_?([xyz])")
TURN_NAME = re.compile(r"(?:q|quat|quaternion|q_rs|rot|ori|orientation|.*orientation|.*rotation)_?([xyzw])")
LENGTH_NAME = re.compile(r"[\[(]\s*([^\])\s]+)\s*[\])]\s*$")
LENGTHS_M = {"m": 1.0, "cm": 0.01, "mm": 0.001}
# `#` begins a comment, but not in -1.#IND, which Microsoft's compilers wrote for NaN; so do % and // a line.
COMMENT = re.compile(r"^\s*(?:%|//)|(?<!1\.)#|#(?!IND|QNAN|SNAN|INF)", re.IGNORECASE)
NO_NUMBER = re.compile(r"[-+]?(?:nan(?:\(\w*\))?|1\.#\w+)", re.IGNORECASE)
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
    metres: how many one unit of length is. nanoseconds: the field with the rest of a stamp in whole seconds.
    """

    stamp: int | None
    pose: tuple[int, ...]
    unit: str | None
    names: str
    metres: float = 1.0
    nanoseconds: int | None = None


TUM = Layout(0, (1, 2, 3, 4, 5, 6, 7), None, "stamp_s x y z qx qy qz qw")
# Quaternions with w first.
EUROC = Layout(0, (1, 2, 3, 5, 6, 7, 4), "ns", "stamp_ns,x,y,z,qw,qx,qy,qz")
MATRICES = Layout(None, tuple(range(12)), None, "the 12 numbers of a 3x4 matrix")
StampColumn = tuple[int, str | None, int | None]  # with its unit, and the column of its nanoseconds
UNSEEN = "without a pose"  # rows that are left out, as it is said
COLUMNS_OF_OPENVINS = 20  # with twelve of two covariances: open_vins ov_eval/src/utils/Loader.cpp


def begin_of_rows(lines: Sequence[str]) -> tuple[list[str], int]:
    """Return the names in the first line that has some, `#` before it or not, and where the rows of numbers begin."""
    names: list[str] = []
    commented: list[str] = []
    for index, line in enumerate(lines):
        body, comment = _parts(line)
        if not body.strip():
            said = _fields(comment)[0]
            if _is_layout(said):  # a comment that names no columns is one
                names = said
            elif said and STAMP_NAME.fullmatch(_plain(said[0])):
                commented = said
            continue
        fields, _ = _fields(body)
        if not names and len(commented) == len(fields):
            names = commented  # of columns, which are others
        if names or are_numbers(fields):
            return names, index
        names = fields
    return names, len(lines)


def rows_from(lines: Sequence[str], begin: int) -> Iterator[Row]:
    """Yield the rows of lines, beginning with one of them; comments and empty lines are none."""
    for number, line in enumerate(lines[begin:], start=begin + 1):
        body, _ = _parts(line)
        if body.strip():
            yield Row(number, line.strip(), *_fields(body))


def _parts(line: str) -> tuple[str, str]:
    """Return what stands before a comment, and the comment."""
    found = COMMENT.search(line)
    return (line, "") if found is None else (line[: found.start()], line[found.end() :])


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


def are_numbers(fields: Sequence[str]) -> bool:
    """Tell whether a line holds numbers (NaN too) or nothing, and no names."""
    try:
        for _ in map(value_of, fields):
            pass
    except ValueError:
        return False
    return True


def value_of(text: str) -> float:
    """Return a number; NaN, in whatever spelling, where there is none.

    Raises:
        ValueError: the text is anything else.
    """
    plain = text.strip()
    return math.nan if not plain or NO_NUMBER.fullmatch(plain) else float(plain)


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
    pose = _pose_columns(names)
    return bool(_stamp_columns(names)) and all(pose.get(name) for name in POSE)


def _plain(name: str) -> str:
    """Return the name of a column without its unit, in small letters, its parts apart by `_`."""
    return re.sub(r"[./\s]+", "_", re.sub(r"[\[(].*", "", name).strip().lstrip("#").strip().lower()).strip("_")


def _stamp_columns(names: Sequence[str]) -> list[StampColumn]:
    """Return the columns that may be the stamp, each with its unit, and with that of its nanoseconds.

    Those of a header come before all others, which are times of receipt beside them.
    """
    plain = [_plain(name) for name in names]
    rests = {found[1]: i for i, name in enumerate(plain) if (found := NANOSECONDS_NAME.fullmatch(name))}
    pairs: list[StampColumn] = [
        (i, "s", rests[found[1]])
        for i, name in enumerate(plain)
        if (found := SECONDS_NAME.fullmatch(name)) and found[1] in rests
    ]

    def named(kind: re.Pattern[str]) -> list[StampColumn]:
        found = ((i, kind.fullmatch(name)) for i, name in enumerate(plain))
        return [(i, _unit(names[i], match[1]), None) for i, match in found if match]

    in_headers = [pair for pair in pairs if "header" in plain[pair[0]]]
    return in_headers or named(HEADER_STAMP_NAME) or pairs or named(STAMP_NAME)


def _unit(name: str, written: str | None) -> str | None:
    """Return the unit of a stamp by its name, where that says one. written: behind the name."""
    found = UNIT_NAME.search(name)
    said = written or (found[1] if found else None)
    return {"sec": "s", "nsec": "ns"}.get(str(said), said)


def _pose_columns(names: Sequence[str]) -> dict[str, list[int]]:
    """Return the columns of each number of a pose."""
    pose: dict[str, list[int]] = {}
    for i, name in enumerate(map(_plain, names)):
        if turn := TURN_NAME.fullmatch(name):
            pose.setdefault(f"q{turn[1]}", []).append(i)
        elif place := PLACE_NAME.fullmatch(name):
            pose.setdefault(place[1], []).append(i)
    return pose


def named_layout(path: Path, names: Sequence[str]) -> Layout:
    """Return the layout that the first line names.

    Raises:
        TrajectoryError: a column is missing, or there are two of a kind; or another unit of length.
    """
    stamps, pose = _stamp_columns(names), _pose_columns(names)
    if len(names) == len(MATRICES.pose) and not stamps and not all(pose.get(name) for name in POSE):
        return MATRICES
    twice = next((name for name in POSE if len(pose.get(name, [])) > 1), None)
    if len(stamps) != 1 or twice or not all(pose.get(name) for name in POSE):
        said = f"two columns may be {twice}" if twice else f"got `{quoted(names)}`"
        raise TrajectoryError(f"{path}: the first line must name the columns {NAMES_WANTED}; {said}")
    column, unit, nanoseconds = stamps[0]
    if any(name.strip().lstrip("#").lower().startswith("p_rs_r") for name in names):
        unit = "ns"  # of EuRoC, also where the unit is left out
    columns = tuple(pose[name][0] for name in POSE)
    metres = _metres(path, [names[column] for column in columns[:3]])
    return Layout(column, columns, unit, NAMES_WANTED, metres, nanoseconds)


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
    count, separated = len(first.fields), re.search("[,;]", first.text) is not None
    whole_ns = unit_of(first.fields[0]) == "ns"
    if separated and (count == 17 or (first.open_end and count in (8, 11))) and re.fullmatch(r"\d+", first.fields[0]):
        return EUROC  # of the data set, and of VINS-Mono and VINS-Fusion, which end each number with a comma
    if separated and count in (8, 11) and whole_ns:
        raise TrajectoryError(
            f"{path}:{first.number}: is its quaternion x y z w or w x y z? Name the columns in a first line, as "
            "`stamp_ns,x,y,z,qw,qx,qy,qz`"
        )
    if count in (8, COLUMNS_OF_OPENVINS):
        return TUM
    if count == 9 and _counts_up(lines, begin):
        return TUM  # and the number of a node of RTAB-Map
    if count == 12 or (count == 16 and [value_of(field) for field in first.fields[12:]] == [0, 0, 0, 1]):
        return MATRICES
    raise TrajectoryError(f"{path}:{first.number}: expected `{TUM.names}`, got {first.text[:200]!r}")


def _counts_up(lines: Sequence[str], begin: int) -> bool:
    """Tell whether the last of nine numbers counts up; of lines that are repeated once."""
    texts = dict.fromkeys(row.text for row in rows_from(lines, begin) if len(row.fields) == 9)
    last = [re.split(r"[\s,;]+", text.strip(" \t,;"))[-1] for text in texts]
    return all(re.fullmatch(r"\d+", text) for text in last) and sorted(set(map(int, last))) == list(map(int, last))
