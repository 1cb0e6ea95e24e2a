"""The simulated floor: exact geometry that can be drawn, driven through and mapped; `building` makes one from a seed.

Boxes (walls and furniture) are axis-aligned and stand in the map frame: metres, z up, floor at z = 0. What a camera
sees are `Surface`s, rectangles with a painted image each; what a robot meets are the footprints of the boxes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from campose_core.floor import FREE, OCCUPIED, UNKNOWN, FloorMap

Vector = tuple[float, float, float]

SIZES = ("small", "demo")
CEILING = 2.5
ROBOT_HEIGHT = 1.0  # boxes that begin above it (lintels) do not block the way


@dataclass(frozen=True)
class Rectangle:
    """A named part of the floor: a room or a doorway, low and high corner (x, y) in metres."""

    name: str
    low: tuple[float, float]
    high: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the point at fractions (x, y) of its extent."""
        return (
            self.low[0] + x * (self.high[0] - self.low[0]),
            self.low[1] + y * (self.high[1] - self.low[1]),
        )


@dataclass(frozen=True)
class Box:
    """A solid from `low` to `high`; `materials` by side ("-x", "+y", "+z", ...), a side left out is unseen."""

    low: Vector
    high: Vector
    materials: tuple[tuple[str, str], ...]
    is_wall: bool = False


@dataclass(frozen=True)
class Surface:
    """A painted rectangle: `corner` is the upper left of the image, the edges run along its rows and columns."""

    corner: Vector
    along: Vector
    down: Vector
    material: str
    seed: int
    shade: float = 1.0

    @property
    def width(self) -> float:
        """Return the length of a row of the picture, metres."""
        return float(np.linalg.norm(self.along))

    @property
    def height(self) -> float:
        """Return the length of a column of the picture, metres."""
        return float(np.linalg.norm(self.down))


@dataclass(frozen=True)
class World:
    """The floor: rooms, doorways, boxes and everything that is painted."""

    size: str
    seed: int
    rooms: tuple[Rectangle, ...]
    doorways: tuple[Rectangle, ...]
    boxes: tuple[Box, ...]
    surfaces: tuple[Surface, ...]

    def place(self, name: str) -> Rectangle:
        """Return the room or doorway of this name."""
        return next(area for area in (*self.rooms, *self.doorways) if area.name == name)

    def bounds(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the outer corners (x, y) of the building, walls included, metres."""
        lows, highs = np.array([b.low[:2] for b in self.boxes]), np.array([b.high[:2] for b in self.boxes])
        (x0, y0), (x1, y1) = lows.min(0), highs.max(0)
        return (float(x0), float(y0)), (float(x1), float(y1))

    def floor_map(self, resolution: float = 0.05, margin: float = 0.5) -> FloorMap:
        """Return the exact occupancy grid: a cell is what its centre is; beyond the outer walls it is unknown.

        resolution: metres per cell. margin: metres around the building.
        """
        (x0, y0), (x1, y1) = self.bounds()
        columns, rows = (round((high - low + 2 * margin) / resolution) for low, high in ((x0, x1), (y0, y1)))
        origin = (round(x0 - margin, 6), round(y0 - margin, 6), 0.0)
        blank = FloorMap(np.full((rows, columns), UNKNOWN, dtype=np.int8), resolution, origin)
        centres = blank.centre_of(np.argwhere(blank.occupancy == UNKNOWN))
        cells = np.where(self.occupied(centres), OCCUPIED, np.where(self.free(centres), FREE, UNKNOWN))
        return FloorMap(cells.reshape(rows, columns).astype(np.int8), resolution, origin)

    def occupied(self, points_xy: ArrayLike) -> NDArray[np.bool_]:
        """Tell which points (N, 2) lie in the footprint of a wall or a piece of furniture."""
        return _covered(points_xy, [(b.low[:2], b.high[:2]) for b in self.boxes if b.low[2] < ROBOT_HEIGHT])

    def free(self, points_xy: ArrayLike) -> NDArray[np.bool_]:
        """Tell which points (N, 2) lie in a room or doorway with nothing on them."""
        inside = _covered(points_xy, [(area.low, area.high) for area in (*self.rooms, *self.doorways)])
        return inside & ~self.occupied(points_xy)


def _covered(points_xy: ArrayLike, rectangles: list[tuple[tuple[float, ...], tuple[float, ...]]]) -> NDArray[np.bool_]:
    points = np.asarray(points_xy, dtype=np.float64).reshape(-1, 2)
    covered = np.zeros(len(points), dtype=bool)
    for low, high in rectangles:
        covered |= ((points >= low) & (points <= high)).all(axis=1)
    return covered
