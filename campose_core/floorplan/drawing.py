"""A plan drawing becomes a floor map: its painted zones, or where nothing is painted its walls in ink.

In ink the thick strokes are walls; lettering, door swings and dimension lines are thinner or smaller. What lies outside
of the building, as far as a door's width tells, is unknown.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from campose_core.errors import FloorError
from campose_core.floor import FREE, OCCUPIED, UNKNOWN, FloorMap
from campose_core.floorplan.painted_zones import floor_of_paint, on_paper, painted_pixels, read_drawing

DrawingKind = Literal["paint", "walls"]

PAINTED_SHARE = 0.01  # of a drawing; less is a logo or an arrow
MAX_INK = 0.5  # of a drawing: more is a photograph, or white on black
MIN_WALL_M = 1.0  # lettering and symbols are smaller
THIN = 1 / 3  # of the thickness of a wall: door swings, dimension lines
WIDEST_DOOR_M = 1.4  # through which the outside does not flow in
SOLID_INK = 6  # pixels: walls that thick can be told from thin lines


def floor_from_drawing(
    path: Path | str,
    resolution: float,
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
    colour: str = "red",
    kind: DrawingKind | None = None,
) -> tuple[FloorMap, DrawingKind]:
    """Make a floor map with one cell per pixel of the drawing, and say what it was made of.

    resolution: metres per pixel. origin: (x, y, yaw) of the drawing's lower left corner in the map frame, radians.
    colour: of the paint, by name or as #rrggbb.
    kind: None takes the paint where a part of the drawing is painted in `colour`, else the walls; see `floor_from_plan`
    and `floor_of_ink`.

    Raises:
        FloorError: as those two.
    """
    path = Path(path)
    drawing = read_drawing(path)
    if kind == "walls":
        return floor_of_ink(on_paper(drawing, path), path, resolution, origin), "walls"
    painted = painted_pixels(drawing, colour)
    drawing = on_paper(drawing, path)
    if kind is None and painted.mean() < PAINTED_SHARE:
        try:
            return floor_of_ink(drawing, path, resolution, origin), "walls"
        except FloorError as error:
            raise FloorError(f"{error} (read by its ink: hardly any of it is painted {colour})") from error
    return floor_of_paint(drawing, painted, path, resolution, origin, colour), "paint"


def floor_of_ink(
    drawing: Image.Image, path: Path, resolution: float, origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> FloorMap:
    """Make a floor map from walls drawn in dark ink on light paper; the outside and transparent pixels are unknown.

    resolution: metres per pixel. origin: (x, y, yaw) of the drawing's lower left corner in the map frame.

    Raises:
        FloorError: the drawing has no walls, or they enclose nothing; `path` is named.
    """
    paper = Image.new("RGBA", drawing.size, "white")
    gray = np.asarray(Image.alpha_composite(paper, drawing).convert("L"))
    ink = gray <= _threshold(gray)
    if gray.max() - gray.min() < 64 or not ink.any():
        raise FloorError(f"{path}: no ink is on it, nor paint: draw the walls dark on light paper")
    if ink.mean() > MAX_INK:
        raise FloorError(f"{path}: {100 * ink.mean():.0f} % of it is dark: draw the walls dark on light paper")
    walls = _long_strokes(_thick_strokes(ink), MIN_WALL_M / resolution)
    if not walls.any():
        raise FloorError(
            f"{path}: no stroke of it is {MIN_WALL_M:g} m long at {resolution:.3g} m a pixel: a plan without walls, "
            "or with another scale"
        )
    outside = _outside(walls, 0.5 * WIDEST_DOOR_M / resolution)
    cells = np.where(walls, OCCUPIED, np.where(outside, UNKNOWN, FREE))
    cells[np.asarray(drawing.getchannel("A")) == 0] = UNKNOWN
    if not (cells == FREE).any():
        raise FloorError(
            f"{path}: its walls enclose nothing: close gaps that are wider than {WIDEST_DOOR_M:g} m at "
            f"{resolution:.3g} m a pixel, or check the scale"
        )
    return FloorMap(np.flipud(cells).astype(np.int8), resolution, origin)


def _threshold(gray: NDArray[np.uint8]) -> int:
    """Return the gray value that parts ink from paper best (Otsu, "A threshold selection method from gray-level
    histograms", 1979): the variance between the two classes, w0 w1 (m0 - m1)^2, is largest.
    """
    count = np.bincount(gray.ravel(), minlength=256).astype(np.float64)
    below = np.cumsum(count)
    sum_below = np.cumsum(count * np.arange(256))
    above, sum_above = below[-1] - below, sum_below[-1] - sum_below
    means_apart = sum_below / np.maximum(below, 1) - sum_above / np.maximum(above, 1)
    return int(np.argmax(below * above * means_apart**2))


def _thick_strokes(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Ink without the strokes that are much thinner than the walls, where the walls are thick enough to tell."""
    half = ndimage.distance_transform_edt(np.pad(ink, 1))[1:-1, 1:-1]
    ridge = half[(half == ndimage.maximum_filter(half, 3)) & ink]
    # Each ridge pixel stands for a pixel of a stroke's length; the thickest tenth of them are walls in every plan.
    thickness = 2 * float(np.percentile(ridge, 90))
    if thickness < SOLID_INK:
        return ink
    reach = max(1, math.floor(THIN * thickness / 2))
    core = half > reach
    return np.asarray(ndimage.distance_transform_edt(~core) <= reach) & ink


def _long_strokes(ink: NDArray[np.bool_], least: float) -> NDArray[np.bool_]:
    """Return connected ink of at least that width or height, in pixels."""
    parts, count = ndimage.label(ink, np.ones((3, 3), dtype=bool))
    long = np.zeros(count + 1, dtype=bool)
    for number, box in enumerate(ndimage.find_objects(parts), start=1):
        long[number] = max(box[0].stop - box[0].start, box[1].stop - box[1].start) >= least
    return np.asarray(long[parts])


def _outside(walls: NDArray[np.bool_], half_door: float) -> NDArray[np.bool_]:
    """Return what is reached from the rim of the drawing without passing a gap narrower than two times `half_door`
    pixels, and what is left of it in corners, where nothing of that width fits.
    """
    margin = math.ceil(half_door) + 2
    open_floor = np.pad(~walls, margin, constant_values=True)
    roomy = ndimage.distance_transform_edt(open_floor) > half_door
    parts, _ = ndimage.label(roomy)
    flooded = parts == parts[0, 0]
    inside = open_floor & (ndimage.distance_transform_edt(~flooded) > half_door)
    rooms, count = ndimage.label(inside)
    is_room = np.zeros(count + 1, dtype=bool)
    is_room[np.unique(rooms[roomy & inside])] = True
    is_room[0] = False
    return np.asarray((open_floor & ~is_room[rooms])[margin:-margin, margin:-margin])
