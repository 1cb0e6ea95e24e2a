"""The walkable part of a floor, and the snap: the nearest walkable point that no wall lies before.

Walkable = free, minus keep-out, eroded by the robot's radius, largest connected part. What is not free (occupied or
unknown) is called solid: in a lidar map a wall is one pixel thick and what lies behind is unknown, so that a pose
10 cm inside a wall is mostly a pose in the unknown.

For each cell the walkable cell to snap to is found once, when the map is built (snap_targets.py); a snap is a look-up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from os.path import lexists
from pathlib import Path
from typing import NamedTuple

import numpy as np

from campose_core.errors import FloorError
from campose_core.files import write_text
from campose_core.floor import FloorMap
from campose_core.snap_targets import NO_CELL, Cells, Mask, padded_snap_targets, walkable_cells
from campose_core.yaml_files import read_yaml, yaml_text

DEFAULT_RADIUS_M = 0.2
DEFAULT_MAX_SNAP_M = 1.0
INSIDE = 1e-6  # how far from the side of its cell a snapped point stays, in cells
MAX_REACH = 2000  # cells of a snap, by which the map grows on every side
# In multiples of max_snap_m: from farther away a robot does not come between two poses (it was lost and found), and
# farther along a wall than this a point is not followed.
REMEMBERED, SLIDE = 4.0, 2.0


class SnapResult(NamedTuple):
    """Where a point was moved to, and how far. With `snapped` False nothing walkable was in reach and the point stays
    where it was; `distance_m` is then how far the nearest candidate lay, inf when there is none."""

    x: float
    y: float
    distance_m: float
    snapped: bool


@dataclass(frozen=True, eq=False)
class WalkableMap:
    """Which cells of a floor can be walked on, and for each cell where a point in it snaps to.

    walkable: (rows, cols) bool, cells of `floor`. The two look-ups cover a margin of `_margin` cells around the floor,
    because a pose may lie beyond the edge of its map: `_target` (rows, cols) holds the flat index of a walkable cell or
    NO_CELL, `_solid` is True where the floor is not free.
    """

    floor: FloorMap
    walkable: Mask
    max_snap_m: float
    _target: Cells = field(repr=False)
    _solid: Mask = field(repr=False)
    _margin: int = field(repr=False)

    @classmethod
    def from_floor(
        cls,
        floor: FloorMap,
        keepout: FloorMap | None = None,
        radius_m: float = DEFAULT_RADIUS_M,
        max_snap_m: float = DEFAULT_MAX_SNAP_M,
    ) -> WalkableMap:
        """Find the walkable cells and the snap of every cell.

        keepout: its occupied cells must not be walked on; it may have another resolution, size and origin.
        radius_m: the robot stays this far from everything that is not free. max_snap_m: a pose is not moved farther.

        Raises:
            FloorError: a radius or distance that makes no sense, or nothing walkable is left.
        """
        if not (math.isfinite(radius_m) and radius_m >= 0):
            raise FloorError(f"the radius must be zero or a positive number of metres, got {radius_m!r}")
        if not (math.isfinite(max_snap_m) and max_snap_m > 0):
            raise FloorError(f"max_snap_m must be a positive number of metres, got {max_snap_m!r}")
        if max_snap_m > MAX_REACH * floor.resolution:
            raise FloorError(
                f"max_snap_m of {max_snap_m:g} m is more than {MAX_REACH} cells of {floor.resolution:g} m: give less"
            )
        walkable = walkable_cells(floor, keepout, radius_m)
        margin = math.ceil(max_snap_m / floor.resolution) + 2
        solid = np.pad(~floor.free, margin, constant_values=True)
        reach = max_snap_m / floor.resolution
        target = padded_snap_targets(solid, walkable, margin, reach)
        for array in (walkable, solid, target):
            array.setflags(write=False)
        return cls(floor, walkable, float(max_snap_m), target, solid, margin)

    def is_walkable(self, x: float, y: float) -> bool:
        """Tell whether a robot may stand at (x, y), metres in the map frame."""
        column, row = self._grid_of(x, y)
        index = self._index(column, row)
        return index != NO_CELL and int(self._target.item(index)) == index

    def snap(self, x: float, y: float, came_from: tuple[float, float] | None = None) -> SnapResult:
        """Find the nearest walkable point that no wall separates from (x, y), metres in the map frame.

        came_from: where the robot was before (an earlier snap). When a wall lies between there and (x, y), the point
        goes back to the side of the wall that it came from, even from beyond the wall's middle or its far face. A place
        more than 4 times `max_snap_m` away is not one it came from.

        A point on a walkable cell is returned unchanged.
        """
        column, row = self._grid_of(x, y)
        index = self._index(column, row)
        if index == NO_CELL:  # farther beyond the edge of the map than any snap
            return SnapResult(x, y, math.inf, False)
        target = int(self._target.item(index))
        if target == index:
            return SnapResult(x, y, 0.0, True)
        if came_from is not None:
            near_side = self._near_side_of_wall(*self._grid_of(*came_from), column, row)
            if near_side != NO_CELL:
                result = self._moved_into(near_side, x, y, column, row)
                # A wall farther from the point than any snap means that the point is in another place altogether
                # (it was lost and found again): where it came from says nothing about the wall beside it.
                if result.snapped:
                    return result
        return SnapResult(x, y, math.inf, False) if target == NO_CELL else self._moved_into(target, x, y, column, row)

    def _grid_of(self, x: float, y: float) -> tuple[float, float]:
        """FloorMap.grid_of for one point, counted from the corner of the margin; plain floats are ten times faster."""
        origin_x, origin_y, yaw = self.floor.origin
        cos, sin = math.cos(yaw), math.sin(yaw)
        dx, dy, cell = x - origin_x, y - origin_y, self.floor.resolution
        return (cos * dx + sin * dy) / cell + self._margin, (cos * dy - sin * dx) / cell + self._margin

    def _index(self, column: float, row: float) -> int:
        rows, columns = self._target.shape
        if 0 <= column < columns and 0 <= row < rows:  # False for NaN
            return int(row) * columns + int(column)
        return NO_CELL

    def _moved_into(self, target: int, x: float, y: float, column: float, row: float) -> SnapResult:
        """(x, y) moved to the nearest point of a cell, if that is not too far."""
        target_row, target_column = divmod(target, self._target.shape[1])
        dx = min(max(column, target_column + INSIDE), target_column + 1 - INSIDE) - column
        dy = min(max(row, target_row + INSIDE), target_row + 1 - INSIDE) - row
        cell = self.floor.resolution
        distance_m = math.hypot(dx, dy) * cell
        if distance_m > self.max_snap_m:
            return SnapResult(x, y, distance_m, False)
        cos, sin = math.cos(self.floor.origin[2]), math.sin(self.floor.origin[2])
        return SnapResult(x + (cos * dx - sin * dy) * cell, y + (sin * dx + cos * dy) * cell, distance_m, True)

    def _near_side_of_wall(self, from_column: float, from_row: float, column: float, row: float) -> int:
        """Find the walkable cell nearest to a point on this side of the first wall on the way to it; NO_CELL: none."""
        start = self._index(from_column, from_row)
        reach = self.max_snap_m / self.floor.resolution
        if start == NO_CELL or math.hypot(column - from_column, row - from_row) > REMEMBERED * reach:
            return NO_CELL
        last_free = self._last_before_wall(start, from_column, from_row, column, row)
        return NO_CELL if last_free == NO_CELL else self._slide(int(self._target.item(last_free)), column, row)

    def _last_before_wall(self, cell: int, from_column: float, from_row: float, column: float, row: float) -> int:
        """Find the last cell before the line to (column, row) enters something solid; NO_CELL when it does not.

        Amanatides and Woo, "A fast voxel traversal algorithm for ray tracing", 1987: `to_column` and `to_row` are
        where on the line, from 0 to 1, the next column and the next row begin.
        """
        is_solid, columns = self._solid.item, self._solid.shape[1]
        if is_solid(cell):
            return NO_CELL
        d_column, d_row = column - from_column, row - from_row
        to_column = per_column = to_row = per_row = math.inf
        if d_column:
            per_column = abs(1 / d_column)
            to_column = (math.floor(from_column) + (d_column > 0) - from_column) / d_column
        if d_row:
            per_row = abs(1 / d_row)
            to_row = (math.floor(from_row) + (d_row > 0) - from_row) / d_row
        next_column, next_row = (1 if d_column > 0 else -1), (columns if d_row > 0 else -columns)
        while to_column < 1 or to_row < 1:
            before = cell
            if to_column < to_row:
                cell += next_column
                to_column += per_column
            else:
                cell += next_row
                to_row += per_row
            if is_solid(cell):
                return before
        return NO_CELL

    def _slide(self, cell: int, column: float, row: float) -> int:
        """From a walkable cell along neighbouring walkable cells, as long as each is nearer to the point."""
        if cell == NO_CELL:
            return NO_CELL
        target, columns = self._target.item, self._target.shape[1]
        d_row, d_column = row - 0.5 - cell // columns, column - 0.5 - cell % columns
        if max(abs(d_row), abs(d_column)) > SLIDE * self.max_snap_m / self.floor.resolution:
            return NO_CELL
        while True:
            along_row, along_column = (1 if d_row > 0 else -1), (1 if d_column > 0 else -1)
            steps = ((along_row, 0), (0, along_column))
            if abs(d_column) > abs(d_row):
                steps = ((0, along_column), (along_row, 0))
            # The slanted steps let it go on along a slanted wall.
            for step_row, step_column in (*steps, (along_row, -along_column), (-along_row, along_column)):
                # |d - step|^2 < |d|^2
                if 2 * (d_row * step_row + d_column * step_column) <= step_row * step_row + step_column * step_column:
                    continue
                neighbour = cell + step_row * columns + step_column
                beside = cell + step_row * columns, cell + step_column
                if target(neighbour) == neighbour and (
                    target(beside[0]) == beside[0] or target(beside[1]) == beside[1]
                ):
                    break
            else:
                return cell
            cell, d_row, d_column = neighbour, d_row - step_row, d_column - step_column


def save_walkable(
    folder: Path,
    floor: FloorMap,
    keepout: FloorMap | None = None,
    radius_m: float = DEFAULT_RADIUS_M,
    max_snap_m: float = DEFAULT_MAX_SNAP_M,
) -> None:
    """Write a scene's floor folder: map.yaml and map.pgm, keepout.yaml and keepout.pgm if given, and walkable.yaml."""
    floor.save(folder, "map")
    if keepout is not None:
        keepout.save(folder, "keepout")
    write_text(folder / "walkable.yaml", yaml_text({"radius_m": float(radius_m), "max_snap_m": float(max_snap_m)}))


def load_walkable(folder: Path | str) -> WalkableMap | None:
    """Read the walkable map of a scene's floor folder, without walkable.yaml by the defaults; None without a floor map.

    Raises:
        FloorError: a file of the folder is damaged, or nothing is walkable; the folder is named.
    """
    folder = Path(folder)
    # A link that leads nowhere, to a disk that is not mounted, is no missing file: reading says so.
    if not lexists(folder / "map.yaml") and lexists(folder) == folder.exists():
        return None
    keepout = FloorMap.load(folder / "keepout.yaml") if lexists(folder / "keepout.yaml") else None
    settings = _read_settings(folder / "walkable.yaml") if lexists(folder / "walkable.yaml") else {}
    floor = FloorMap.load(folder / "map.yaml")
    try:
        return WalkableMap.from_floor(floor, keepout, **settings)
    except FloorError as error:
        raise FloorError(f"{folder}: {error}") from error


def _read_settings(path: Path) -> dict[str, float]:
    fields = read_yaml(path, FloorError)
    try:
        return {key: float(fields[key]) for key in ("radius_m", "max_snap_m")}
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise FloorError(f"{path} is damaged: it must hold radius_m and max_snap_m as numbers") from error
