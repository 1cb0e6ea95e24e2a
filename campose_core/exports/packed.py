"""A packed export: a zip file as apps share it, which a .r3d file of Record3D is too.

It is unpacked into a temporary folder that goes with what was read from it. Names and sizes are looked at before, as
anybody may have made the file.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import struct
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import gettempdir, mkdtemp

from campose_core.errors import CaptureError
from campose_core.text import one_line

SUFFIXES = {".zip", ".r3d"}
OTHERS = (".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".7z", ".rar")
NEVER_READ = {".exr", ".depth", ".conf", ".ply", ".obj", ".glb", ".usdz"}  # depth and surfaces: most of an export
PREFIX = "campose-unpacked-"
# Images and videos hardly shrink; tables and JSON by ten.
MAX_RATIO, FREE = 200, 2**30
MAX_FILES = 1_000_000
MAX_NAME = 255  # bytes of one part of a path, NAME_MAX of Linux
MAX_PATH, MAX_PARTS = 2048, 64  # half of PATH_MAX is left to the folder around it; exports have four folders
ENCRYPTED = 0x1
# What zipfile raises on a file that is none.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, IndexError, struct.error)
TORN = "this zip file is damaged or cut off: copy or export it anew"
READ_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


def is_packed(path: Path) -> bool:
    """Tell by its name whether a path is an archive, be it of a kind that is not read."""
    return path.is_file() and (path.suffix.lower() in SUFFIXES or path.name.lower().endswith(OTHERS))


class Unpacked:
    """What an archive holds, in a temporary folder that is gone when nothing uses this any more.

    folder: named as the archive, and in a folder of its own. What a process that was killed has left is removed by the
    next.

    Raises:
        CaptureError: of another kind, damaged, locked, larger than its place, or with names that lead out of it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if path.suffix.lower() not in SUFFIXES:
            raise CaptureError(f"{path}: only zip files are unpacked here: {by_hand(path)}")
        try:
            with zipfile.ZipFile(path) as archive:
                members = list(_members(path, archive))
                _remove_leftovers()
                place = Path(mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
                weakref.finalize(self, shutil.rmtree, place, ignore_errors=True)
                self.folder = place / path.name
                self.folder.mkdir()  # there may be no file to put into it
                for name, info in members:
                    target = self.folder / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(info) as packed, target.open("xb") as file:
                        shutil.copyfileobj(packed, file, 2**20)
        except DAMAGED as error:
            raise CaptureError(f"{path}: {TORN}") from error
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise CaptureError(f"{path}: two of its files have one name: {by_hand(path)}") from error
        except OSError as error:
            if error.errno != errno.EINVAL:  # of a place in the file before its start
                raise
            raise CaptureError(f"{path}: {TORN}") from error

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Let what is refused within the block name files as they are called in the archive."""
        try:
            yield
        except CaptureError as error:
            raise CaptureError(str(error).replace(one_line(str(self.folder)), str(self._path))) from error


def by_hand(path: Path) -> str:
    """Return what a message tells to do with an archive; it ends with the folder."""
    kind = path.suffix.lower()
    typed = f"unzip {path} -d {path.with_suffix('')}" if kind in SUFFIXES else f"tar -xf {path}"
    if kind in (".7z", ".rar"):
        typed = f"7z x {path}"
    return f"unpack it with `{typed}`, and give the folder"


def _members(path: Path, archive: zipfile.ZipFile) -> Iterator[tuple[PurePosixPath, zipfile.ZipInfo]]:
    """Yield the files that a reader may ask for, with their checked names.

    Raises:
        CaptureError: one cannot be read or placed, or all together are too large.
    """
    infos = [info for info in archive.infolist() if not info.filename.endswith(("/", "\\"))]
    chosen = [(_name(path, info), info) for info in infos]
    chosen = [(name, info) for name, info in chosen if _may_be_read(name)]
    if len(chosen) > MAX_FILES:
        raise CaptureError(f"{path}: holds {len(chosen)} files, more than {MAX_FILES}: {by_hand(path)}")
    size = sum(info.file_size for _, info in chosen)
    if size > FREE + MAX_RATIO * path.stat().st_size:
        raise CaptureError(f"{path}: unpacks to more than {MAX_RATIO} times its size: if it is sound, {by_hand(path)}")
    left = shutil.disk_usage(gettempdir()).free
    if size > left:
        raise CaptureError(
            f"{path}: unpacks to {size / 1e9:.1f} GB, and {gettempdir()} has {left / 1e9:.1f} GB left: "
            "set TMPDIR to a folder with more room, or unpack it by hand and give the folder"
        )
    for name, info in chosen:
        if info.flag_bits & ENCRYPTED:
            raise CaptureError(f"{path}: {name} is locked by a password: {by_hand(path)}")
        if info.compress_type not in READ_METHODS:
            raise CaptureError(f"{path}: {name} is packed in a way that is not read: {by_hand(path)}")
        yield name, info


def _name(path: Path, info: zipfile.ZipInfo) -> PurePosixPath:
    # Some programs of Windows write its separator into zip files.
    text = info.filename.replace("\\", "/")
    name = PurePosixPath(text)
    shown = info.filename[:200]
    if name.is_absolute() or ".." in name.parts or re.match("[A-Za-z]:", text) or not name.parts:
        raise CaptureError(f"{path}: its file {shown!r} leads out of the archive: nothing of it is read")
    lengths = [len(part.encode(errors="replace")) for part in name.parts]
    if max(lengths) > MAX_NAME or sum(lengths) + len(lengths) > MAX_PATH or len(lengths) > MAX_PARTS:
        raise CaptureError(f"{path}: the name of its file {shown!r} is too long: export once more")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise CaptureError(f"{path}: its file {shown!r} is a link: {by_hand(path)}")
    return name


def _may_be_read(name: PurePosixPath) -> bool:
    hidden = "__MACOSX" in name.parts or name.name.startswith(".")  # what macOS adds
    return not hidden and name.suffix.lower() not in NEVER_READ


def _remove_leftovers() -> None:
    """Remove what processes that are gone have left."""
    for left in Path(gettempdir()).glob(f"{PREFIX}*-*"):
        pid = left.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(left, ignore_errors=True)
