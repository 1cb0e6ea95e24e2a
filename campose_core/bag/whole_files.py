"""Files of ROS 2 bags as their readers need them: unpacked, and with what a recorder left in the log of its database.

A recording is never changed: what has to be written goes to a copy that is gone when the bag is closed.
"""

from __future__ import annotations

import logging
import re
import shutil
import sqlite3
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from campose_core.bag.decompression import open_packed, zstd_module
from campose_core.errors import CaptureError

log = logging.getLogger(__name__)

DATA_SUFFIXES = (".mcap", ".db3")
PACKED = ".zstd"
SAID: set[Path] = set()


def is_data_file(path: Path) -> bool:
    """Tell by its name whether a file holds the messages of a ROS 2 bag, be it packed."""
    return _unpacked_name(path).endswith(DATA_SUFFIXES)


def data_files(folder: Path) -> list[Path]:
    """Return the .mcap and .db3 files of a ROS 2 bag folder, in the order they were recorded (bag_2 before bag_10).

    Of a packed one and the file it was made of the latter: its recorder was killed before it removed that.
    """
    files = [file for file in folder.iterdir() if is_data_file(file)]
    whole = [file for file in files if file.suffix != PACKED or file.with_suffix("") not in files]
    return sorted(whole, key=lambda file: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", file.name)])


def has_log(path: Path) -> bool:
    """Tell whether messages of a database are still in its log: its recorder was killed, or has not ended yet."""
    log_file = _log_file(path)
    return path.suffix == ".db3" and log_file.is_file() and log_file.stat().st_size > 0


def whole_file(path: Path, stack: ExitStack) -> Path:
    """Return a file that holds all of a bag's file: itself, or a copy for as long as `stack` is open.

    Raises:
        CaptureError: it is damaged, or unpacks to more than a recording does. OSError: no place for the copy.
    """
    if path.suffix == PACKED:
        copy = _folder(stack) / _unpacked_name(path)
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
    if path not in SAID:  # a bag is opened several times
        SAID.add(path)
        log.info(f"{path}: with what its recorder left in {_log_file(path).name}")
    return copy


def _log_file(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _unpacked_name(path: Path) -> str:
    return path.name.removesuffix(PACKED)


def _folder(stack: ExitStack) -> Path:
    return Path(stack.enter_context(TemporaryDirectory(prefix="campose-bag-")))
