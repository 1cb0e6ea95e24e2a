"""Tables of point pairs as people write them: by hand, or out of a spreadsheet of any country."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from campose_core.errors import CamposeError
from campose_core.files import read_text
from campose_core.text import quoted

SEPARATORS = (";", "\t", ",")


class PairRow(NamedTuple):
    """line: of the file, from 1 on. values: by the names of the columns, as written but for decimal commas."""

    line: int
    values: dict[str, str]


def read_pair_table(
    path: Path, error: type[CamposeError], forms: Sequence[tuple[str, ...]], meaning: str
) -> tuple[tuple[str, ...], list[PairRow]]:
    """Read the columns and rows of a table whose first line names them.

    Apart by `,`, `;` or tabs; with one of the latter numbers may have decimal commas. Blanks around values, empty
    lines, those that begin with `#`, other columns, the order of columns and capital letters in their names mean
    nothing.

    forms: the columns that a table may have. meaning: of these, for people.

    Raises:
        error: it cannot be read, has other columns, or a line has more or fewer values than there are columns.
    """
    lines = [(n, line) for n, line in enumerate(read_text(path, error).splitlines(), start=1) if line.strip()]
    lines = [(n, line) for n, line in lines if not line.lstrip().startswith("#")]
    first = lines[0][1] if lines else ""
    apart = next((separator for separator in SEPARATORS if separator in first), ",")
    named = _values(path, error, first, apart)
    names = [name.lower() for name in named]
    form = next((form for form in forms if all(names.count(name) == 1 for name in form)), None)
    if form is None:
        raise error(f"{path}: the columns must be {meaning}; got `{quoted(named)}`")
    rows = []
    for number, line in lines[1:]:
        values = _values(path, error, line, apart)
        if len(values) != len(names):
            raise error(
                f"{path}:{number}: has {len(values)} values, and the first line names {len(names)} columns: "
                f"{quoted(values)} (decimals with a point, or columns apart by `;`)"
            )
        row = dict(zip(names, values, strict=True))
        if apart != ",":
            row |= {name: row[name].replace(",", ".") for name in form if name != "name"}
        rows.append(PairRow(number, row))
    return form, rows


def _values(path: Path, error: type[CamposeError], line: str, apart: str) -> list[str]:
    try:
        return [value.strip() for value in next(csv.reader([line], delimiter=apart, skipinitialspace=True), [])]
    except csv.Error as fault:
        raise error(f"{path}: cannot be read: {fault}") from fault
