"""What the readers of cameras share: the cameras they give, and numbers out of fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from campose_core.bag.opencv_camera import camera_of_info
from campose_core.camera import Camera
from campose_core.errors import GeometryError

Size = tuple[int, int]
OFF_CENTRE = 0.08  # of the size of images, from their middle: 0.03 in EuRoC and TUM RGB-D; of 800 instead of 640, 0.1


class NamedCamera(NamedTuple):
    """A camera of a file. topic: of its images, where the file says it."""

    name: str
    topic: str
    camera: Camera


class Unsized(NamedTuple):
    """How to find the size of the images, width and height, where a file does not say it."""

    of_images: Callable[[], Size]

    def size(self, centre: Sequence[float]) -> Size:
        """Return it, where a principal point of these pixels can be of such images.

        Raises:
            GeometryError: it lies far from their middle, so that the camera was measured at another size.
        """
        width, height = self.of_images()
        if abs(centre[0] - width / 2) > OFF_CENTRE * width or abs(centre[1] - height / 2) > OFF_CENTRE * height:
            raise GeometryError(
                f"says no size, and its principal point ({centre[0]:g}, {centre[1]:g}) is not near the middle of "
                f"images of {width}x{height} pixels: add the size that it was measured at, image_width and image_height"
            )
        return width, height


def unnamed(camera: Camera, name: str = "") -> NamedCamera:
    """Return the only camera of a file."""
    return NamedCamera(name, "", camera)


def of_matrix(k: Sequence[float], d: Sequence[float], distortion_model: str, size: Size) -> Camera:
    """Return the camera of a row-major 3x3 matrix and the terms of a distortion.

    Raises:
        GeometryError: its focal length is not in pixels, or the distortion is not understood.
    """
    require_pixels(k[0])
    try:
        return camera_of_info(*size, k, d, distortion_model)
    except GeometryError as error:
        said = str(error).removeprefix("camera_info has ")
        raise GeometryError(f"{said}; OpenCV's are read, of a pinhole and of a fisheye: calibrate with one") from error


MATRIX_SHAPES = {9: (3, 3), 12: (3, 4), 16: (4, 4)}


def camera_matrix(numbers: Sequence[float]) -> list[float]:
    """Return the nine numbers of a camera matrix by rows, of one that may stand by columns.

    By columns, as Open3D has it, the last row is the principal point and 1. ScanNet's intrinsic_color.txt fills it up
    to 4x4 with the identity; a projection matrix is filled up to 3x4 with zeros.

    Raises:
        GeometryError: it is none.
    """
    if len(numbers) not in MATRIX_SHAPES:
        raise GeometryError(f"the camera matrix must have 9 numbers, not {len(numbers)}")
    filled = np.reshape(numbers, MATRIX_SHAPES[len(numbers)])
    k = filled[:3, :3]
    if filled[:3, 3:].any() or filled[3:, :3].any():
        shape = "x".join(map(str, filled.shape))
        raise GeometryError(f"a {shape} matrix that is more than a camera matrix: fx 0 cx, 0 fy cy, 0 0 1")
    if k[0, 2] == 0 and k[2, 0] > 0:
        k = k.T
    if k.any() and (not np.allclose(k[2], (0, 0, 1)) or k[1, 0] or abs(k[0, 1]) > 1e-3 * abs(k[0, 0])):
        raise GeometryError(f"{len(numbers)} numbers that are no camera matrix: fx 0 cx, 0 fy cy, 0 0 1")
    require_pixels(float(k[0, 0]))
    return [float(value) for value in k.ravel()]


def require_pixels(focal: float) -> None:
    """Refuse a focal length that is not in pixels."""
    if focal < 5:
        raise GeometryError(f"a focal length of {focal:g} is not in pixels: calibrate the camera, or give it in pixels")


SIZE_NAMES = (("imagewidth", "imageheight"), ("imgwidth", "imgheight"), ("width", "height"), ("w", "h"))
SIZE_KEYS = (
    "imagesize", "cameraresolution", "imageresolution", "resolution", "imgsize", "framesize", "imagedim", "dim",
    "dimensions", "size",
)  # fmt: skip


def size_of(plain: dict[str, Any], unsized: Unsized, k: Sequence[float]) -> Size:
    """Return the size under one of its names, or that of the images. k: row-major 3x3, for the principal point."""
    if (size := _named_size(plain)) is not None:
        return size
    listed = next((plain[key] for key in SIZE_KEYS if plain.get(key) is not None), None)
    if listed is None:
        return unsized.size((k[2], k[5]))
    if isinstance(listed, dict) and "data" not in listed:
        size = _named_size({str(name).lower(): value for name, value in listed.items()})
        if size is None:
            raise GeometryError(f"the size must have a width and a height, got {str(listed)[:80]!r}")
        return size
    if isinstance(listed, str) and (sides := re.fullmatch(r"\s*(\d+)\s*[xX*, ]\s*(\d+)\s*", listed)):
        return int(sides[1]), int(sides[2])
    width, height = numbers_in(listed, "the size", 2)
    return int(width), int(height)


def _named_size(plain: dict[str, Any]) -> Size | None:
    pairs = ((plain.get(width), plain.get(height)) for width, height in SIZE_NAMES)
    return next(((whole(width), whole(height)) for width, height in pairs if None not in (width, height)), None)


def numbers_in(value: Any, what: str, count: int | None = None) -> list[float]:
    """Return the numbers in a list, in a list of rows, or in a matrix with `data`."""
    values = value.get("data") if isinstance(value, dict) else value
    if not isinstance(values, list):
        raise GeometryError(f"{what} must be a list of numbers, got {str(value)[:80]!r}")
    flat: Iterable[Any] = [inner for row in values for inner in (row if isinstance(row, list) else [row])]
    try:
        numbers = [float(number) for number in flat]
    except (TypeError, ValueError) as error:
        raise GeometryError(f"{what} must be a list of numbers, got {str(value)[:80]!r}") from error
    if count is not None and len(numbers) != count:
        raise GeometryError(f"{what} must have {count} numbers, not {len(numbers)}")
    return numbers


def whole(value: Any) -> int:
    """Return a whole number, which a file may write with a point."""
    return int(float(value))
