"""A camera that a person gives, as a file: the one of it that the recordings are of."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PIL import ImageOps

from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.capture.sources.folder_files import SUFFIXES, open_photo
from campose_core.errors import GeometryError
from campose_core.formats.camera_fields import NamedCamera, Size
from campose_core.formats.cameras import read_cameras

log = logging.getLogger(__name__)


def read_camera_file(path: Path | str, recordings: Sequence[Path | str] = (), topics: Sequence[str] = ()) -> Camera:
    """Read the camera of some recordings out of a file, see `read_cameras`.

    recordings: looked into where the file does not say the size of the images, or holds several cameras. topics: of
    their images, where a person names them.

    Raises:
        GeometryError: no camera, or several of which none is the only one of these images.
        CaptureError: a recording has to be looked into and cannot be read.
    """
    paths = [Path(recording) for recording in recordings]
    cameras = read_cameras(path, partial(_size_of_images, Path(path), paths, topics) if paths else None)
    if len({named.camera for named in cameras}) == 1:
        return cameras[0].camera
    return _of_topic(path, cameras, list(topics) or [_topic(recording) for recording in paths])


def _of_topic(path: Path | str, cameras: Sequence[NamedCamera], topics: Sequence[str]) -> Camera:
    fitting = [named for named in cameras if named.topic and topics and set(topics) == {named.topic}]
    if len(fitting) == 1:
        log.info(f"{path}: {fitting[0].name}, whose images are on {fitting[0].topic}")
        return fitting[0].camera
    listed = ", ".join(f"{named.name} {named.topic}".strip() for named in cameras[:4])
    more = f" and {len(cameras) - 4} others" if len(cameras) > 4 else ""
    raise GeometryError(f"{path}: holds several cameras ({listed}{more}): leave that of the images in it, and no other")


def _topic(path: Path) -> str:
    if path.suffix.lower() in SUFFIXES:
        return ""
    return str(open_recording(path).describe().get("topic") or "")


def _size_of_images(path: Path, recordings: Sequence[Path], topics: Sequence[str]) -> Size:
    sizes = {_first_size(recording, topic) for recording in recordings for topic in (topics or [""])}
    if len(sizes) != 1:
        listed = ", ".join(f"{width}x{height}" for width, height in sorted(sizes))
        raise GeometryError(f"says no size, and the images have several ({listed}): add image_width and image_height")
    ((width, height),) = sizes
    log.info(f"{path}: says no size: taken for that of the images, {width}x{height}")
    return width, height


def _first_size(path: Path, topic: str) -> Size:
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        with open_photo(path) as image:
            return ImageOps.exif_transpose(image).size
    height, width = next(iter(open_recording(path, topic or None).frames())).image.shape[:2]
    return width, height
