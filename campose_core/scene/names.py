"""Names of files in a scene: relative to it, inside it, and through no link that leads out of it.

A scene may come from anybody, and what is in it decides which files are read, written and removed. So a name out of
scene.yaml, frames.csv or a journal is looked at before it becomes a path, and a place before it is written to.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

from campose_core.errors import SceneError

MAX_BYTES = 255  # of one part of a path, NAME_MAX of Linux


def check_name(name: object, origin: str) -> str:
    """Return `name` if it can only be of something inside the folder it is joined to. origin: where it was read.

    Raises:
        SceneError: it is absolute, leads upwards, or is none that a file of a scene can have.
    """
    if not isinstance(name, str) or not name:
        raise SceneError(f"{origin}: {name!r} cannot be the name of a file")
    if "\\" in name or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise SceneError(f"{origin}: {name!r} holds a backslash or a control character: no file of a scene has one")
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise SceneError(f"{origin}: {name!r} leads out of the scene: it has to be relative, without '..'")
    if any(len(part.encode()) > MAX_BYTES for part in parts):
        raise SceneError(f"{origin}: {name[:40]!r}... is longer than the name of a file can be")
    return name


def check_key(name: object, origin: str) -> str:
    """As `check_name`, of what is one folder or file, without '/'."""
    checked = check_name(name, origin)
    if "/" in checked:
        raise SceneError(f"{origin}: {name!r} holds a '/': it names one folder")
    return checked


def place(folder: Path, name: str) -> Path:
    """Return FOLDER/name to write to.

    Raises:
        SceneError: `name` leads out of the folder, as it is written or by a symbolic link on its way.
    """
    path = folder
    for part in check_name(name, str(folder)).split("/"):
        path = path / part
        refuse_link_out(folder, path)
    return path


def refuse_links_out(folder: Path, name: str) -> None:
    """Look at FOLDER/name and all that is below it.

    Raises:
        SceneError: one of them is a link that leads out of the folder.
    """
    path = place(folder, name)
    for below in path.rglob("*") if path.is_dir() else ():
        refuse_link_out(folder, below)


def refuse_link_out(folder: Path, path: Path) -> None:
    """Raise SceneError where `path` is a symbolic link that leads out of `folder`."""
    if path.is_symlink() and folder.resolve() not in path.resolve().parents:
        raise SceneError(
            f"{path} is a link that leads out of the scene, to {path.resolve()}: nothing is written there. Put the "
            "folder itself in its place, or link the whole scene"
        )
