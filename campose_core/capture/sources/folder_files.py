"""Which files of a folder are images of a camera, which are not, and which were taken by the same one."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from PIL import Image as PillowImage
from PIL import ImageOps

from campose_core.errors import CaptureError
from campose_core.exports.export import natural_key
from campose_core.extras import load_extra
from campose_core.image_files import opened
from campose_core.pixels.deep_images import is_deep

HEIF_SUFFIXES = {".heic", ".heif", ".hif"}
SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", *HEIF_SUFFIXES}
UNREAD_SUFFIXES = {
    ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".avif", ".jxl", ".jp2", ".j2k", ".gif", ".exr",
    ".hdr", ".tga", ".psd", ".svg", ".mp4", ".mov", ".avi", ".mkv", ".webm",
}  # fmt: skip
MAY_BE_DEEP = {".png", ".tif", ".tiff", ".pgm", ".ppm"}
DEPTH_WORDS, COLOUR_WORDS = {"depth", "depths", "depthmap"}, {"color", "colour", "rgb", "image", "img", "aligned"}
HEIF_CURE = "pip install 'campose_ros[heic]'"
EXIF_IFD, MAKE, MODEL, FOCAL_LENGTH_35MM = 0x8769, 0x010F, 0x0110, 0xA405
TAKEN = 0x9003
KEPT_FIRST = (".jpg", ".jpeg", ".jpe", ".jfif")  # of two files of one photo: it comes into a scene as it is


class FolderFiles(NamedTuple):
    """images: in the natural order of their names. left_out: how many others there are, by what they are; said: the
    same in one line, empty without any."""

    images: list[Path]
    left_out: dict[str, int]
    said: str


class TakenBy(NamedTuple):
    """What tells the cameras of a folder apart: the size of an upright image, and what EXIF says.

    focal_35mm: 0 where it is not said.
    """

    width: int
    height: int
    device: str = ""
    focal_35mm: int = 0

    def label(self, others: Sequence[TakenBy]) -> str:
        """Return a name by the size, and by as much of the rest as it takes to tell it from `others`."""
        label = f"{self.width}x{self.height}"
        if any(other[:2] == self[:2] and other[2] != self[2] for other in others):
            label += f" {self.device or 'unknown device'}"
        if any(other[:3] == self[:3] and other[3] != self[3] for other in others):
            label += f" {self.focal_35mm or 'unknown '}mm"
        return label


def has_images(folder: Path) -> bool:
    """Whether a folder holds a file that is named like an image."""
    return any(_is_shown(file, SUFFIXES) for file in folder.iterdir())


def folder_files(folder: Path) -> FolderFiles:
    """Sort the files of a folder (not of its subfolders) into images of a camera and others; hidden ones do not count.

    Depth images beside colour are of another sensor, as in the layouts of 7-Scenes and TUM RGB-D. HEIC is read where
    the extra `heic` is installed. Phones export a photo as HEIC and JPEG both: it counts once.
    """
    shown = [file for file in folder.iterdir() if _is_shown(file, SUFFIXES)]
    named = sorted(shown, key=lambda file: natural_key(file.name))
    heif = [file for file in named if file.suffix.lower() in HEIF_SUFFIXES]
    unread = set(heif) if importlib.util.find_spec("pi_heif") is None else set()
    depth = _depth_images([file for file in named if file not in unread])
    other, named_other = unread_files(folder)
    images = [file for file in named if file not in unread and file not in depth]
    again = _taken_twice(images)
    counts = {
        "depth image": (len(depth), "depth images beside those of a camera are no frames"),
        "image of a photo that is there already": (
            len(again),
            "images are of photos that are there in another file of that name and time: each counts once",
        ),
        "HEIC image": (len(unread), f"HEIC images are left out, and read after {HEIF_CURE}"),
        "file of another kind": (other, named_other),
    }
    return FolderFiles(
        [file for file in images if file not in again],
        {what: count for what, (count, _) in counts.items() if count},
        "; ".join(f"{count} {words}" for count, words in counts.values() if count),
    )


def unread_files(folder: Path) -> tuple[int, str]:
    """Return how many files of a folder are images or videos that are not read in one, and words that go on with this
    number."""
    kinds = Counter(file.suffix.lower() for file in folder.iterdir() if _is_shown(file, UNREAD_SUFFIXES))
    cure = "save images as JPEG, give videos by themselves"
    return sum(kinds.values()), f"files are not read ({', '.join(sorted(kinds))}): {cure}"


def taken_by(file: Path) -> TakenBy | None:
    """Return the camera of an image by its header; None where that is damaged."""
    try:
        with open_photo(file) as image:
            exif = image.getexif()
            width, height = ImageOps.exif_transpose(image).size if exif.get(0x0112, 1) != 1 else image.size
            device = " ".join(str(exif.get(tag, "")).strip("\0 ") for tag in (MAKE, MODEL)).strip()
            focal = float(exif.get_ifd(EXIF_IFD).get(FOCAL_LENGTH_35MM, 0) or 0)
    except CaptureError:
        return None
    return TakenBy(width, height, device, round(focal) if 0 < focal < 2000 else 0)


def open_photo(file: Path) -> AbstractContextManager[PillowImage.Image]:
    """Open an image file for a `with` block, as `opened` does; HEIC too.

    Raises:
        CaptureError: it cannot be read. MissingDependency: the extra for HEIC is not installed.
    """
    if file.suffix.lower() in HEIF_SUFFIXES:
        require_heif()
    return opened(file, CaptureError)


def require_heif() -> None:
    """Let Pillow read HEIC.

    Raises:
        MissingDependency: the wheel that does is not installed.
    """
    load_extra("pi_heif", "heic").register_heif_opener()


def _is_shown(file: Path, suffixes: set[str]) -> bool:
    return file.suffix.lower() in suffixes and not file.name.startswith(".") and file.is_file()


def _depth_images(files: Sequence[Path]) -> set[Path]:
    """Grey images of 16 bits beside at least half as many others, and any that are named so and have a partner."""
    deep = {file for file in files if file.suffix.lower() in MAY_BE_DEEP and _is_deep(file)}
    named = {file for file in files if DEPTH_WORDS & {*_words(file)}}
    others = [file for file in files if file not in deep and file not in named]
    if not others:
        return set()
    partners = {_plain(file) for file in others}
    depth = {file for file in named if file in deep or _plain(file) in partners}
    return depth | (deep if 2 * len(others) >= len(deep) else set())


def _taken_twice(files: Sequence[Path]) -> set[Path]:
    """Find the files of a photo that another file is of as well: of the same name but its ending, taken at one time."""
    counts = Counter(file.stem for file in files)
    several = [file for file in files if counts[file.stem] > 1]
    photos, again = set[tuple[str, str]](), set[Path]()
    for file in sorted(several, key=lambda file: file.suffix.lower() not in KEPT_FIRST):
        photo = file.stem, _time_taken(file)
        if photo in photos and photo[1]:
            again.add(file)
        photos.add(photo)
    return again


def _time_taken(file: Path) -> str:
    """Return the second in which a photo was taken, as EXIF says; empty where that is not said."""
    try:
        with open_photo(file) as image:
            exif = image.getexif().get_ifd(EXIF_IFD)
    except CaptureError:
        return ""
    taken = str(exif.get(TAKEN, "")).strip("\0 ")
    return taken if taken.strip("0: ") else ""  # a clock that was never set


def _is_deep(file: Path) -> bool:
    try:
        with opened(file, CaptureError) as image:
            return is_deep(image)
    except CaptureError:
        return False


def _words(file: Path) -> list[str]:
    return re.findall(r"[a-z]+|[0-9]+", file.stem.lower())


def _plain(file: Path) -> tuple[str, ...]:
    return tuple(word for word in _words(file) if word not in DEPTH_WORDS | COLOUR_WORDS)
