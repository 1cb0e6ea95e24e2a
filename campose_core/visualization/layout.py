"""Where config/foxglove_layout.json is, the same looking at one scene, and what to tell a person who wants to look."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.files import config_file, write_text
from campose_core.geometry import Array
from campose_core.scene.scene import Scene
from campose_core.walkable import WalkableMap

LAYOUT = "foxglove_layout.json"
MARGIN = 1.2
MIN_EXTENT_M = 2.0


def layout_path() -> Path | None:
    """Find the layout in a checkout, or as it was installed; None when it was not."""
    return config_file(LAYOUT)


def write_layout(path: Path, scene: Scene, walkable: WalkableMap | None) -> Path | None:
    """Write the layout with its 3D panels over the middle of the scene, so near that all of it is seen.

    Returns `path`; None where the layout is not installed, or the scene has no place to look at.
    """
    template, places = layout_path(), _places(scene, walkable)
    if template is None or not len(places):
        return None
    low, high = places.min(axis=0), places.max(axis=0)
    extent_m = max(MIN_EXTENT_M, float((high - low).max())) * MARGIN
    layout = json.loads(template.read_text())
    for name, panel in layout["configById"].items():
        if name.startswith("3D!"):
            panel["cameraState"] |= _view(panel["cameraState"], (low + high) / 2, extent_m)
    write_text(path, json.dumps(layout, indent=2) + "\n")
    return path


def layout_beside(bag: Path) -> Path | None:
    """Find the layout that a replay wrote beside the folder of its bag; None where there is none."""
    folder = bag.resolve() if bag.is_dir() else bag.resolve().parent
    beside = folder.parent / LAYOUT
    return beside if beside.is_file() else None


def _places(scene: Scene, walkable: WalkableMap | None) -> Array:
    """Return where something of the scene is on its floor plan, (N, 2) metres."""
    if walkable is not None and walkable.walkable.any():
        return walkable.floor.centre_of(np.argwhere(walkable.walkable))
    return np.array([f.map_from_cam.translation[:2] for f in scene.posed_frames() if f.map_from_cam is not None])


def _view(camera: dict[str, Any], centre: Array, extent_m: float) -> dict[str, Any]:
    """Look at the centre from where `extent_m` fills the smaller side of the panel: e = 2 d tan(fovy / 2)."""
    distance = extent_m / (2 * math.tan(math.radians(camera["fovy"]) / 2))
    return {"targetOffset": [float(centre[0]), float(centre[1]), 0.0], "distance": distance}


def how_to_look(source: str, layout: Path | None = None) -> tuple[str, str]:
    """Write instructions in lines; `source`: what to open (`Open connection, ws://...` or `Open local file, ...`).

    layout: one that was written for the scene.
    """
    named = layout or layout_path() or f"config/{LAYOUT} of the campose repository"
    return f"In Foxglove or Lichtblick: {source}", f"Once: Layouts, Import from file, {named}"
