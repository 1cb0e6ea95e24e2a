"""What is read, row by row, each beside its reader; docs/formats_page.py makes docs/formats.md of it."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

# Each has a tuple `FORMATS`; a module that reads another kind of file is named here.
READERS = (
    "campose_core.formats.recordings",
    "campose_core.formats.cameras",
    "campose_core.formats.trajectories",
    "campose_core.exports.table",
)
BRINGS = ("stamps", "intrinsics", "poses", "metres")


class Format(NamedTuple):
    """A kind of file.

    form: what it is called. program: who writes it. typed: how it is given. brings: of `BRINGS`. note: conventions
    that were checked, and what is left out.
    """

    form: str
    program: str
    typed: str
    brings: tuple[str, ...]
    note: str = ""


def formats() -> dict[str, tuple[Format, ...]]:
    """Return the formats of each reader by the title of its section: the first line of its module's docstring."""
    modules = [import_module(name) for name in READERS]
    return {(module.__doc__ or "").splitlines()[0].rstrip("."): module.FORMATS for module in modules}
