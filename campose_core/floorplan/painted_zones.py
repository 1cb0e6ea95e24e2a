"""A drawing whose blocked zones are painted becomes a floor map.

Paint alone decides: what is painted is occupied, the rest is free. The ink of a plan (door swings, signs, lettering)
is no obstacle, and what is one is painted over. Transparent pixels are unknown; where all paper is, they are the paper.
"""

import logging
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageOps
from scipy import ndimage

from campose_core.errors import FloorError
from campose_core.files import is_there
from campose_core.floor import FREE, OCCUPIED, UNKNOWN, FloorMap
from campose_core.image_files import opened

log = logging.getLogger(__name__)

HUE_TOLERANCE = 25 / 360  # of a full circle
# Half way between paint and white paper lies the edge of a zone; hue means nothing in the black of ink.
MIN_SATURATION = 0.5
MIN_VALUE = 0.2
SPECKLE_PIXELS = 64  # a block of JPEG
LEAST_ALPHA = 64  # of 255; shapes of slides are often half transparent
PAPER_SHARE = 0.1  # of what is transparent: with less opaque paper the drawing is on transparent paper
LIGHT = 0.5  # of paper at least, by its value
VECTORS = (".pdf", ".svg", ".svgz", ".dxf", ".dwg", ".ai", ".eps", ".ps", ".ifc", ".vsdx")


def floor_from_plan(
    image_path: Path | str,
    resolution: float,
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
    colour: str = "red",
) -> FloorMap:
    """Make a floor map with one cell per pixel of the drawing.

    resolution: metres per pixel, see `resolution_from_points`. origin: (x, y, yaw) of the drawing's lower left corner
    in the map frame. colour: of the paint, by name or as #rrggbb; shades of it count, as JPEG makes them.

    Raises:
        FloorError: the drawing cannot be read, nothing or everything is painted, or the colour is a shade of gray.
    """
    path = Path(image_path)
    drawing = read_drawing(path)
    painted = painted_pixels(drawing, colour)
    return floor_of_paint(on_paper(drawing, path), painted, path, resolution, origin, colour)


def floor_of_paint(
    drawing: Image.Image,
    painted: NDArray[np.bool_],
    path: Path,
    resolution: float,
    origin: tuple[float, float, float],
    colour: str,
) -> FloorMap:
    """Do as `floor_from_plan`, with a drawing that is read, and whose painted pixels (H, W) are found, already.

    path, colour: for messages.

    Raises:
        FloorError: nothing or everything is painted.
    """
    opaque = np.asarray(drawing.getchannel("A")) == 255
    if not (painted & opaque).any():
        raise FloorError(f"{path}: nothing is painted {colour}: paint what cannot be walked on, or name its colour")
    if not (~painted & opaque).any():
        raise FloorError(f"{path}: all of it is painted {colour}: leave what can be walked on unpainted")
    cells = np.where(painted, OCCUPIED, FREE)
    cells[~opaque] = UNKNOWN
    return FloorMap(np.flipud(cells).astype(np.int8), resolution, origin)


def read_drawing(path: Path) -> Image.Image:
    """Read the drawing as RGBA, upright.

    Raises:
        FloorError: it cannot be read.
    """
    try:
        with opened(path, FloorError) as image:
            return ImageOps.exif_transpose(image).convert("RGBA")
    except FloorError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: FloorError) -> FloorError:
    """Say why a plan cannot be read, and of one that is no picture what to do."""
    drawn = path.suffix.lower() in VECTORS and is_there(path)
    return FloorError(f"{path}: the plan cannot be read: {'export it as a picture (PNG)' if drawn else error}")


def on_paper(drawing: Image.Image, path: Path) -> Image.Image:
    """Lay a drawing (RGBA) on white paper where its own is transparent, as CAD and slides export it.

    There hardly anything opaque is as light as paper. A drawing with paper of its own is cut out instead: what is
    transparent stays so. A line names `path` and which it is.
    """
    alpha = np.asarray(drawing.getchannel("A"))
    transparent = np.count_nonzero(alpha < LEAST_ALPHA)
    if not transparent:
        return drawing
    _, s, v = _hsv(drawing)
    paper = np.count_nonzero((alpha == 255) & (s < MIN_SATURATION) & (v >= LIGHT))
    if paper >= PAPER_SHARE * transparent:
        log.info(f"{path}: its transparent pixels are unknown: it has paper of its own")
        return drawing
    log.info(f"{path}: its transparent pixels are taken for white paper")
    return Image.alpha_composite(Image.new("RGBA", drawing.size, "white"), drawing)


def painted_pixels(drawing: Image.Image, colour: str) -> NDArray[np.bool_]:
    """Tell which pixels (H, W), first row as in the drawing (RGBA), are of this colour, without speckle.

    Raises:
        FloorError: the colour is unknown, or a shade of gray.
    """
    hue = _hue_of(colour)
    h, s, v = _hsv(drawing)
    away = np.abs(h - hue)
    painted = (np.minimum(away, 1 - away) <= HUE_TOLERANCE) & (s >= MIN_SATURATION) & (v >= MIN_VALUE)
    return _without_speckle(painted & (np.asarray(drawing.getchannel("A")) >= LEAST_ALPHA))


def resolution_from_points(first: tuple[float, float], second: tuple[float, float], distance_m: float) -> float:
    """Return metres per pixel from two pixels (x, y) of a plan that are `distance_m` apart in the building.

    Raises:
        FloorError: the pixels coincide, or the distance is not positive.
    """
    pixels = math.dist(first, second)
    if not (math.isfinite(distance_m) and distance_m > 0 and math.isfinite(pixels) and pixels > 0):
        raise FloorError(
            f"the scale needs two different points and a positive distance, got {first}, {second}, {distance_m} m"
        )
    return distance_m / pixels


def _hsv(drawing: Image.Image) -> list[NDArray[np.float32]]:
    """Return hue, saturation and value (H, W), each 0 to 1, whatever is transparent."""
    return [
        np.asarray(band, dtype=np.float32) / np.float32(255) for band in drawing.convert("RGB").convert("HSV").split()
    ]


def _hue_of(colour: str) -> float:
    try:
        rgb = ImageColor.getrgb(colour)[:3]
    except ValueError as error:
        raise FloorError(f"{colour!r} is not a colour: give a name or #rrggbb") from error
    hue, saturation, value = Image.new("RGB", (1, 1), rgb).convert("HSV").tobytes()
    if saturation / 255 < MIN_SATURATION or value / 255 < MIN_VALUE:
        raise FloorError(f"{colour!r} is too close to gray to be told from ink and paper: paint in a vivid colour")
    return hue / 255


def _without_speckle(painted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Holes in the paint and drops of it vanish when they are small, or too thin to hold 3 x 3 pixels."""
    painted = ~_large_parts(ndimage.binary_opening(~painted, np.ones((3, 3), dtype=bool)))
    return _large_parts(painted)


def _large_parts(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    parts, count = ndimage.label(mask)
    large = np.bincount(parts.ravel(), minlength=count + 1) >= SPECKLE_PIXELS
    large[0] = False
    return np.asarray(large[parts])
