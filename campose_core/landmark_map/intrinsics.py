"""The intrinsics of a query image, which may come without any, or with those that mapping has found to be inexact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from campose_core.camera import Camera
from campose_core.errors import GeometryError, LocalizationError, SceneError
from campose_core.frame import Frame
from campose_core.scene.scene import Scene

# Of the logarithm of a focal length that was calibrated and is not the map's: the camera_info of a kitchen's recording
# is 0.4 % beside what its images say, which moves a camera by 1.4 cm along its view; landmarks show half of it.
CALIBRATED_SIGMA = 0.008


def lens_of(image: str, switches: Sequence[str]) -> str:
    """Return the name of the camera that took an image: that of its source, with a number from its second lens on.

    switches: images by which a lens begins that is another than before. No source has a # in its name.
    """
    source = image.split("/")[0]
    number = 1 + sum(first.split("/")[0] == source and first <= image for first in switches)
    return source if number == 1 else f"{source}#{number}"


def source_of_lens(name: str) -> str:
    """Return the source of a camera that `lens_of` named."""
    return name.split("#")[0]


def given_camera(scene: Scene, source: str) -> Camera:
    """Return the camera as the recording or the user gave it, before reconstruction refined it.

    Raises:
        SceneError: an extraction was killed before it had recorded the source.
    """
    if source not in scene.sources:
        raise SceneError(
            f"{scene.path}: the extraction of {source!r} was cut short: run `campose extract` with it again"
        )
    given = scene.sources[source].get("given_camera")
    return Camera.from_dict(given) if given else scene.cameras[source]


def sharing_a_camera(scene: Scene, sources: Sequence[str]) -> list[list[str]]:
    """Put the sources in groups that were taken by one camera: with the same given intrinsics, measured or guessed.

    Cameras of a rig look alike and are several; each has a group of its own.
    """
    in_rigs = {name for rig in scene.rigs.values() for name in rig.cameras}
    groups: dict[Camera | str, list[str]] = {}
    for source in sources:
        groups.setdefault(source if source in in_rigs else given_camera(scene, source), []).append(source)
    return list(groups.values())


class RefinedCameras:
    """Which given intrinsics mapping refined into which.

    A robot's camera_info is the one that its mapping drive was recorded with; reconstruction has since refined it, and
    the landmarks fit the refined camera. Any other camera stays as it is: so does one that is only estimated, and what
    was guessed of a mapping recording is no calibration that another camera could share.
    """

    def __init__(self, scene: Scene) -> None:
        refined = [
            name
            for name, source in scene.sources.items()
            if source.get("given_camera") and source.get("calibrated", True)
        ]
        self._pairs = [(given_camera(scene, name), scene.cameras[name]) for name in refined]
        self._own = list(scene.cameras.values())

    def __call__(self, camera: Camera) -> Camera:
        """Return the refined camera for one that is as given, at any size; any other camera as it is."""
        if camera.focal_sigma > 0.0:
            return camera
        for given, refined in self._pairs:
            if _is_same(camera, given):
                return refined.resized(camera.width, camera.height)
        return camera

    def in_the_map(self, camera: Camera) -> Camera:
        """Return the same, as sure as the map is of it: a calibration that it has not refined is off by
        CALIBRATED_SIGMA."""
        camera = self(camera)
        if camera.focal_sigma > 0.0 or any(_is_same(camera, own) for own in self._own):
            return camera
        return replace(camera, focal_sigma=CALIBRATED_SIGMA)


def _is_same(camera: Camera, other: Camera) -> bool:
    return camera.model == other.model and np.allclose(_at_size_of(camera, other), camera.params, rtol=1e-6)


def _at_size_of(camera: Camera, given: Camera) -> tuple[float, ...]:
    try:
        return given.resized(camera.width, camera.height).params
    except GeometryError:
        return (np.inf,) * len(camera.params)


def cameras_of_shape(scene: Scene, width: int, height: int) -> dict[Camera, str]:
    """Return the scene's different cameras that take images of this shape, at this size, and a source of each."""
    return {
        camera.resized(width, height): name
        for name, camera in scene.cameras.items()
        if abs(camera.width / camera.height - width / height) < 0.01
    }


def scene_camera(scene: Scene, width: int, height: int) -> Camera:
    """Return the scene's own camera for images of this size that know no intrinsics.

    Raises:
        LocalizationError: the scene has several cameras of that shape, or none.
    """
    alike = cameras_of_shape(scene, width, height)
    if len(alike) != 1:
        have = ", ".join(f"{name} {camera.width}x{camera.height}" for name, camera in scene.cameras.items())
        what = "several cameras" if alike else "no camera"
        raise LocalizationError(
            f"the recording has no intrinsics, and {scene.path} has {what} for images of {width}x{height} ({have}): "
            "give the camera with --camera FILE"
        )
    return next(iter(alike))


def camera_of_image(frame: Frame, camera: Camera) -> Camera:
    """Return `camera` at the size of the image.

    Raises:
        LocalizationError: the image is not a scaled version of what the camera takes.
    """
    height, width = frame.image.shape[:2]
    if (width, height) == (camera.width, camera.height):
        return camera
    mismatch = f"the image is {width}x{height}, its camera {camera.width}x{camera.height}"
    if abs(width * camera.height / (height * camera.width) - 1) > 0.01:
        raise LocalizationError(f"{mismatch}: give the intrinsics of these images")
    try:
        return camera.resized(width, height)
    except GeometryError as error:
        raise LocalizationError(f"{mismatch}: {error}") from error
