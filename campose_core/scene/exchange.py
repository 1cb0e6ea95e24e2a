"""Several files and folders of a folder that change together: all of them, or none.

What is new is prepared beside them. Renaming that to its journal is the moment from which the new holds: who reads
from then on finds each path by `current`, wherever the exchange has come to, and who writes next finishes it, path by
path. Only a writer moves files, and there is one at a time (`campose_core.scene.lock`).

    .update/paths.json   what is exchanged
    .update/new/         what takes its place, moved out one by one
    .update/old/         what was there

An update keeps the old files in FOLDER/.previous, from where `undo` brings them back; `write_together` keeps nothing.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from campose_core.errors import SceneError
from campose_core.files import read_bytes, write_text
from campose_core.scene.names import check_name, place

PART, FORWARD, PREVIOUS, BACKWARD = ".update.part", ".update", ".previous", ".undo"
SAVE_PART, SAVE = ".save.part", ".save"
PATHS, NOTE = "paths.json", "note.json"
MAX_PATHS, MAX_BYTES = 100, 2**20  # of a journal, which is read for each file of the scene: an update has ten


class _Journal(NamedTuple):
    """take: its folder of what holds from now on. keep: of what held before. rest: its name when it has ended."""

    name: str
    take: str
    keep: str
    rest: str


JOURNALS = (
    _Journal(SAVE, "new", "old", SAVE_PART),
    _Journal(FORWARD, "new", "old", PREVIOUS),
    _Journal(BACKWARD, "old", "new", PART),
)


def prepare(folder: Path) -> Path:
    """Make an empty place, .update.part/new, for what is to come; what a killed process left there is removed."""
    return _empty(folder, PART)


def discard(folder: Path) -> None:
    """Give up what was prepared."""
    shutil.rmtree(folder / PART, ignore_errors=True)


def commit(folder: Path, paths: Sequence[str], note: dict[str, Any]) -> None:
    """Let `paths` below .update.part/new take their places in the folder; the earlier .previous is given up.

    note: what `previous_note` will say.
    """
    write_text(folder / PART / NOTE, json.dumps(note))
    _begin(folder, PART, FORWARD, paths)


def write_together(folder: Path, texts: Mapping[str, str], *prepared: Path) -> None:
    """Write UTF-8 texts to files of the folder, by name, and move folders that are `prepared` below it to their names
    in it: all of them, or none; on disk when this returns."""
    new = _empty(folder, SAVE_PART)
    try:
        for name, text in texts.items():
            try:
                (new / name).write_text(text, encoding="utf-8")
            except OSError as error:  # a full disk is found by a write, which knows no name
                raise OSError(error.errno, error.strerror, str(folder / name)) from error
        for path in prepared:
            path.rename(new / path.name)
        _begin(folder, SAVE_PART, SAVE, [*texts, *(path.name for path in prepared)])
    finally:
        shutil.rmtree(folder / SAVE_PART, ignore_errors=True)


def previous_note(folder: Path) -> dict[str, Any] | None:
    """Return what the last `commit` noted; None where there is nothing to go back to.

    Raises:
        SceneError: the note is damaged.
    """
    note = folder / PREVIOUS / NOTE
    if not note.is_file():
        return None
    try:
        return dict(json.loads(read_bytes(note, SceneError)))
    except (ValueError, TypeError, RecursionError) as error:
        raise SceneError(f"{note} is damaged: there is no way back, remove {note.parent}") from error


def keep_beside_previous(folder: Path, name: str) -> list[str]:
    """Let what was added since to FOLDER/name, a folder of folders, stay when `undo` puts back that of before; returns
    its names. Its files are linked, its links are what they are."""
    before = place(folder, f"{PREVIOUS}/old/{name}")
    if not before.is_dir():  # not exchanged, and left as it is
        return []
    there = {path.name for path in before.iterdir()}
    added = sorted(path for path in place(folder, name).iterdir() if path.is_dir() and path.name not in there)
    part = _empty(folder, PART)
    for path in added:  # whole, then under its name: the next undo would take half of one for all of it
        if path.is_symlink():
            (part / path.name).symlink_to(path.readlink())
        else:
            shutil.copytree(path, part / path.name, symlinks=True, copy_function=os.link)
        (part / path.name).rename(before / path.name)
    return [path.name for path in added]


def undo(folder: Path) -> None:
    """Put back what the last `commit` replaced, and take away what it added.

    Raises:
        OSError: there is nothing to put back, or the folder cannot be written to.
        SceneError: what is kept there has names that lead out of the folder; nothing is moved.
    """
    _paths(folder, PREVIOUS)
    (folder / PREVIOUS).rename(folder / BACKWARD)
    finish(folder)


def current(folder: Path, name: str) -> Path:
    """Return where FOLDER/name is now: in its place, or in the journal of an exchange that was begun and not ended.

    Nothing is written.

    Raises:
        SceneError: the journal is damaged, or has names that lead out of the folder.
    """
    for journal in JOURNALS:
        if not (folder / journal.name).is_dir():
            continue
        for path in _paths(folder, journal.name):
            if name == path or name.startswith(f"{path}/"):
                fresh = folder / journal.name / journal.take
                if (fresh / path).exists():
                    return fresh / name
    return folder / name


def finish(folder: Path) -> None:
    """Finish an exchange that was begun and not ended, and remove what was prepared for one that never began.

    Raises:
        OSError: the folder cannot be written to.
        SceneError: the journal is damaged, or has names that lead out of the folder; nothing is moved.
    """
    for journal in JOURNALS:
        if place(folder, journal.name).is_dir():
            _exchange(folder, journal)
    for part in (PART, SAVE_PART):
        shutil.rmtree(place(folder, part), ignore_errors=True)


def _empty(folder: Path, part: str) -> Path:
    shutil.rmtree(place(folder, part), ignore_errors=True)
    new = folder / part / "new"
    new.mkdir(parents=True)
    return new


def _begin(folder: Path, part: str, journal: str, paths: Sequence[str]) -> None:
    write_text(folder / part / PATHS, json.dumps(list(paths)))
    _sync(folder / part / "new")
    (folder / part).rename(folder / journal)
    finish(folder)


def _paths(folder: Path, journal: str) -> list[str]:
    """Return what a journal exchanges; nothing once it has ended."""
    file = folder / journal / PATHS
    try:
        paths = json.loads(read_bytes(file, SceneError, MAX_BYTES))
    except FileNotFoundError:
        return []
    except (ValueError, RecursionError, IsADirectoryError):
        paths = None
    if not isinstance(paths, list) or len(paths) > MAX_PATHS:
        raise SceneError(f"{file} is damaged: remove {folder / journal} to go on without what it would change")
    return [check_name(path, str(file)) for path in paths]


def _exchange(folder: Path, journal: _Journal) -> None:
    names = _paths(folder, journal.name)
    # All are looked at before the first is moved.
    moves = [(place(folder, name), place(folder, f"{journal.name}/{journal.take}/{name}"), name) for name in names]
    kept_at = {name: place(folder, f"{journal.name}/{journal.keep}/{name}") for name in names}
    for here, fresh, name in moves:
        kept = kept_at[name]
        if fresh.exists():
            here.parent.mkdir(parents=True, exist_ok=True)
            kept.parent.mkdir(parents=True, exist_ok=True)
            if here.is_dir():
                here.rename(kept)
            elif here.exists() and not kept.exists() and journal.name != SAVE:
                os.link(here, kept)  # a file is replaced in one step, so that it is never absent
            fresh.replace(here)
        elif journal.name == BACKWARD and here.exists() and not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            here.rename(kept)
    rest = place(folder, journal.rest)
    shutil.rmtree(rest, ignore_errors=True)
    (folder / journal.name).rename(rest)
    if journal.rest != PREVIOUS:
        shutil.rmtree(rest, ignore_errors=True)


def _sync(folder: Path) -> None:
    """On disk before the exchange begins: a power cut must not leave renamed files without their content."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
