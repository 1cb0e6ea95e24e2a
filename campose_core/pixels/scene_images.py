"""The images of a scene as arrays; one that is missing or damaged is told by its file."""

from __future__ import annotations

import numpy as np

from campose_core.errors import SceneError
from campose_core.frame import Image
from campose_core.image_files import opened
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene


def read_image(scene: Scene, frame: SceneFrame, mode: str = "RGB") -> Image:
    """Read the image of a frame, (H, W, 3) uint8 RGB; (H, W) grey where mode is L.

    Raises:
        SceneError: it is missing or damaged; it is named.
    """
    path = scene.frame_path(frame)
    try:
        with opened(path, SceneError) as image:
            return np.asarray(image.convert(mode))
    except SceneError as error:
        raise unreadable(scene, frame, error) from error


def unreadable(scene: Scene, frame: SceneFrame, reason: object) -> SceneError:
    """Return the refusal of a frame's image."""
    path = scene.frame_path(frame)
    return SceneError(f"{path}: cannot be read as an image ({reason}): extract the frames of {frame.source!r} again")
