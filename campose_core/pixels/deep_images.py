"""Pixels of image files that Pillow opens, those of 16 bits a channel too.

Pillow has no image of 16 bit colour, and keeps the upper bytes; but it can be told which byte of each value to unpack.
So such a file is decoded twice, the second time in the other order of bytes.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageOps

from campose_core.errors import CaptureError
from campose_core.image_files import opened
from campose_core.pixels.levels import Levels

RAW_COLOUR = re.compile(r"(RGB|RGBX|RGBA|RGBa);16([BLN])")  # Pillow's names of what it unpacks
OTHER_ORDER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
GREY_ALPHA = "LA;16B"  # of PNG; four bytes a pixel, as RGBA has
BITS, PLANES, SEPARATE = 258, 284, 2  # tags of TIFF


def rgb_pixels(
    image: PillowImage.Image, source: Path | bytes, levels: Levels | None = None, upright: bool = False
) -> NDArray[np.uint8]:
    """Return the pixels (H, W, 3) uint8 RGB of a Pillow image of any mode; no transparency, 16 bits as elsewhere.

    image: opened from `source`, and not decoded yet. upright: apply the turn that EXIF tells.

    Raises:
        CaptureError: floating-point values other than of 0 to 1; or see `values_of_16_bits`.
    """
    values = values_of_16_bits(image, source, upright)
    if values is not None:
        pixels = (values >> 8).astype(np.uint8) if levels is None else levels.to_bytes(values)
        return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    image = ImageOps.exif_transpose(image) if upright else image
    if image.mode == "F":
        image = PillowImage.fromarray(_of_floats(np.asarray(image)))
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _of_floats(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = float(values.min()), float(values.max())
    if not 0 <= low <= high <= 1:  # nor is NaN
        raise CaptureError(
            f"floating-point values of {low:g} to {high:g}, and only 0 (black) to 1 (white) are read: save it as 8 or "
            "16 bits"
        )
    return np.rint(values * 255).astype(np.uint8)


def is_deep(image: PillowImage.Image) -> bool:
    """Whether it is grey of 16 bits, which Pillow's convert would clip."""
    return image.mode.startswith("I")


def values_of_16_bits(
    image: PillowImage.Image, source: Path | bytes, upright: bool = False
) -> NDArray[np.uint16] | None:
    """Return the values, (H, W) grey or (H, W, 3) RGB, of an image of 16 bits; None of any other.

    image: opened, and not decoded yet. source: what it was opened from. upright: apply the turn that EXIF tells.

    Raises:
        CaptureError: it is stored in a way that is not read, or cut off.
    """
    if is_deep(image):
        return np.clip(np.asarray(_turned(image, upright)), 0, 65535).astype(np.uint16)
    tags = getattr(image, "tag_v2", {})
    if tags.get(PLANES) == SEPARATE and max(tags.get(BITS, (8,))) > 8:
        raise CaptureError("16 bit colour in separate planes: save it as PNG")
    if _maxval(image) > 255:
        return _ppm_values(image, source)
    if any(_raw_of(tile) == GREY_ALPHA for tile in _tiles(image)):
        both = _unpacked(image, "RGBA", upright, "RGBA")
        return np.repeat(_words(both[..., :1], both[..., 1:2]), 3, axis=2)
    found = next(filter(None, (RAW_COLOUR.fullmatch(_raw_of(tile)) for tile in _tiles(image))), None)
    if found is None:
        return None
    kind, order = found[1].replace("a", "A"), found[2]  # colours that are multiplied by alpha stay so
    with opened(source if isinstance(source, Path) else io.BytesIO(source), CaptureError) as again:
        lower = _unpacked(again, f"{kind};16{OTHER_ORDER[order]}", upright)
    return _words(_unpacked(image, f"{kind};16{order}", upright), lower)


def _words(upper: NDArray[np.uint8], lower: NDArray[np.uint8]) -> NDArray[np.uint16]:
    return np.asarray(upper.astype(np.uint16) << 8 | lower, dtype=np.uint16)


def _unpacked(image: Any, raw: str, upright: bool, mode: str = "RGB") -> NDArray[np.uint8]:
    image.tile = [_unpacking(tile, raw) for tile in _tiles(image)]
    return np.asarray(_turned(image, upright).convert(mode))


def _ppm_values(image: PillowImage.Image, source: Path | bytes) -> NDArray[np.uint16]:
    """Two bytes a value, the upper one first (Netpbm, "PPM Format Specification")."""
    codec, _, offset, _ = _tiles(image)[0]
    if codec != "ppm":
        raise CaptureError("16 bit colour written as text: save it as PNG")
    data = source.read_bytes() if isinstance(source, Path) else source
    count = image.width * image.height * 3
    if len(data) < offset + 2 * count:
        raise CaptureError("it is cut off")
    values = np.frombuffer(data, ">u2", count, offset).reshape(image.height, image.width, 3)
    return np.rint(np.minimum(values / _maxval(image), 1) * 65535).astype(np.uint16)


def _turned(image: PillowImage.Image, upright: bool) -> PillowImage.Image:
    return ImageOps.exif_transpose(image) if upright else image


def _tiles(image: PillowImage.Image) -> list[Any]:
    """Return (codec, box, offset, arguments) of each part of a file that is not decoded yet."""
    return list(getattr(image, "tile", []))


def _unpacking(tile: Any, raw: str) -> Any:
    arguments = raw if isinstance(tile[3], str) else (raw, *tile[3][1:])
    return tile._replace(args=arguments) if hasattr(tile, "_replace") else (*tile[:3], arguments)  # older Pillow


def _raw_of(tile: Any) -> str:
    return str(tile[3] if isinstance(tile[3], str) else tile[3][0])


def _maxval(image: PillowImage.Image) -> int:
    """Return what is white in a PPM of colours; 0 of any other image."""
    if image.format != "PPM" or image.mode != "RGB":
        return 0
    codec, _, _, arguments = _tiles(image)[0]
    return int(arguments[1]) if codec.startswith("ppm") else 255
