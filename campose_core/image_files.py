"""Image files by Pillow: up to limits of our own, and refused in our own words.

Pillow warns of an image of 89 megapixels, which phones take, and refuses one of 179. A limit there has to be, because a
broken header must not allocate all the memory there is; but it is one that a person is told.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from campose_core.errors import CamposeError
from campose_core.files import is_there

MAX_PHOTO_PIXELS = 200_000_000
MAX_MAP_PIXELS = 650_000_000
# What Pillow's decoders raise on damaged files.
PILLOW_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, OverflowError, EOFError,
    struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip
_OPENING = threading.Lock()

# Images of a scene may be opened anywhere; above this Pillow warns, and at twice as many it refuses.
if Image.MAX_IMAGE_PIXELS is not None:
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, MAX_PHOTO_PIXELS)


@contextmanager
def opened(
    source: Path | BinaryIO,
    error: type[CamposeError],
    max_pixels: int = MAX_PHOTO_PIXELS,
    formats: tuple[str, ...] | None = None,
) -> Iterator[Image.Image]:
    """Open an image for the block, in which it may be decoded.

    formats: Pillow's names of those that are read; None for all.

    Raises:
        error: it cannot be read, is damaged, or has more than `max_pixels`; the message names no file.
    """
    if isinstance(source, Path) and is_there(source) and not source.is_file():
        raise error("it is no file")  # a pipe would be waited for
    try:
        with _opened(source, formats) as image:
            check_size(*image.size, error, max_pixels)
            yield image
    except PILLOW_ERRORS as fault:
        raise error(why_unreadable(fault)) from fault


def check_size(width: int, height: int, error: type[CamposeError], max_pixels: int = MAX_PHOTO_PIXELS) -> None:
    """Refuse an image of no pixels, or of more than `max_pixels`.

    Raises:
        error: which says how many there are, and how many may be.
    """
    if width < 1 or height < 1:
        raise error(f"an image of {width}x{height} pixels")
    if width * height > max_pixels:
        raise error(
            f"{width}x{height} pixels are {width * height / 1e6:.0f} megapixels, at most {max_pixels / 1e6:.0f} are "
            "read: make it smaller"
        )


def why_unreadable(fault: BaseException) -> str:
    """Why Pillow raised what it raised on an image."""
    if isinstance(fault, UnidentifiedImageError):
        return "it is no image, or of a kind that is not read"
    if isinstance(fault, OSError) and fault.errno is not None:
        return fault.strerror or type(fault).__name__  # the system's word: permissions, a disk that fails
    words = str(fault).lower()
    return "it is cut off" if "truncated" in words or "not enough" in words else "it is damaged"


@contextmanager
def _opened(source: Path | BinaryIO, formats: tuple[str, ...] | None) -> Iterator[Image.Image]:
    """With Pillow's own limit out of the way, which it looks at once, when it opens a file."""
    with _OPENING:
        theirs, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(source, formats=formats)
        finally:
            Image.MAX_IMAGE_PIXELS = theirs
    with image:
        yield image
