"""Exports and data sets: images that know where they were taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from campose_core.errors import CaptureError
from campose_core.exports import (
    cambridge,
    colmap_model,
    euroc,
    nerfstudio,
    polycam,
    record3d,
    seven_scenes,
    stray_scanner,
    tum_rgbd,
    twelve_scenes,
)
from campose_core.exports.export import Export
from campose_core.formats.catalogue import Format

TYPED = "`campose build EXPORT`, `--reference EXPORT`, `localize`, `evaluate`"


@dataclass(frozen=True)
class ExportKind:
    """One kind of export.

    program: what writes it, as people call it. recognizes: whether a path is one, by its names alone. read: the pure
    reader. form: its files. brings: of stamps, intrinsics, poses, metres. note: conventions, and what is left out.
    """

    program: str
    recognizes: Callable[[Path], bool]
    read: Callable[[Path], Export]
    form: str
    brings: tuple[str, ...]
    note: str


EXPORTS = tuple(
    ExportKind(module.PROGRAM, module.recognizes, module.read, module.FORM, module.BRINGS, module.NOTE)
    for module in (
        stray_scanner, record3d, polycam, nerfstudio, tum_rgbd, euroc, seven_scenes, twelve_scenes, cambridge,
    )
)  # fmt: skip
COLMAP = "`campose build --colmap MODEL --images DIR`"
FORMATS = (
    *(Format(kind.form, kind.program, TYPED, kind.brings, kind.note) for kind in EXPORTS),
    Format(colmap_model.FORM, colmap_model.PROGRAM, COLMAP, colmap_model.BRINGS, colmap_model.NOTE),
)
PACKED = {".zip", ".r3d"}


def kind_of_export(path: Path) -> ExportKind | None:
    """Return the kind of export that a path is; None where it is none of them."""
    return next((kind for kind in EXPORTS if kind.recognizes(path)), None)


def is_export(path: Path) -> bool:
    """Tell whether a path is an export, or a packed one, by names alone."""
    return (path.is_file() and path.suffix.lower() in PACKED) or kind_of_export(path) is not None


def read_export(path: Path) -> Export:
    """Read an export of any kind.

    Raises:
        CaptureError: it is none, packed, damaged, or of another version; the message names the file and the remedy.
    """
    if path.is_file() and path.suffix.lower() in PACKED:
        raise CaptureError(f"{path}: is packed: give the folder that `unzip {path} -d {path.with_suffix('')}` makes")
    kind = kind_of_export(path)
    if kind is None:
        raise CaptureError(f"{path}: no export of {', '.join(kind.program for kind in EXPORTS)}")
    return kind.read(path)
