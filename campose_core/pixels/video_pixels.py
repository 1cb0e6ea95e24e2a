"""Pixels of decoded video images: their square shape, 8 bits, and turned as a player shows them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from campose_core.errors import CaptureError
from campose_core.pixels.image_codec import Image
from campose_core.pixels.levels import Levels

if TYPE_CHECKING:
    import av

# AVSphericalProjection (libavutil/spherical.h): RECTILINEAR, FISHEYE; what else has no camera model
FLAT, FISHEYE = 4, 5
NEARLY_SQUARE, MOST_STRETCHED = 0.01, 4  # what a header says beyond is a mistake


def square_size(stream: Any) -> tuple[int, int] | None:
    """Return the width and height at which pixels are square; None where they are already."""
    ratio = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    width, height = stream.codec_context.width, stream.codec_context.height
    if not ratio or abs(float(ratio) - 1) < NEARLY_SQUARE or not 1 / MOST_STRETCHED < ratio < MOST_STRETCHED:
        return None
    return (round(width * ratio), height) if ratio > 1 else (width, round(height / ratio))


def deep_form(stream: Any) -> str | None:
    """Return the 16 bit form of grey or RGB whose values may use fewer bits than they have; None of other images.

    What is YUV says how many bits it has, which are put into 8 as they should.
    """
    form = stream.codec_context.format
    if form is None:
        return None
    is_bayer = form.name.startswith("bayer_")  # whose bits are counted for each colour's share of the pixels
    bits = 16 if is_bayer and "16" in form.name else max(part.bits for part in form.components)
    if bits <= 8:
        return None
    return "rgb48le" if form.is_rgb else "gray16le" if len(form.components) <= 2 else None


def pixels_of(image: av.VideoFrame, size: tuple[int, int] | None, form: str | None, levels: Levels) -> Image:
    """Return the pixels (H, W, 3) uint8 RGB, as stored.

    size: at which pixels are square. form: the deep one, whose values become 8 bits by `levels`.
    """
    width, height = size or (image.width, image.height)
    if form is None:
        return np.asarray(image.to_ndarray(format="rgb24", width=width, height=height), dtype=np.uint8)
    values = levels.to_bytes(np.asarray(image.to_ndarray(format=form, width=width, height=height)))
    return values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)


def as_stored(pixels: Image) -> Image:
    """Return them as they are: upright already."""
    return pixels


def refuse_panorama(image: av.VideoFrame) -> None:
    """Refuse the projections of 360 degree cameras.

    Raises:
        CaptureError: it is one (by the boxes `sv3d` and Google's `uuid` of MP4, or Projection of Matroska).
    """
    mapping: Any = image.side_data.get("SPHERICAL")
    if mapping is not None and struct.unpack_from("=i", bytes(mapping))[0] not in (FLAT, FISHEYE):
        raise CaptureError(
            "a panorama of a 360 degree camera, which no camera model describes: export a flat view of it (reframing), "
            "with one direction and field of view all along"
        )


def as_shown(image: av.VideoFrame) -> Callable[[Image], Image]:
    """Return turns and mirrors by the display matrix (ISO 14496-12): x' = a x + c y, y' = b x + d y.

    Raises:
        CaptureError: any other turn.
    """
    matrix: Any = image.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return as_stored
    a, b, _, c, d = struct.unpack_from("=5i", bytes(matrix))
    if max(abs(b), abs(c)) < min(abs(a), abs(d)) / 100:
        is_turned, across, down = False, a, d
    elif max(abs(a), abs(d)) < min(abs(b), abs(c)) / 100:
        is_turned, across, down = True, c, b
    else:
        raise CaptureError(f"is to be shown turned by {image.rotation} degrees; only quarter turns and mirrors work")

    def shown(pixels: Image) -> Image:
        turned = pixels.swapaxes(0, 1) if is_turned else pixels
        return np.ascontiguousarray(turned[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1])

    return shown
