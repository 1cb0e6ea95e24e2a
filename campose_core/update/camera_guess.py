"""The intrinsics with which a new recording is looked for in a map."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from campose_core.camera import Camera
from campose_core.scene import Scene
from campose_core.statistics import evenly_spaced
from campose_core.update.frame_localization import MapFinder, NewFrame

log = logging.getLogger(__name__)

GUESSED_FIELDS_OF_VIEW_DEG = (45.0, 52.0, 60.0, 68.0, 76.0, 85.0, 95.0)
SAMPLE = 12  # frames that choose among guessed cameras


def camera_of_recording(
    scene: Scene, name: str, frames: Sequence[NewFrame], finder: MapFinder, camera: Camera, mapped: Mapping[str, Camera]
) -> tuple[Camera, bool]:
    """Choose the camera of the recording; also returns whether mapping has refined it already.

    One that is only guessed is chosen among the mapped cameras of its shape and several fields of view: the one by
    which the most landmarks agree in a sample of the frames.
    """
    if camera in mapped.values():
        return camera, True
    if scene.sources[name]["calibrated"]:
        return camera, False
    width, height = camera.width, camera.height
    alike = [m.resized(width, height) for m in mapped.values() if abs(m.width * height - m.height * width) < width]
    guesses = [Camera.from_field_of_view(width, height, degrees) for degrees in GUESSED_FIELDS_OF_VIEW_DEG]
    sample = [frames[row] for row in evenly_spaced(len(frames), SAMPLE)]

    def agreeing(candidate: Camera) -> int:
        return sum(len(f.shown) for f in (finder.find(frame, candidate) for frame in sample) if f is not None)

    best = max([*alike, *guesses], key=agreeing)
    log.info(f"update: {name} has no intrinsics, begins with a focal length of {best.focal[0]:.0f} pixels")
    return best, False
