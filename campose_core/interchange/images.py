"""Images of a scene, copied under the names that they have in it: SOURCE/000123.jpg."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from campose_core.pixels.scene_images import unreadable
from campose_core.scene.names import place
from campose_core.scene.scene import Scene


def copy_images(scene: Scene, names: Collection[str], folder: Path) -> None:
    """Copy the frames of these names below `folder`.

    Raises:
        SceneError: an image is missing; it is named.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for frame in scene.frames:
        if frame.name in names:
            path, target = scene.frame_path(frame), place(folder, frame.name)
            if not path.is_file():
                raise unreadable(scene, frame, "it is missing")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
