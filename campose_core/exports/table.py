"""Exports and data sets: images that know where they were taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
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
from campose_core.exports.packed import Unpacked, by_hand, is_packed
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
KINDS = ", ".join(kind.program for kind in EXPORTS)
DEEPEST = 3  # levels of folders in an archive: itself, the scan's, and what some programs put around that
COLMAP = "`campose build --colmap MODEL --images DIR`"
FORMATS = (
    *(Format(kind.form, kind.program, TYPED, kind.brings, kind.note) for kind in EXPORTS),
    Format(colmap_model.FORM, colmap_model.PROGRAM, COLMAP, colmap_model.BRINGS, colmap_model.NOTE),
)


def kind_of_export(path: Path) -> ExportKind | None:
    """Return the kind of export that a path is; None where it is none of them."""
    return next((kind for kind in EXPORTS if kind.recognizes(path)), None)


def is_export(path: Path) -> bool:
    """Tell whether a path is an export, or an archive that may hold one, by names alone."""
    return is_packed(path) or kind_of_export(path) is not None


def read_export(path: Path) -> Export:
    """Read an export of any kind, also a packed one.

    Raises:
        CaptureError: it is none, damaged, or of another version; the message names the file and the remedy.
    """
    if is_packed(path):
        return _read_packed(path)
    kind = kind_of_export(path)
    if kind is None:
        raise CaptureError(f"{path}: no export of {KINDS}")
    return kind.read(path)


def _read_packed(path: Path) -> Export:
    unpacked = Unpacked(path)
    level = [unpacked.folder]
    for _ in range(DEEPEST):
        found = [folder for folder in level if kind_of_export(folder) is not None]
        if len(found) > 1:
            names = ", ".join(str(folder.relative_to(unpacked.folder)) for folder in sorted(found)[:4])
            raise CaptureError(f"{path}: holds {len(found)} exports ({names}): {by_hand(path)} of one of them")
        if found:
            with unpacked.naming():
                export = read_export(found[0])
            world = export.world or (path.stem if found[0] == unpacked.folder else found[0].name)
            return replace(export, path=path, world=world, unpacked=unpacked)
        level = [folder for outer in level for folder in outer.iterdir() if folder.is_dir()]
    raise CaptureError(f"{path}: holds no export of {KINDS}: {by_hand(path)} of its images")
