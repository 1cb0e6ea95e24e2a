"""One writer of a scene at a time, by a lock that ends with its process however that ends.

SCENE/.lock is there while a step writes; it says who that is and since when. Who only reads asks for no lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from socket import gethostname

from campose_core.errors import SceneError

FILE = ".lock"
_held = threading.local()  # .folders: those that this thread has locked, in which a step may call another


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a scene folder for the block; the folder is made where it is not there.

    Raises:
        SceneError: another process holds it, or the folder cannot be written to.
    """
    key = folder.resolve()
    held: set[Path] = _held.__dict__.setdefault("folders", set())
    if key in held:
        yield
        return
    new_folders = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _lock(folder)
    except OSError as error:
        raise SceneError(f"{folder} cannot be written to: {error.strerror}") from error
    held.add(key)
    try:
        yield
    finally:
        held.remove(key)
        (folder / FILE).unlink(missing_ok=True)
        os.close(file)
        for one in new_folders:  # of a first step that came to nothing
            with contextlib.suppress(OSError):
                one.rmdir()


def _lock(folder: Path) -> int:
    path = folder / FILE
    while True:
        # Not through a link, and without waiting for whoever might write to a pipe.
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise SceneError(f"{path} is no file: remove it")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SceneError(f"{folder} is being written by {_holder(file)}") from None
            if _is_ours(file, path):
                note = {"pid": os.getpid(), "host": gethostname(), "command": _command(), "since": _now()}
                os.truncate(file, 0)
                os.pwrite(file, json.dumps(note).encode(), 0)
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _is_ours(file: int, path: Path) -> bool:
    """Tell whether the locked file is still the one at `path`: the holder of before removes it as it ends."""
    ours = os.fstat(file)
    if ours.st_nlink > 1:  # a scene that was copied by hard links has a lock of its own
        path.unlink(missing_ok=True)
        return False
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def _holder(file: int) -> str:
    """Who holds the lock, since when, and what to do, by the note in it."""
    try:
        note = json.loads(os.pread(file, 4096, 0))
        pid, host, command, since = int(note["pid"]), str(note["host"]), str(note["command"]), str(note["since"])
    except (ValueError, KeyError, TypeError):
        return "another process: wait until it ends"
    there = "" if host == gethostname() else f" on {_printable(host)}"
    who = f"process {pid}{there} (`{_printable(command)}`, since {_printable(since)})"
    return f"{who}: wait until it ends, or end it (`kill {pid}`), then run this again"


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:120]


def _command() -> str:
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


def _now() -> str:
    return datetime.now().astimezone().isoformat(" ", "seconds")
