"""A folder of images as a recording."""

import logging
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from PIL import Image as PillowImage
from PIL import ImageOps

from campose_core.camera import Camera
from campose_core.capture.file_stamps import FRAME_PERIOD_NS, stamps_in_names
from campose_core.capture.frame import Frame
from campose_core.capture.image_codec import MAX_PIXELS, PILLOW_ERRORS, is_plain_jpeg, rgb_pixels
from campose_core.capture.thinning import thinned
from campose_core.errors import CaptureError

log = logging.getLogger(__name__)

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}
EXIF_IFD, FOCAL_LENGTH_35MM = 0x8769, 0xA405
DIAGONAL_35MM = math.hypot(36.0, 24.0)


class ImageFolder:
    """The images of a folder (not of its subfolders) in the natural order of their names: 2 before 10.

    Where all names are stamps, images come in their order at these, and a line says so. Other images carry no usable
    clock: the stamp of image i is i * 0.1 s. EXIF rotation is applied to the pixels.
    `camera` is a first guess from the focal length that EXIF gives as its 35 mm equivalent, None without one.

    use_names: False numbers the images whatever they are called.

    Raises:
        CaptureError: no images in it; from `frames`, also when none of them can be decoded.
    """

    form = "a folder of images"
    has_topics = False
    calibrated = False

    @staticmethod
    def recognizes(path: Path) -> bool:
        return path.is_dir() and bool(image_files(path))

    def __init__(self, path: Path, name: str | None = None, use_names: bool = True) -> None:
        self.path = path
        self.name = name or path.resolve().name
        self.dropped: dict[str, int] = Counter()
        self._stamped, self._are_named = stamped_files(path, use_names)
        self.files = [file for _, file in self._stamped]
        if not self.files:
            raise CaptureError(f"{path}: no images in this folder ({', '.join(sorted(SUFFIXES))})")
        if self._are_named:
            log.info(f"{path}: the names of the {len(self.files)} images are their stamps")
        self.camera = _camera_from_exif(self.files[0])

    def describe(self) -> dict[str, str]:
        named = {"stamps": "the names of the files"} if self._are_named else {}
        return {"kind": "images", "path": str(self.path), **named}

    def frames(self, fps: float | None = None) -> Iterator[Frame]:
        """Frames named by their number in the order of the names.

        Raises:
            CaptureError: none of the images can be decoded.
        """
        self.dropped.clear()
        decoded, reason = 0, ""
        stamped = ((stamp_ns, (i, file)) for i, (stamp_ns, file) in enumerate(self._stamped))
        for stamp_ns, (number, file) in thinned(stamped, fps):
            try:
                frame = _frame(file, stamp_ns, self.name, f"{number:06d}")
            except PILLOW_ERRORS as error:
                self.dropped["undecodable image"] += 1
                reason = reason or f"{file.name}: {error}"
                continue
            decoded += 1
            yield frame
        if not decoded:
            raise CaptureError(f"{self.path}: none of the {len(self.files)} images can be decoded ({reason})")


class ImageFile:
    """A recording of one image file, at stamp 0. `camera` as in an `ImageFolder`.

    Raises:
        CaptureError: from `frames`: it cannot be decoded.
    """

    calibrated = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem
        self.dropped: dict[str, int] = {}
        self.camera = _camera_from_exif(path)

    def describe(self) -> dict[str, str]:
        return {"kind": "picture", "path": str(self.path)}

    def frames(self, fps: float | None = None) -> Iterator[Frame]:
        try:
            yield _frame(self.path, 0, self.name, self.path.name)
        except PILLOW_ERRORS as error:
            raise CaptureError(f"{self.path}: cannot be decoded as an image ({error})") from error


def image_files(folder: Path) -> list[Path]:
    """The images of a folder by natural order of their names; hidden files are left out."""
    files = [f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and not f.name.startswith(".") and f.is_file()]
    return sorted(files, key=_natural_key)


def stamped_files(folder: Path, use_names: bool = True) -> tuple[list[tuple[int, Path]], bool]:
    """The images of a folder with their stamps in nanoseconds, in their order, and whether the names are the stamps."""
    files = image_files(folder)
    stamps = stamps_in_names(files) if use_names else None
    if stamps is None:
        return [(i * FRAME_PERIOD_NS, file) for i, file in enumerate(files)], False
    return sorted(zip(stamps, files, strict=True)), True


def _natural_key(file: Path) -> tuple[list[tuple[int, str]], str]:
    parts = re.split(r"([0-9]+)", file.name.lower())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts], file.name


def _frame(file: Path, stamp_ns: int, camera_frame: str, name: str) -> Frame:
    data = file.read_bytes()
    with PillowImage.open(file) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"{image.width}x{image.height} pixels")
        pixels = rgb_pixels(ImageOps.exif_transpose(image))
    return Frame(stamp_ns, pixels, camera_frame, name, data if is_plain_jpeg(data) else None)


def _camera_from_exif(file: Path) -> Camera | None:
    """Focal length in pixels = 35 mm equivalent / 43.27 mm * image diagonal (CIPA DCG-001: equal diagonal angle)."""
    try:
        with PillowImage.open(file) as image:
            focal_mm = float(image.getexif().get_ifd(EXIF_IFD).get(FOCAL_LENGTH_35MM, 0))
            width, height = ImageOps.exif_transpose(image).size if focal_mm > 0 else (0, 0)
    except PILLOW_ERRORS:
        return None
    if not 0 < focal_mm < 2000:  # 0 says unknown
        return None
    focal = focal_mm / DIAGONAL_35MM * math.hypot(width, height)
    return Camera("SIMPLE_RADIAL", width, height, (focal, (width - 1) / 2, (height - 1) / 2, 0.0))
