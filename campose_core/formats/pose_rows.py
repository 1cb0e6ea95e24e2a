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
from campose_core.formats.column_names import (
    MATRICES,
    Layout,
    is_layout,
    names_in_comment,
    refuse_others,
    refuse_w_first,
)
from campose_core.formats.row_stamps import unit_of
from campose_core.geometry import Array

LONGEST_STAMP = 40  # letters: no decimal number of nanoseconds needs as many
# `#` begins a comment, but not in -1.#IND, which Microsoft's compilers wrote for NaN; so do % and // a line.
COMMENT = re.compile(r"^\s*(?:%|//)|(?<!1\.)#|#(?!IND|QNAN|SNAN|INF)", re.IGNORECASE)
NO_NUMBER = re.compile(r"[-+]?(?:nan(?:\(\w*\))?|1\.#\w+)", re.IGNORECASE)


class Row(NamedTuple):
    """A line's fields; open_end: a separator stands behind the last."""

    number: int
    text: str
    fields: list[str]
    open_end: bool = False


TUM = Layout(0, (1, 2, 3, 4, 5, 6, 7), None, "stamp_s x y z qx qy qz qw")
# Quaternions with w first.
EUROC = Layout(0, (1, 2, 3, 5, 6, 7, 4), "ns", "stamp_ns,x,y,z,qw,qx,qy,qz")
UNSEEN = "without a pose"  # rows that are left out, as it is said
COLUMNS_OF_OPENVINS = 20  # with twelve of two covariances: open_vins ov_eval/src/utils/Loader.cpp


def begin_of_rows(path: Path, lines: Sequence[str]) -> tuple[list[str], int]:
    """Return the names of the columns, of the first line or of a comment, and where the rows of numbers begin.

    A comment counts where it names as many columns as there are, or has those of a pose before other words.

    Raises:
        TrajectoryError: a comment says that these are poses of another kind.
    """
    comments: list[str] = []
    names: list[str] = []
    for index, line in enumerate(lines):
        body, comment = _parts(line)
        if not body.strip():
            comments.append(comment)
            continue
        if names:
            return names, index
        refuse_others(path, comments)
        names = fields = _fields(body)[0]
        if not is_layout(fields):
            named = (names_in_comment(said, lambda text: _fields(text)[0], len(fields)) for said in reversed(comments))
            if (of_comment := next(filter(None, named), [])) or are_numbers(fields):
                return of_comment, index
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
    if count in (8, COLUMNS_OF_OPENVINS) or (count == 9 and _counts_up(lines, begin)):  # the id of RTAB-Map's nodes
        refuse_w_first(path, [_parts(line)[1] for line in lines[:begin]])
        return TUM
    if count == 12 or (count == 16 and [value_of(field) for field in first.fields[12:]] == [0, 0, 0, 1]):
        return MATRICES
    raise TrajectoryError(f"{path}:{first.number}: expected `{TUM.names}`, got {first.text[:200]!r}")


def _counts_up(lines: Sequence[str], begin: int) -> bool:
    """Tell whether the last of nine numbers counts up; of lines that are repeated once."""
    texts = dict.fromkeys(row.text for row in rows_from(lines, begin) if len(row.fields) == 9)
    last = [re.split(r"[\s,;]+", text.strip(" \t,;"))[-1] for text in texts]
    return all(re.fullmatch(r"\d+", text) for text in last) and sorted(set(map(int, last))) == list(map(int, last))
