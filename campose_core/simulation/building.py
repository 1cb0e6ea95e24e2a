"""A furnished floor made from a seed: rooms, walls with doors, and the faces of all that can be seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from campose_core.errors import UsageError
from campose_core.simulation.furniture import furnish, pictures
from campose_core.simulation.surfaces import SHADE, lying, new_seed, standing
from campose_core.simulation.world import CEILING, SIZES, Box, Rectangle, Surface, Vector, World

CORNER_XY = (-2.1, -1.4)  # of the building in the map frame: a map whose origin is not zero
WALL = 0.15
DOOR_HEIGHT, DOOR_WIDTH = 2.05, 1.0
NORMALS: dict[str, Vector] = {
    "-x": (-1, 0, 0),
    "+x": (1, 0, 0),
    "-y": (0, -1, 0),
    "+y": (0, 1, 0),
    "+z": (0, 0, 1),
    "-z": (0, 0, -1),
}


def build_world(size: str = "demo", seed: int = 0) -> World:
    """Build the floor of this seed. `small` is one room of 4.6 x 3.6 m, `demo` three rooms and a corridor on 9 x 7.4 m.

    Raises:
        UsageError: no such size, or a negative seed.
    """
    if size not in SIZES:
        raise UsageError(f"no world of size {size!r}, known: {', '.join(SIZES)}")
    if seed < 0:
        raise UsageError(f"a seed must be 0 or more, got {seed}")
    rng = np.random.default_rng([seed, SIZES.index(size)])
    rooms, walls, doorways = _one_room() if size == "small" else _three_rooms(rng)
    furniture = [box for room in rooms if room.name != "corridor" for box in furnish(rng, room, doorways)]
    surfaces = [
        *(face for box in walls for face in _faces(rng, box, walls)),
        *(face for box in furniture for face in _faces(rng, box, walls)),
        *(face for room in rooms for face in _floor_and_ceiling(rng, room)),
        *(Surface(*lying(d.low, d.high, 0.0), "wood", new_seed(rng)) for d in doorways),
        *(picture for room in rooms for picture in pictures(rng, room, doorways)),
    ]
    return World(size, seed, tuple(rooms), tuple(doorways), (*walls, *furniture), tuple(surfaces))


def _rectangle(name: str, x0: float, y0: float, x1: float, y1: float) -> Rectangle:
    dx, dy = CORNER_XY
    low, high = (round(x0 + dx, 6), round(y0 + dy, 6)), (round(x1 + dx, 6), round(y1 + dy, 6))
    return Rectangle(name, low, high)


def _one_room() -> tuple[list[Rectangle], list[Box], list[Rectangle]]:
    room = _rectangle("room", WALL, WALL, WALL + 4.6, WALL + 3.6)
    return [room], _outer_walls(4.6 + 2 * WALL, 3.6 + 2 * WALL), []


def _three_rooms(rng: Generator) -> tuple[list[Rectangle], list[Box], list[Rectangle]]:
    """West and east room in the south, the corridor north of them, and one long room north of that."""
    width, height = 9.0, 7.4
    south, north = 3.0, 4.55  # lower edges of the two walls of the corridor

    def jitter(centre: float) -> float:
        return round(centre + 0.05 * int(rng.integers(-3, 4)), 6)

    middle = jitter(4.3)
    rooms = [
        _rectangle("west", WALL, WALL, middle, south),
        _rectangle("east", middle + WALL, WALL, width - WALL, south),
        _rectangle("corridor", WALL, south + WALL, width - WALL, north),
        _rectangle("north", WALL, north + WALL, width - WALL, height - WALL),
    ]
    half = DOOR_WIDTH / 2

    def door_in_row(name: str, x: float, y: float) -> Rectangle:
        return _rectangle(name, x - half, y, x + half, y + WALL)

    y = jitter(1.55)
    doorways = [
        door_in_row("west door", jitter(1.35), south),
        door_in_row("east door", jitter(7.65), south),
        door_in_row("north west door", jitter(2.35), north),
        door_in_row("north east door", jitter(6.65), north),
        _rectangle("middle door", middle, y - half, middle + WALL, y + half),
    ]
    walls = _outer_walls(width, height)
    for bottom in (south, north):
        row = [door for door in doorways if door.low[1] == round(bottom + CORNER_XY[1], 6)]
        walls += _wall(_rectangle("", WALL, bottom, width - WALL, bottom + WALL), row, axis=0)
    walls += _wall(_rectangle("", middle, WALL, middle + WALL, south), doorways[-1:], axis=1)
    return rooms, walls, doorways


def _wall_box(low: tuple[float, float], high: tuple[float, float], bottom: float = 0.0) -> Box:
    sides = ("-x", "+x", "-y", "+y") if bottom == 0 else ("-x", "+x", "-y", "+y", "-z")
    return Box((*low, bottom), (*high, CEILING), tuple((side, "wall") for side in sides), is_wall=True)


def _outer_walls(width: float, height: float) -> list[Box]:
    strips = [
        _rectangle("", 0, 0, width, WALL),
        _rectangle("", 0, height - WALL, width, height),
        _rectangle("", 0, WALL, WALL, height - WALL),
        _rectangle("", width - WALL, WALL, width, height - WALL),
    ]
    return [_wall_box(strip.low, strip.high) for strip in strips]


def _wall(strip: Rectangle, doors: list[Rectangle], axis: int) -> Iterator[Box]:
    """Yield the pieces of a wall along `axis` between its doors, and a lintel over each door."""

    def piece(start: float, end: float, bottom: float = 0.0) -> Box:
        low, high = list(strip.low), list(strip.high)
        low[axis], high[axis] = start, end
        return _wall_box((low[0], low[1]), (high[0], high[1]), bottom)

    start = strip.low[axis]
    for door in sorted(doors, key=lambda door: door.low[axis]):
        yield piece(start, door.low[axis])
        yield piece(door.low[axis], door.high[axis], DOOR_HEIGHT)
        start = door.high[axis]
    yield piece(start, strip.high[axis])


def _faces(rng: Generator, box: Box, walls: list[Box]) -> Iterator[Surface]:
    """Yield the faces of a box that can be seen from inside the building."""
    lows, highs = np.array([wall.low for wall in walls]), np.array([wall.high for wall in walls])
    along_edge = np.linspace(0.02, 0.98, 25)[:, None]
    for side, material in box.materials:
        if side in ("+z", "-z"):
            z = box.high[2] if side == "+z" else box.low[2]
            edges = lying(box.low[:2], box.high[:2], z, side == "+z")
        else:
            edges = standing(side, box.low, box.high)
        corner, along, down = (np.array(edge) for edge in edges)
        samples = corner + along_edge * along + 0.5 * down + 0.01 * np.array(NORMALS[side])  # (25, 3)
        outside = ((samples < lows.min(axis=0)) | (samples > highs.max(axis=0))).any(axis=1)
        in_a_wall = ((samples[:, None] > lows) & (samples[:, None] < highs)).all(axis=2).any(axis=1)
        if not (outside | in_a_wall).all():
            chosen = str(rng.choice(["plaster", "wallpaper", "brick"])) if material == "wall" else material
            yield Surface(*edges, chosen, new_seed(rng), SHADE[side])


def _floor_and_ceiling(rng: Generator, room: Rectangle) -> Iterator[Surface]:
    yield Surface(*lying(room.low, room.high, 0.0), str(rng.choice(["planks", "carpet"])), new_seed(rng), SHADE["+z"])
    yield Surface(*lying(room.low, room.high, CEILING, face_up=False), "ceiling", new_seed(rng), SHADE["-z"])
    if room.name != "corridor":
        yield Surface(*lying(room.at(0.3, 0.32), room.at(0.7, 0.68), 0.004), "fabric", new_seed(rng), SHADE["+z"])
