"""What WalkableMap is built from: the walkable cells of a floor, and for each cell the walkable cell it snaps to."""

import math

import numpy as np
import scipy  # its ndimage is loaded where a floor is, which an evaluation has none of
from numpy.typing import NDArray

from campose_core.errors import FloorError
from campose_core.floor import FloorMap

NO_CELL = -1
# Of a large map some rows are worked on at a time; one of more than WHOLE_CELLS falls into tiles, each seen with so
# many reaches of what lies around it.
STRIP_CELLS, WHOLE_CELLS, TILE_SIDE, ASIDE = 20_000_000, 90_000_000, 4096, 12
NEIGHBOURS = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))
SIGHT_HALF_WIDTH = 0.4  # of a line of sight, in cells: nothing is seen through the corner between two walls
SIGHT_STEP = 0.3

Mask = NDArray[np.bool_]
Cells = NDArray[np.int32]


def walkable_cells(floor: FloorMap, keepout: FloorMap | None, radius_m: float) -> Mask:
    """Find the cells that can be walked on.

    (rows, cols) bool: free, not kept out, at least `radius_m` from everything else, in the largest connected part.

    Connected through sides, not corners: a wall drawn as a slanted line of pixels has gaps at the corners.

    Raises:
        FloorError: nothing is left; the message says which step took the last cell.
    """
    allowed = floor.free
    if not allowed.any():
        raise FloorError("the floor map has no free cells: check negate, free_thresh and occupied_thresh")
    if keepout is not None:
        allowed = allowed & ~kept_out(floor, keepout)
        if not allowed.any():
            raise FloorError("the keep-out mask covers every free cell of the floor map: is it inverted (negate)?")
    if radius_m > 0:
        allowed, widest = _eroded(allowed, radius_m, floor.resolution)
        if not allowed.any():
            widest_m = 2 * widest * floor.resolution
            raise FloorError(
                f"no walkable cell is left with a radius of {radius_m} m: no place is wider than {widest_m:.2f} m"
            )
    parts, count = scipy.ndimage.label(allowed)
    sizes = np.zeros(count + 1, dtype=np.int64)
    for rows in _strips(floor.shape):
        sizes += np.bincount(parts[rows].ravel(), minlength=count + 1)
    return np.asarray(parts == 1 + int(sizes[1:].argmax()))


