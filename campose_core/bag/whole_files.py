"""Files of bags as their readers need them: unpacked, and with what a recorder left in the log of its database.

What a file is, its first bytes say; its name where these say nothing. A recording is never changed: what has to be
written goes to a copy that is gone when the bag is closed.
"""

from __future__ import annotations

import logging
import re
import shutil
import sqlite3
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from campose_core.bag.decompression import open_packed, zstd_module
from campose_core.bag.salvage import MCAP_MAGIC, ROS1_MAGIC
from campose_core.errors import CaptureError

log = logging.getLogger(__name__)

ROS1, MCAP, DATABASE = ".bag", ".mcap", ".db3"
MAGICS = {ROS1_MAGIC: ROS1, MCAP_MAGIC: MCAP, b"SQLite format 3\0": DATABASE}
UNFINISHED = ".bag.active"  # as rosbag record calls a file until it ends
PACKED = (".zstd", ".zst")
# Of packers that a bag is not read through, by what undoes them.
UNPACKERS = {".gz": "gunzip -k", ".bz2": "bunzip2 -k", ".xz": "unxz -k", ".lz4": "unlz4 -k"}
METADATA, METADATA_KEY = "metadata.yaml", "rosbag2_bagfile_information"


def is_file_of_bag(path: Path) -> bool:
    """Tell whether a file looks like a bag, by its name or its first bytes.

    So does what belongs to one and is refused with what to give instead, see `whole_file`.
    """
    if is_data_file(path) or (path.suffix in UNPACKERS and is_data_file(path.with_suffix(""))):
        return True
    kind = _kind_by_bytes(path)
    return _is_database_of_bag(path) if kind == DATABASE else bool(kind) or _is_metadata(path)


def is_data_file(path: Path) -> bool:
    """Tell by its name whether a file holds the messages of a bag, be it packed."""
    return unpacked_name(path).lower().endswith((ROS1, UNFINISHED, MCAP, DATABASE))


def data_files(folder: Path) -> list[Path]:
    """Return the files of a bag's folder that hold messages, in the order of their names (bag_2 before bag_10).

    Of a packed one and the file it was made of the latter: its recorder was killed before it removed that. Hidden ones
    are of macOS (`._bag_0.mcap`, on disks of other systems).
    """
    files = [file for file in folder.iterdir() if is_data_file(file) and not file.is_dir() and file.name[0] != "."]
    whole = [file for file in files if file.suffix not in PACKED or file.with_suffix("") not in files]
    return sorted(whole, key=lambda file: [int(p) if p.isdecimal() else p for p in re.split(r"(\d+)", file.name)])


def kind_of(path: Path) -> str:
    """Return ROS1, MCAP or DATABASE for an unpacked file: by its first bytes, else its suffix."""
    return _kind_by_bytes(path) or path.suffix


@cache
def say_once(line: str) -> None:
    """Log a line; a bag is opened several times."""
    log.info(line)


def has_log(path: Path) -> bool:
    """Tell whether messages of a database are still in its log: its recorder was killed, or has not ended yet."""
    log_file = _log_file(path)
    return log_file.is_file() and log_file.stat().st_size > 0


def whole_file(path: Path, stack: ExitStack) -> Path:
    """Return a file that holds all of a bag's file: itself, or a copy for as long as `stack` is open.

    Raises:
        CaptureError: it is damaged, unpacks to more than a recording does, is packed by another packer, or is the
            metadata of a bag. OSError: no place for the copy.
    """
    if _is_metadata(path):
        raise CaptureError(f"{path}: tells which files a bag has, and holds none of it: give its folder {path.parent}")
    if path.suffix in UNPACKERS and not _kind_by_bytes(path):
        unpacker = f"{UNPACKERS[path.suffix]} {path}"
        raise CaptureError(f"{path}: is packed: unpack it with `{unpacker}`, and give {path.with_suffix('')}")
    if path.suffix in PACKED:
        copy = _folder(stack) / unpacked_name(path)
        try:
            with path.open("rb") as packed, open_packed(packed) as content, copy.open("wb") as unpacked:
                shutil.copyfileobj(content, unpacked)
        except (zstd_module().ZstdError, EOFError) as error:
            raise CaptureError(f"{path}: its compression is damaged or cut off: copy the file anew") from error
        return copy
    if not has_log(path):
        return path
    copy = _folder(stack) / path.name
    for file in (path, _log_file(path)):
        shutil.copyfile(file, copy.with_name(file.name))
    try:
        connection = sqlite3.connect(copy)
        try:
            connection.execute("pragma wal_checkpoint(truncate)")
        finally:
            connection.close()
    except sqlite3.DatabaseError:
        return path  # whose own fault its reader names
    say_once(f"{path}: with what its recorder left in {_log_file(path).name}")
    return copy


def as_named(path: Path, stack: ExitStack) -> Path:
    """Return the file under a name that ends as its kind does, by which rosbags goes, while `stack` is open."""
    kind = kind_of(path)
    if path.suffix == kind:
        return path
    link = _folder(stack) / f"{path.name}{kind}"
    link.symlink_to(path.resolve())
    return link


def unpacked_name(path: Path) -> str:
    """Return the name that a file has once it is unpacked."""
    return path.stem if path.suffix in PACKED else path.name


def _kind_by_bytes(path: Path) -> str:
    """Empty where they say nothing."""
    first = _first_bytes(path, 16)
    return next((kind for magic, kind in MAGICS.items() if first.startswith(magic)), "")


def _first_bytes(path: Path, count: int) -> bytes:
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(count)


def _is_database_of_bag(path: Path) -> bool:
    """Whether a database has the tables of rosbag2: other programs keep other things in theirs."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?immutable=1", uri=True)) as connection:
            tables = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
    except sqlite3.Error:
        return False
    return {"topics", "messages"} <= tables


def _is_metadata(path: Path) -> bool:
    return path.name == METADATA and METADATA_KEY.encode() in _first_bytes(path, 4096)


def _log_file(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _folder(stack: ExitStack) -> Path:
    return Path(stack.enter_context(TemporaryDirectory(prefix="campose-bag-")))
