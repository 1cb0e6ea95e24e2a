"""Where a plan drawing lies in the map frame, from points that are known on both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ImageOps

from campose_core.errors import FloorError
from campose_core.floorplan.painted_zones import unreadable
from campose_core.geometry import Array, is_place
from campose_core.image_files import opened
from campose_core.joining.contradicting_pairs import largest_by_hand, odd_one_out
from campose_core.joining.pair_table import read_pair_table
from campose_core.text import quoted

COLUMNS = ("px", "py", "x", "y")


@dataclass(frozen=True)
class PlanPlace:
    """resolution in metres per pixel; origin (x, y, yaw) of the drawing's lower left corner in the map frame.

    residual_m: by how much each pair is off, (N,); of two pairs it is zero and says nothing.
    """

    resolution: float
    origin: tuple[float, float, float]
    residual_m: Array


def register_plan(plan: Path | str, pairs: Path | str) -> PlanPlace:
    """Find where a plan lies by a CSV of two or more pairs `px,py,x,y`: the pixel (first column and row are 0, as in
    every image editor) lies at (x, y) metres in the map.

    Raises:
        FloorError: the plan or the table cannot be read, the pairs do not determine a place, or contradict each other
            (of more than three, the worst one is named).
    """
    try:
        with opened(Path(plan), FloorError) as image:
            height = ImageOps.exif_transpose(image).height
    except FloorError as error:
        raise unreadable(Path(plan), error) from error
    pixels, xy = _read_pairs(Path(pairs))
    grid = np.column_stack([pixels[:, 0] + 0.5, height - (pixels[:, 1] + 0.5)])
    if len(grid) < 2 or np.ptp(grid, axis=0).max() < 1 or np.ptp(xy, axis=0).max() < 1e-3:
        raise FloorError(f"{pairs}: two or more pairs at different places are needed, got {len(grid)}")
    place = _fitted(grid, xy)
    if place.residual_m.max() > largest_by_hand(xy):
        said = f"{pairs}: the point pairs contradict each other by up to {place.residual_m.max():.2f} m"
        if _fitted(grid * [1.0, -1.0], xy).residual_m.max() <= largest_by_hand(xy):
            raise FloorError(
                f"{said}, and fit as a mirror image: py counts from the top of the drawing down, px from its left"
            )
        if len(grid) == 3:  # any two of them agree
            raise FloorError(f"{said}: one of the three is wrong; a fourth would show which")
        worst, off, _ = odd_one_out([_off_without(i, grid, xy) for i in range(len(grid))])
        raise FloorError(
            f"{said}; pair {worst + 1} (pixel {pixels[worst, 0]:g}, {pixels[worst, 1]:g}) is {off:.2f} m from where "
            "the others put it"
        )
    return place


def _fitted(grid: Array, xy: Array) -> PlanPlace:
    """Least squares: with points of the plane as complex numbers a similarity is z -> a z + b."""
    z, target = grid @ [1, 1j], xy @ [1, 1j]
    centred = z - z.mean()
    a = complex(np.vdot(centred, target - target.mean()) / np.vdot(centred, centred))
    b = complex(target.mean() - a * z.mean())
    return PlanPlace(abs(a), (b.real, b.imag, float(np.angle(a))), np.abs(a * z + b - target))


def _off_without(pair: int, grid: Array, xy: Array) -> Array:
    """Return by how much all pairs are off (N,), once the others are laid onto each other; infinite: they cannot."""
    kept = np.delete(np.arange(len(grid)), pair)
    if np.ptp(grid[kept], axis=0).max() < 1:  # all on one pixel
        return np.full(len(grid), np.inf)
    fit = _fitted(grid[kept], xy[kept])
    x, y, yaw = fit.origin
    placed = fit.resolution * np.exp(1j * yaw) * (grid @ [1, 1j]) + complex(x, y)
    return np.asarray(np.abs(placed - xy @ [1, 1j]))


def _read_pairs(path: Path) -> tuple[Array, Array]:
    """Pixels (N, 2) and map points (N, 2)."""
    meaning = f"`{','.join(COLUMNS)}` (a pixel, and its place in the map)"
    rows = []
    for line, row in read_pair_table(path, FloorError, (COLUMNS,), meaning)[1]:
        try:
            values = [float(row[name]) for name in COLUMNS]
        except ValueError:
            values = [np.nan]
        if not is_place(values):
            raise FloorError(f"{path}:{line}: not a row of four finite numbers: {quoted(row.values())}")
        rows.append(values)
    pairs = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return pairs[:, :2], pairs[:, 2:]