def _strips(shape: tuple[int, int]) -> list[slice]:
    """Rows of a large map, some at a time; of any other all of them."""
    rows = max(1, STRIP_CELLS // shape[1])
    return [slice(top, min(top + rows, shape[0])) for top in range(0, shape[0], rows)]


def _eroded(allowed: Mask, radius_m: float, resolution: float) -> tuple[Mask, float]:
    """Return the cells whose centre lies at least the radius from the side of the nearest that is not allowed, and
    how far that is at most, in cells. Beyond the map nothing is allowed."""
    eroded, farthest = np.empty_like(allowed), 0.0
    aside = math.ceil(min(radius_m / resolution, len(allowed))) + 2
    for rows in _strips(allowed.shape):
        # What lies farther than the radius beyond the strip changes nothing in it.
        above, below = min(aside, rows.start), min(aside, len(allowed) - rows.stop)
        beyond = ((int(above == rows.start), int(below == len(allowed) - rows.stop)), (1, 1))
        around = np.pad(allowed[rows.start - above : rows.stop + below], beyond)
        to_blocked = scipy.ndimage.distance_transform_edt(around)[:, 1:-1] - 0.5
        first = above + beyond[0][0]
        to_blocked = to_blocked[first : first + rows.stop - rows.start]
        eroded[rows] = to_blocked * resolution >= radius_m
        farthest = max(farthest, float(to_blocked.max()))
    return eroded, farthest


def kept_out(floor: FloorMap, keepout: FloorMap) -> Mask:
    """Return which free cells (rows, cols) of `floor` have their centre in an occupied cell of `keepout`."""
    out, occupied = np.zeros(floor.shape, dtype=bool), keepout.occupied
    for rows in _strips(floor.shape):
        cells = np.argwhere(floor.free[rows])
        cells[:, 0] += rows.start
        mask_cells = keepout.cell_of(floor.centre_of(cells))
        on_mask = keepout.contains(mask_cells)
        hit = np.zeros(len(cells), dtype=bool)
        hit[on_mask] = occupied[mask_cells[on_mask, 0], mask_cells[on_mask, 1]]
        out[cells[hit, 0], cells[hit, 1]] = True
    return out


def padded_snap_targets(solid: Mask, walkable: Mask, margin: int, reach: float) -> Cells:
    """As `snap_targets`, of `walkable` without the margin of `solid`; a map that is too large for the memory is worked
    on in tiles.

    What a cell snaps to depends on what lies around it: labels compete for the cells between, and these reaches of
    them overlap. Whatever it gets in a tile is in reach and in sight.
    """
    if solid.size <= WHOLE_CELLS:
        return snap_targets(solid, np.pad(walkable, margin), reach)
    target, aside, columns = np.empty(solid.shape, dtype=np.int32), math.ceil(ASIDE * (reach + 1)), solid.shape[1]
    for top in range(0, solid.shape[0], TILE_SIDE):
        for left in range(0, columns, TILE_SIDE):
            tile = slice(top, top + TILE_SIDE), slice(left, left + TILE_SIDE)
            row, column = max(0, top - aside), max(0, left - aside)
            block = solid[row : top + TILE_SIDE + aside, column : left + TILE_SIDE + aside].copy()
            for edge in (block[:2], block[-2:], block[:, :2], block[:, -2:]):
                edge[...] = True
            inside = np.zeros_like(block)
            rows = slice(max(row, margin), min(row + block.shape[0], margin + walkable.shape[0]))
            cols = slice(max(column, margin), min(column + block.shape[1], margin + walkable.shape[1]))
            inside[rows.start - row : rows.stop - row, cols.start - column : cols.stop - column] = walkable[
                rows.start - margin : rows.stop - margin, cols.start - margin : cols.stop - margin
            ]
            inside &= ~block
            found = snap_targets(block, inside, reach)[top - row :, left - column :][:TILE_SIDE, :TILE_SIDE]
            in_map = (found // block.shape[1] + row) * columns + found % block.shape[1] + column
            target[tile] = np.where(found == NO_CELL, NO_CELL, in_map)
    return target


def snap_targets(solid: Mask, walkable: Mask, reach: float) -> Cells:
    """Find the flat index of the walkable cell that each cell snaps to, (rows, cols); NO_CELL where there is none.

    solid, walkable: (rows, cols), disjoint; the two outermost rows and columns must be solid. reach: in cells.

    A walkable cell is its own. Any other free cell gets the nearest walkable cell in its line of sight: labels spread
    from neighbour to neighbour over free cells (a brush fire), and a cell takes a label over when that is nearer than
    the one it has and seen from it. A solid cell gets what its nearest free cell has: the same side of the wall.
    """
    columns = solid.shape[1]
    limit = (reach + 1) ** 2
    if not walkable.any():
        return np.full(solid.shape, NO_CELL, dtype=np.int32)
    target = np.where(walkable, np.arange(solid.size, dtype=np.int32).reshape(solid.shape), NO_CELL).astype(np.int32)
    flat_target, flat_solid = target.reshape(-1), solid.reshape(-1)
    burnable = ~(solid | walkable).reshape(-1)
    nearest = np.full(solid.size, np.inf, dtype=np.float32)
    front = np.flatnonzero(
        walkable & scipy.ndimage.binary_dilation(burnable.reshape(solid.shape), np.ones((3, 3), dtype=bool))
    )
    while len(front):
        reached = []
        for d_row, d_column in NEIGHBOURS:
            cells = front + d_row * columns + d_column
            passable = burnable[cells]
            if d_row and d_column:
                passable &= ~(flat_solid[front + d_row * columns] | flat_solid[front + d_column])
            cells, labels = cells[passable], flat_target[front[passable]]
            distance = (cells // columns - labels // columns) ** 2 + (cells % columns - labels % columns) ** 2
            better = (distance <= limit) & (distance < nearest[cells])
            cells, labels, distance = cells[better], labels[better], distance[better]
            seen = _in_sight(solid, cells, labels)
            flat_target[cells[seen]] = labels[seen]
            nearest[cells[seen]] = distance[seen]
            reached.append(cells[seen])
        front = np.unique(np.concatenate(reached))
    distance, (row, column) = scipy.ndimage.distance_transform_edt(solid, return_indices=True)
    behind = solid & (distance <= reach + 1)
    target[behind] = target[row[behind], column[behind]]
    return target


def _in_sight(solid: Mask, cells: NDArray[np.int64], others: Cells) -> Mask:
    """Whether the broad line between the centres of each cell and its other one runs through no solid cell."""
    columns = solid.shape[1]
    start = np.stack([cells // columns, cells % columns]) + 0.5
    step = np.stack([others // columns, others % columns]) + 0.5 - start
    seen = np.ones(len(cells), dtype=bool)
    if not len(cells):
        return seen
    length = np.maximum(np.hypot(*step), 1e-9)
    side = np.stack([-step[1], step[0]]) / length * SIGHT_HALF_WIDTH
    samples = int(np.ceil(length.max() / SIGHT_STEP))
    for i in range(1, samples):
        middle = start + step * (i / samples)
        for edge in (middle + side, middle - side):
            row, column = edge.astype(np.int64)
            seen &= ~solid[row, column]
    return seen
