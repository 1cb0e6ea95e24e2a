"""What a run was made from, as a short text that changes when any of it does."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from campose_core.localization.scene_digest import scene_digest
from campose_core.scene.scene import Scene


def digest_of(value: Any) -> str:
    """Return 16 hexadecimal digits of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def digest_of_files(path: Path | None) -> str:
    """Return a digest of a file, or of all files in a folder, by their names, sizes and times; empty for None.

    Recordings are too large to read them through before each run.
    """
    if path is None:
        return ""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    stats = [(str(file.relative_to(path)), file.stat()) for file in files]
    return digest_of([str(path), *((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)])


def digest_of_scene(folder: Path) -> str:
    """Return a digest of a scene: its landmarks, its alignment, the steps that trained its models, and its floor map.

    Raises:
        SceneError, MappingError: it is damaged.
    """
    scene = Scene.open(folder)
    header = hashlib.sha256((folder / "scene.yaml").read_bytes()).hexdigest()
    floor = scene.floor_yaml.parent
    return digest_of([scene_digest(scene), header, digest_of_files(floor if floor.is_dir() else None)])
