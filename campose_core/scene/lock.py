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
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from socket import gethostname

from campose_core.errors import SceneError
from campose_core.text import quoted

FILE = ".lock"
ORPHANS_S = 10.0  # children that work for a step end with it, after they have seen that it is gone
_held = threading.local()  # .files: of the folders that this thread has locked, in which a step may call another


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a scene folder for the block; the folder is made where it is not there.

    Raises:
        SceneError: another process holds it, or the folder cannot be written to.
    """
    key = folder.resolve()
    if folder.exists() and not folder.is_dir():
        raise SceneError(f"{folder} is a file: a scene is a folder")
    held: dict[Path, int] = _held.__dict__.setdefault("files", {})
    if key in held:
        yield
        return
    new_folders = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _lock(folder)
    except OSError as error:
        raise SceneError(f"{folder} cannot be written to: {error.strerror}") from error
    held[key] = file
    try:
        yield
    finally:
        del held[key]
        (folder / FILE).unlink(missing_ok=True)
        os.close(file)
        for one in new_folders:  # of a first step that came to nothing
            with contextlib.suppress(OSError):
                one.rmdir()


def held_files() -> tuple[int, ...]:
    """Return the locks of this thread, for a child process that writes too: they are held until both have ended."""
    return tuple(_held.__dict__.get("files", {}).values())


def _lock(folder: Path) -> int:
    path, deadline = folder / FILE, time.monotonic() + ORPHANS_S
    while True:
        # Not through a link, and without waiting for whoever might write to a pipe.
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise SceneError(f"{path} is no file: remove it")
            if _is_free(file, folder, deadline) and _is_ours(file, path):
                since = datetime.now().astimezone().isoformat(" ", "seconds")
                note = {"pid": os.getpid(), "host": gethostname(), "command": _command(), "since": since}
                os.truncate(file, 0)
                os.pwrite(file, json.dumps(note).encode(), 0)
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _is_free(file: int, folder: Path, deadline: float) -> bool:
    """Take the lock; False where children of a process that has ended still hold it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        holder, has_ended = _holder(file)
        if not has_ended or time.monotonic() > deadline:
            raise SceneError(f"{folder} is being written by {holder}") from None
    time.sleep(0.05)
    return False


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


def _holder(file: int) -> tuple[str, bool]:
    """Who holds the lock, since when, and what to do, by the note in it; and whether only children of it are left."""
    try:
        note = json.loads(os.pread(file, 4096, 0))
        pid, host, command, since = int(note["pid"]), str(note["host"]), str(note["command"]), str(note["since"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return "another process: wait until it ends", False
    has_ended = host == gethostname() and not Path(f"/proc/{pid}").exists()
    there = "" if host == gethostname() else f" on {quoted([host])}"
    who = f"process {pid}{there} (`{quoted([command])}`, since {quoted([since])})"
    return f"{who}: wait until it ends, or end it (`kill {pid}`), then run this again", has_ended


def _command() -> str:
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
