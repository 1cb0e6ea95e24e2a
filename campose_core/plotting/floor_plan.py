"""A place from above, x to the right and y upwards: the canvas of every picture of a map, a path or a floor."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from campose_core.floor import FloorMap
from campose_core.geometry import Array
from campose_core.plotting.palette import UNKNOWN, WALL, rgb

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def show_from_above(axes: Axes, low: ArrayLike, high: ArrayLike, unit: str = "m") -> None:
    """Make axes show the rectangle from `low` to `high` (x, y), in the same scale both ways."""
    (left, bottom), (right, top) = np.asarray(low), np.asarray(high)
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal", xlabel=f"x ({unit})", ylabel=f"y ({unit})")


def corners_around(xy: Array, least_margin_m: float = 1.5) -> tuple[Array, Array]:
    """Return corners of the rectangle to show: positions (N, 2) with some of the floor around them, neither a slit nor
    a tower."""
    corner, size = xy.min(axis=0), np.ptp(xy, axis=0)
    margin = max(least_margin_m, 0.15 * float(size.max()))
    size, middle = size + 2 * margin, corner + size / 2
    size = np.maximum(size, (size[1] / 0.9, size[0] * 0.3))
    return middle - size / 2, middle + size / 2


def draw_floor(axes: Axes, floor: FloorMap) -> None:
    """Draw a floor map where it lies in the map frame: walls dark, free floor white, the unknown grey."""
    from matplotlib.transforms import Affine2D

    pixels = np.full((*floor.shape, 3), rgb(UNKNOWN), dtype=np.uint8)
    pixels[floor.free] = 255
    pixels[floor.occupied] = rgb(WALL)
    rows, columns = floor.shape
    x, y, yaw = floor.origin
    map_from_grid = Affine2D().scale(floor.resolution).rotate(yaw).translate(x, y)
    axes.imshow(
        pixels,
        origin="lower",
        extent=(0, columns, 0, rows),
        transform=map_from_grid + axes.transData,
        interpolation="nearest" if math.isclose(yaw, 0) else "bilinear",
    )
    axes.set_facecolor(UNKNOWN)
