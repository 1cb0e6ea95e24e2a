"""A COLMAP model: cameras and images, binary or text, as https://colmap.github.io/format.html has them.

Images are `qw qx qy qz tx ty tz` of camera_from_world, in OpenCV's axes; pixels count from the outer corner of the
first one. The world has no scale and no up of its own. Points are not read: they carry no descriptors to localize by.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from campose_core.camera import Camera
from campose_core.errors import CaptureError, GeometryError
from campose_core.exports.export import Export, ExportedFrame, natural_key
from campose_core.exports.fields import AGAIN, numbers, quaternion_pose
from campose_core.files import is_there, read_bytes, read_text
from campose_core.formats.reconstruction_cameras import colmap_camera
from campose_core.geometry import Pose

PROGRAM = "COLMAP"
FORM = "model: `cameras.bin`, `images.bin`, or `.txt`"
BRINGS = ("intrinsics", "poses")
NOTE = "poses and intrinsics are kept; no metres and no up, which `campose align` finds"
# COLMAP's models by their numbers, with how many parameters each has.
MODELS = (
    ("SIMPLE_PINHOLE", 3), ("PINHOLE", 4), ("SIMPLE_RADIAL", 4), ("RADIAL", 5), ("OPENCV", 8), ("OPENCV_FISHEYE", 8),
    ("FULL_OPENCV", 12), ("FOV", 5), ("SIMPLE_RADIAL_FISHEYE", 4), ("RADIAL_FISHEYE", 5), ("THIN_PRISM_FISHEYE", 12),
    ("RAD_TAN_THIN_PRISM_FISHEYE", 16), ("SIMPLE_DIVISION", 4), ("DIVISION", 5), ("SIMPLE_FISHEYE", 3), ("FISHEYE", 4),
    ("EUCM", 6),
)  # fmt: skip
UNDISTORT = "`colmap image_undistorter` makes images and a model of a camera that is understood"


class ModelImage(NamedTuple):
    """name: below the folder of images."""

    name: str
    camera_id: int
    world_from_cam: Pose


def is_colmap_model(path: Path) -> bool:
    """Tell whether a folder holds a model."""
    return any((path / f"cameras.{end}").is_file() and (path / f"images.{end}").is_file() for end in ("bin", "txt"))


def read_colmap_model(path: Path, images: Path) -> Export:
    """Read the model in the folder `path`, of images in the folder `images`, in the order of their names.

    Raises:
        CaptureError: no model, damaged, of a lens that is not understood, or its images are not in that folder.
    """
    if not images.is_dir():
        raise CaptureError(f"{images}: no such folder; --images names the one that the names in the model start from")
    if not is_colmap_model(path):
        inside = models_below(path)
        found = f"; {', '.join(map(str, inside[:4]))} {'are' if len(inside) > 1 else 'is one'}" if inside else ""
        raise CaptureError(
            f"{path}: no COLMAP model, which is a folder with cameras.bin and images.bin (or .txt), as sparse/0{found}"
        )
    end = "bin" if (path / "cameras.bin").is_file() and (path / "images.bin").is_file() else "txt"
    cameras = dict((_binary_cameras if end == "bin" else _text_cameras)(path / f"cameras.{end}"))
    images_of = _binary_images if end == "bin" else _text_images
    listed = sorted(images_of(path / f"images.{end}"), key=lambda image: natural_key(image.name))
    where = path / f"images.{end}"
    for image in listed:
        if image.camera_id not in cameras:
            raise CaptureError(f"{where}: {image.name} is of camera {image.camera_id}, which cameras.{end} lacks")
        if Path(image.name).is_absolute() or ".." in Path(image.name).parts:
            raise CaptureError(f"{where}: the name {image.name!r} leads out of the folder of images")
    missing = [image.name for image in listed if not is_there(images / image.name)]
    if len(missing) == len(listed):
        first = missing[0] if missing else "none"
        raise CaptureError(
            f"{images}: none of the {len(listed)} images of {path} is here, such as {first}: "
            "give the folder that their names start from with --images"
        )
    return Export(
        PROGRAM,
        path,
        tuple(
            ExportedFrame(images / image.name, None, cameras[image.camera_id], image.world_from_cam) for image in listed
        ),
        metric=False,
        level=False,
    )


def models_below(path: Path) -> list[Path]:
    """Return the models in the folders of a folder, and in those of these, where mappers put them: sparse/0."""
    if not path.is_dir():
        return []
    return sorted(below for form in ("*/", "*/*/") for below in path.glob(form) if is_colmap_model(below))


def _camera(model: str, width: float, height: float, params: list[float], where: Path) -> Camera:
    try:
        return colmap_camera(model, int(width), int(height), params)
    except GeometryError as error:
        raise CaptureError(f"{where}: {error}: {UNDISTORT}") from error


def _binary_cameras(path: Path) -> Iterator[tuple[int, Camera]]:
    data = _Bytes(path)
    for _ in range(data.count()):
        camera_id, model_id, width, height = data.take("<iiQQ")
        if not 0 <= model_id < len(MODELS):
            raise CaptureError(f"{path}: the camera model number {model_id} is not understood: {UNDISTORT}")
        model, size = MODELS[model_id]
        params = list(numbers(data.take(f"<{size}d"), size, path, f"the parameters of camera {camera_id}"))
        yield camera_id, _camera(model, width, height, params, path)


def _binary_images(path: Path) -> Iterator[ModelImage]:
    data = _Bytes(path)
    for _ in range(data.count()):
        _, *pose, camera_id = data.take("<I7dI")
        name = data.text()
        (points,) = data.take("<Q")
        data.skip(24 * points)
        yield ModelImage(name, camera_id, _pose(pose, path))


def _text_cameras(path: Path) -> Iterator[tuple[int, Camera]]:
    for number, line in _lines(path):
        fields, where = line.split(), f"{path}:{number}"
        if len(fields) < 5:
            raise CaptureError(f"{where}: expected CAMERA_ID MODEL WIDTH HEIGHT PARAMS: {AGAIN}")
        camera_id, width, height = numbers([fields[0], *fields[2:4]], 3, where, "camera, width and height")
        params = list(numbers(fields[4:], len(fields) - 4, where, "the parameters"))
        yield int(camera_id), _camera(fields[1], width, height, params, path)


def _text_images(path: Path) -> Iterator[ModelImage]:
    """Two lines an image, of which the second lists its points and may be empty."""
    lines = list(_lines(path, keep_empty=True))
    while lines and not lines[0][1]:
        lines.pop(0)
    for at, (number, line) in enumerate(lines):
        if at % 2:
            if line and not _are_points(line):
                raise CaptureError(
                    f"{path}:{number}: expected the points of the image before, or an empty line where it has none: "
                    f"{AGAIN}"
                )
            continue
        if not line:
            continue
        fields, where = line.split(maxsplit=9), f"{path}:{number}"
        if len(fields) != 10:
            raise CaptureError(f"{where}: expected IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME: {AGAIN}")
        pose = numbers(fields[1:8], 7, where, "the pose")
        yield ModelImage(fields[9], int(numbers([fields[8]], 1, where, "the camera")[0]), _pose(pose, where))


def _are_points(line: str) -> bool:
    """Tell a list of `X Y POINT3D_ID` from an image, whose name stands last."""
    fields = line.split()
    return len(fields) % 3 == 0 and re.fullmatch(r"-?\d+", fields[-1]) is not None


def _lines(path: Path, keep_empty: bool = False) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(read_text(path, CaptureError).splitlines(), start=1):
        text = line.strip()
        if not text.startswith("#") and (text or keep_empty):
            yield number, text


def _pose(values: Any, where: Path | str) -> Pose:
    qw, qx, qy, qz, *translation = values
    return quaternion_pose([qx, qy, qz, qw], translation, where).inverse()


class _Bytes:
    """A binary file, read from its start to its end."""

    def __init__(self, path: Path) -> None:
        self._path, self._at = path, 0
        try:
            self._data = read_bytes(path, CaptureError)
        except OSError as error:
            raise CaptureError(f"{path}: may not be read: allow it with `chmod u+r`") from error

    def take(self, form: str) -> tuple[Any, ...]:
        """Return the next values of a struct."""
        start = self._at
        self.skip(struct.calcsize(form))
        return struct.unpack_from(form, self._data, start)

    def skip(self, size: int) -> None:
        """Pass over so many bytes."""
        if size > len(self._data) - self._at:
            raise CaptureError(f"{self._path}: ends in the middle of a value: copy it once more, or {AGAIN}")
        self._at += size

    def count(self) -> int:
        """Return how many records follow."""
        return int(self.take("<Q")[0])

    def text(self) -> str:
        """Return the text that ends with a zero byte."""
        end = self._data.find(b"\0", self._at)
        start = self._at
        self.skip((len(self._data) if end < 0 else end) + 1 - start)
        try:
            return self._data[start:end].decode("utf-8")
        except UnicodeDecodeError as error:
            raise CaptureError(f"{self._path}: the name of an image is no text: {AGAIN}") from error
