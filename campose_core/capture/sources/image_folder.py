"""A folder of images as a recording."""

import logging
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import NamedTuple

from PIL import ImageOps

from campose_core.camera import Camera
from campose_core.capture.file_stamps import stamps_in_names
from campose_core.capture.sources.folder_files import (
    EXIF_IFD,
    FOCAL_LENGTH_35MM,
    HEIF_SUFFIXES,
    MAY_BE_DEEP,
    SUFFIXES,
    TakenBy,
    folder_files,
    has_images,
    open_photo,
    require_heif,
    taken_by,
)
from campose_core.capture.thinning import thinned
from campose_core.errors import CaptureError
from campose_core.files import read_bytes
from campose_core.frame import Frame
from campose_core.pixels.deep_images import rgb_pixels, values_of_16_bits
from campose_core.pixels.image_codec import is_plain_jpeg
from campose_core.pixels.levels import Levels
from campose_core.trajectory import FRAME_PERIOD_NS

log = logging.getLogger(__name__)

DIAGONAL_35MM = math.hypot(36.0, 24.0)
LOOKED_AT = 24  # images of a folder, to see which values of 16 bits it uses


class ImageFolder:
    """The images of a folder (not of its subfolders) in the natural order of their names: 2 before 10.

    Where all names are stamps, images come in their order at these, and a line says so. Other images carry no usable
    clock: the stamp of image i is i * 0.1 s. EXIF rotation is applied to the pixels.
    `camera` is a first guess from the focal length that EXIF gives as its 35 mm equivalent, None without one.
    What is no image of a camera, or of a kind that is not read, is counted in `dropped` and said in a line.

    use_names: False numbers the images whatever they are called.

    Raises:
        CaptureError: no images in it; from `frames`, also when none of them can be decoded. MissingDependency: HEIC
            alone, and the extra that reads it is not installed.
    """

    form = "a folder of images"
    has_topics = False
    calibrated = False

    @staticmethod
    def recognizes(path: Path) -> bool:
        return path.is_dir() and has_images(path)

    def __init__(self, path: Path, name: str | None = None, use_names: bool = True) -> None:
        self.path = path
        self.name = name or path.resolve().name
        self.dropped: dict[str, int] = Counter()
        images, self._left_out, said = folder_files(path)
        self._stamped, self._are_named = _stamped(images, use_names)
        self.files = [file for _, file in self._stamped]
        if not self.files:
            if any(file.suffix.lower() in HEIF_SUFFIXES for file in path.iterdir()):
                require_heif()
            raise CaptureError(f"{path}: no images in this folder ({', '.join(sorted(SUFFIXES))})")
        if said:
            log.info(f"{path}: {said}")
        if self._are_named:
            log.info(f"{path}: the names of the {len(self.files)} images are their stamps")
        self.camera_label = ""  # of one of several cameras
        self._numbered = list(enumerate(self.files))
        self._levels: Levels | None = None
        self.camera = _camera_from_exif(self.files[0])

    def by_camera(self) -> "list[ImageFolder]":
        """Return the images of each camera as a recording of its own, the one that took most of them first; [self]
        where one took all. Stamps and names of the frames stay those of the folder."""
        known = [taken_by(file) for file in self.files]
        counts = Counter(camera for camera in known if camera is not None)
        if len(counts) < 2:
            return [self]
        cameras = [camera for camera, _ in counts.most_common()]
        log.info(f"{self.path}: {len(self.files)} images of {len(cameras)} cameras, each with intrinsics of its own")
        return [self._taken_by(camera, cameras, known, first=camera == cameras[0]) for camera in cameras]

    def frame_names(self) -> list[str]:
        """Return the names of its frames, also of those that cannot be decoded."""
        return [f"{number:06d}" for number, _ in self._numbered]

    def _taken_by(
        self, camera: TakenBy, cameras: list[TakenBy], known: Sequence[TakenBy | None], first: bool
    ) -> "ImageFolder":
        part = copy(self)
        part.dropped = Counter()
        # What is damaged, or no image, is counted once.
        part._left_out = self._left_out if first else {}
        part._numbered = [
            entry for entry, by in zip(self._numbered, known, strict=True) if by == camera or (by is None and first)
        ]
        part.camera_label = camera.label(cameras)
        part.camera = next(filter(None, (_camera_from_exif(file) for _, file in part._numbered)), None)
        return part

    def describe(self) -> dict[str, str]:
        return {
            "kind": "images",
            "path": str(self.path),
            **({"stamps": "the names of the files"} if self._are_named else {}),
            **({"camera": self.camera_label} if self.camera_label else {}),
            **({"values": self._levels.said} if self._levels and self._levels.said else {}),
        }

    def frames(self, fps: float | None = None) -> Iterator[Frame]:
        """Yield frames named by their number in the order of the names.

        Raises:
            CaptureError: none of the images can be decoded.
        """
        self.dropped.clear()
        self.dropped |= self._left_out
        self._levels = self._levels or self._looked_at()
        stamped = ((self._stamped[number][0], (number, file)) for number, file in self._numbered)
        wanted = [ImageAt(stamp_ns, f"{number:06d}", file) for stamp_ns, (number, file) in thinned(stamped, fps)]
        yield from frames_of_files(self.path, wanted, self.name, self._levels, self.dropped)

    def _looked_at(self) -> Levels:
        """Return the levels of 16 bit images, by some from all over the folder."""
        levels = Levels()
        files = [file for _, file in self._numbered if file.suffix.lower() in MAY_BE_DEEP]
        for file in files[:: max(1, len(files) // LOOKED_AT)]:
            try:
                with open_photo(file) as image:
                    values = values_of_16_bits(image, file)
            except CaptureError:
                continue
            if values is not None:
                levels.look_at(values)
        levels.fixed = True
        if levels.said:
            log.info(f"{self.path}: {levels.said}")
        return levels


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
            yield frame_of_file(self.path, 0, self.name, self.path.name, Levels())
        except CaptureError as error:
            raise CaptureError(f"{self.path}: cannot be decoded as an image ({error})") from error


def stamped_files(folder: Path, use_names: bool = True) -> list[tuple[int, Path]]:
    """Return the images of a folder with their stamps in nanoseconds, in their order.

    use_names: names that are stamps count; else, and where they are none, images follow each other by FRAME_PERIOD_NS.
    """
    return _stamped(folder_files(folder).images, use_names)[0]


def _stamped(files: list[Path], use_names: bool) -> tuple[list[tuple[int, Path]], bool]:
    """Return images with their stamps, see `stamped_files`, and whether the names are these."""
    stamps = stamps_in_names(files) if use_names else None
    if stamps is None:
        return [(i * FRAME_PERIOD_NS, file) for i, file in enumerate(files)], False
    return sorted(zip(stamps, files, strict=True)), True


class ImageAt(NamedTuple):
    """An image file, with the stamp and the name of its frame."""

    stamp_ns: int
    name: str
    file: Path


def frames_of_files(
    source: Path,
    images: Sequence[ImageAt],
    camera_frame: str,
    levels: Levels,
    dropped: dict[str, int],
    upright: bool = True,
) -> Iterator[Frame]:
    """Yield the images that can be decoded; the others are counted in `dropped`, and a line says why. upright: see
    `frame_of_file`.

    Raises:
        CaptureError: not one of them can; it names `source`.
    """
    undecodable = list[str]()
    for stamp_ns, name, file in images:
        try:
            frame = frame_of_file(file, stamp_ns, camera_frame, name, levels, upright)
        except CaptureError as error:
            undecodable.append(f"{file.name}: {error}")
            dropped["undecodable image"] = len(undecodable)
        else:
            yield frame
    if len(undecodable) == len(images):
        raise CaptureError(f"{source}: none of the {len(images)} images can be decoded ({''.join(undecodable[:1])})")
    if undecodable:
        log.info(f"{source}: {len(undecodable)} images cannot be decoded, as {undecodable[0]}")


def frame_of_file(
    file: Path, stamp_ns: int, camera_frame: str, name: str, levels: Levels, upright: bool = True
) -> Frame:
    """Read an image file. upright: apply the turn that EXIF tells, as cameras are calibrated; else as it is stored.

    Raises:
        CaptureError: it cannot be decoded.
    """
    try:
        data = read_bytes(file, CaptureError)
    except OSError as error:
        raise CaptureError("it is missing, or may not be read") from error
    with open_photo(file) as image:
        pixels = rgb_pixels(image, data, levels, upright)
    return Frame(stamp_ns, pixels, camera_frame, name, data if is_plain_jpeg(data) else None)


def _camera_from_exif(file: Path) -> Camera | None:
    """Focal length in pixels = 35 mm equivalent / 43.27 mm * image diagonal (CIPA DCG-001: equal diagonal angle)."""
    try:
        with open_photo(file) as image:
            focal_mm = float(image.getexif().get_ifd(EXIF_IFD).get(FOCAL_LENGTH_35MM, 0))
            width, height = ImageOps.exif_transpose(image).size if focal_mm > 0 else (0, 0)
    except CaptureError:
        return None
    if not 0 < focal_mm < 2000:  # 0 says unknown
        return None
    focal = focal_mm / DIAGONAL_35MM * math.hypot(width, height)
    return Camera("SIMPLE_RADIAL", width, height, (focal, (width - 1) / 2, (height - 1) / 2, 0.0))
