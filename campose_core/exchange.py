"""Several files and folders of a folder that change together: all of them, or none.

What is new is prepared in FOLDER/.update.part. Renaming that to FOLDER/.update is the moment from which the new holds:
whoever opens the folder next finishes the exchange, path by path, if the process that began it was killed. The old
files are kept in FOLDER/.previous, from where `undo` brings them back, by the same means.

    .update/paths.json   what is exchanged
    .update/new/         what takes its place, moved out one by one
    .update/old/         what was there
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from campose_core.errors import SceneError
from campose_core.files import write_text

PART, FORWARD, PREVIOUS, BACKWARD = ".update.part", ".update", ".previous", ".undo"
PATHS, NOTE, PROCESS = "paths.json", "note.json", "process"


def prepare(folder: Path) -> Path:
    """Make an empty place, .update.part/new, for what is to come; what a killed process left there is removed.

    Raises:
        SceneError: another process is at work there.
    """
    owner = folder / PART / PROCESS
    if owner.is_file() and (number := owner.read_text()) != str(os.getpid()) and Path(f"/proc/{number}").exists():
        raise SceneError(f"{folder} is being updated by process {number}: let it end, or end it, first")
    shutil.rmtree(folder / PART, ignore_errors=True)
    new = folder / PART / "new"
    new.mkdir(parents=True)
    owner.write_text(str(os.getpid()))
    return new


def discard(folder: Path) -> None:
    """Give up what was prepared."""
    shutil.rmtree(folder / PART, ignore_errors=True)


def commit(folder: Path, paths: Sequence[str], note: dict[str, Any]) -> None:
    """Let `paths` below .update.part/new take their places in the folder; the earlier .previous is given up.

    note: what `previous_note` will say.
    """
    write_text(folder / PART / NOTE, json.dumps(note))
    write_text(folder / PART / PATHS, json.dumps(list(paths)))
    _sync(folder / PART / "new")
    (folder / PART).rename(folder / FORWARD)
    finish(folder)


def previous_note(folder: Path) -> dict[str, Any] | None:
    """Return what the last `commit` noted; None where there is nothing to go back to."""
    note = folder / PREVIOUS / NOTE
    return dict(json.loads(note.read_text(encoding="utf-8"))) if note.is_file() else None


def undo(folder: Path) -> None:
    """Put back what the last `commit` replaced, and take away what it added.

    Raises:
        OSError: there is nothing to put back, or the folder cannot be written to.
    """
    (folder / PREVIOUS).rename(folder / BACKWARD)
    finish(folder)


def finish(folder: Path) -> None:
    """Finish an exchange that was begun and not ended; nothing where there is none.

    Raises:
        OSError: the folder cannot be written to.
    """
    for journal in (folder / FORWARD, folder / BACKWARD):
        if journal.is_dir():
            with _locked(journal) as still_there:
                if still_there:
                    _exchange(folder, journal)


def _exchange(folder: Path, journal: Path) -> None:
    take, keep = ("new", "old") if journal.name == FORWARD else ("old", "new")
    for path in json.loads((journal / PATHS).read_text(encoding="utf-8")):
        here, fresh, kept = folder / path, journal / take / path, journal / keep / path
        if fresh.exists():
            here.parent.mkdir(parents=True, exist_ok=True)
            kept.parent.mkdir(parents=True, exist_ok=True)
            if here.is_dir():
                here.rename(kept)
            elif here.exists() and not kept.exists():
                os.link(here, kept)  # a file is replaced in one step, so that it is never absent
            fresh.replace(here)
        elif journal.name == BACKWARD and here.exists() and not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            here.rename(kept)
    if journal.name == FORWARD:
        shutil.rmtree(folder / PREVIOUS, ignore_errors=True)
        journal.rename(folder / PREVIOUS)
    else:
        gone = folder / PART
        shutil.rmtree(gone, ignore_errors=True)
        journal.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


@contextmanager
def _locked(journal: Path) -> Iterator[bool]:
    """Hold others off; yield False where another process has finished meanwhile."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open(journal / PATHS, encoding="utf-8"))
        except FileNotFoundError:
            yield False
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        yield journal.is_dir()


def _sync(folder: Path) -> None:
    """On disk before the exchange begins: a power cut must not leave renamed files without their content."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
