"""A furnished floor made from a seed: exact geometry that can be drawn, driven through and mapped.

Boxes (walls and furniture) are axis-aligned and stand in the map frame: metres, z up, floor at z = 0. What a camera
sees are `Surface`s, rectangles with a painted picture each; what a robot meets are the footprints of the boxes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from campose_core.errors import UsageError
from campose_core.floor import FREE, OCCUPIED, UNKNOWN, FloorMap

Vector = tuple[float, float, float]

SIZES = ("small", "demo")
CORNER_XY = (-2.1, -1.4)  # of the building in the map frame: a map whose origin is not zero
WALL = 0.15
CEILING = 2.5
DOOR_HEIGHT, DOOR_WIDTH = 2.05, 1.0
ROBOT_HEIGHT = 1.0  # boxes that begin above it (lintels) do not block the way
NORMALS: dict[str, Vector] = {
    "-x": (-1, 0, 0),
    "+x": (1, 0, 0),
    "-y": (0, -1, 0),
    "+y": (0, 1, 0),
    "+z": (0, 0, 1),
    "-z": (0, 0, -1),
}
SHADE = {
    "-x": 0.82,
    "+x": 0.94,
    "-y": 1.0,
    "+y": 0.88,
    "+z": 0.97,
    "-z": 0.95,
}  # light from one side, so that corners show


@dataclass(frozen=True)
class Rectangle:
    """A named part of the floor: a room or a doorway, low and high corner (x, y) in metres."""

    name: str
    low: tuple[float, float]
    high: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The point at fractions (x, y) of its extent."""
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
    """A painted rectangle: `corner` is the upper left of the picture, the edges run along its rows and columns."""

    corner: Vector
    along: Vector
    down: Vector
    material: str
    seed: int
    shade: float = 1.0

    @property
    def width(self) -> float:
        return float(np.linalg.norm(self.along))

    @property
    def height(self) -> float:
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
        """The room or doorway of this name."""
        return next(area for area in (*self.rooms, *self.doorways) if area.name == name)

    def bounds(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Outer corners (x, y) of the building, walls included."""
        lows, highs = np.array([b.low[:2] for b in self.boxes]), np.array([b.high[:2] for b in self.boxes])
        (x0, y0), (x1, y1) = lows.min(0), highs.max(0)
        return (float(x0), float(y0)), (float(x1), float(y1))

    def floor_map(self, resolution: float = 0.05, margin: float = 0.5) -> FloorMap:
        """The exact occupancy grid: a cell is what its centre is; beyond the outer walls it is unknown."""
        (x0, y0), (x1, y1) = self.bounds()
        columns, rows = (round((high - low + 2 * margin) / resolution) for low, high in ((x0, x1), (y0, y1)))
        origin = (round(x0 - margin, 6), round(y0 - margin, 6), 0.0)
        blank = FloorMap(np.full((rows, columns), UNKNOWN, dtype=np.int8), resolution, origin)
        centres = blank.centre_of(np.argwhere(blank.occupancy == UNKNOWN))
        cells = np.where(self.occupied(centres), OCCUPIED, np.where(self.free(centres), FREE, UNKNOWN))
        return FloorMap(cells.reshape(rows, columns).astype(np.int8), resolution, origin)

    def occupied(self, points_xy: ArrayLike) -> NDArray[np.bool_]:
        """Which points (N, 2) lie in the footprint of a wall or a piece of furniture."""
        return _covered(points_xy, [(b.low[:2], b.high[:2]) for b in self.boxes if b.low[2] < ROBOT_HEIGHT])

    def free(self, points_xy: ArrayLike) -> NDArray[np.bool_]:
        """Which points (N, 2) lie in a room or doorway with nothing on them."""
        inside = _covered(points_xy, [(area.low, area.high) for area in (*self.rooms, *self.doorways)])
        return inside & ~self.occupied(points_xy)


def build_world(size: str = "demo", seed: int = 0) -> World:
    """The floor of this seed. `small` is one room of 4.6 x 3.6 m, `demo` three rooms and a corridor on 9 x 7.4 m.

    Raises:
        UsageError: no such size, or a negative seed.
    """
    if size not in SIZES:
        raise UsageError(f"no world of size {size!r}, known: {', '.join(SIZES)}")
    if seed < 0:
        raise UsageError(f"a seed must be 0 or more, got {seed}")
    rng = np.random.default_rng([seed, SIZES.index(size)])
    rooms, walls, doorways = _one_room() if size == "small" else _three_rooms(rng)
    furniture = [box for room in rooms if room.name != "corridor" for box in _furnish(rng, room, doorways)]
    surfaces = [
        *(face for box in walls for face in _faces(rng, box, walls)),
        *(face for box in furniture for face in _faces(rng, box, walls)),
        *(face for room in rooms for face in _floor_and_ceiling(rng, room)),
        *(Surface(*_lying(d.low, d.high, 0.0), "wood", _seed(rng)) for d in doorways),
        *(picture for room in rooms for picture in _pictures(rng, room, doorways)),
    ]
    return World(size, seed, tuple(rooms), tuple(doorways), (*walls, *furniture), tuple(surfaces))


def _covered(points_xy: ArrayLike, rectangles: list[tuple[tuple[float, ...], tuple[float, ...]]]) -> NDArray[np.bool_]:
    points = np.asarray(points_xy, dtype=np.float64).reshape(-1, 2)
    covered = np.zeros(len(points), dtype=bool)
    for low, high in rectangles:
        covered |= ((points >= low) & (points <= high)).all(axis=1)
    return covered


def _seed(rng: Generator) -> int:
    return int(rng.integers(2**31))


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
    """The pieces of a wall along `axis` between its doors, and a lintel over each door."""

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


def _lying(
    low: tuple[float, float], high: tuple[float, float], z: float, face_up: bool = True
) -> tuple[Vector, Vector, Vector]:
    """Corner and edges of a horizontal rectangle that is seen from above, or from below."""
    (x0, y0), (x1, y1) = low, high
    if face_up:
        return (x0, y1, z), (x1 - x0, 0, 0), (0, y0 - y1, 0)
    return (x0, y0, z), (x1 - x0, 0, 0), (0, y1 - y0, 0)


def _standing(side: str, low: Vector, high: Vector) -> tuple[Vector, Vector, Vector]:
    """Corner and edges of the vertical face `side` of the box from low to high, seen from outside."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    corners = {
        "-x": ((x0, y1), (x0, y0)),
        "+x": ((x1, y0), (x1, y1)),
        "-y": ((x0, y0), (x1, y0)),
        "+y": ((x1, y1), (x0, y1)),
    }
    (left_x, left_y), (right_x, right_y) = corners[side]
    return (left_x, left_y, z1), (right_x - left_x, right_y - left_y, 0), (0, 0, z0 - z1)


def _faces(rng: Generator, box: Box, walls: list[Box]) -> Iterator[Surface]:
    """The faces of a box that can be seen from inside the building."""
    solid = [(wall.low, wall.high) for wall in walls]
    outer_low, outer_high = np.min([wall.low for wall in walls], axis=0), np.max([wall.high for wall in walls], axis=0)
    for side, material in box.materials:
        if side in ("+z", "-z"):
            z = box.high[2] if side == "+z" else box.low[2]
            edges = _lying(box.low[:2], box.high[:2], z, side == "+z")
        else:
            edges = _standing(side, box.low, box.high)
        corner, along, down = (np.array(edge) for edge in edges)
        samples = [
            corner + u * along + 0.5 * down + 0.01 * np.array(NORMALS[side]) for u in np.linspace(0.02, 0.98, 25)
        ]
        hidden = [
            bool(
                (p < outer_low).any()
                or (p > outer_high).any()
                or any((p > lo).all() and (p < hi).all() for lo, hi in solid)
            )
            for p in samples
        ]
        if not all(hidden):
            chosen = str(rng.choice(["plaster", "wallpaper", "brick"])) if material == "wall" else material
            yield Surface(*edges, chosen, _seed(rng), SHADE[side])


def _floor_and_ceiling(rng: Generator, room: Rectangle) -> Iterator[Surface]:
    yield Surface(*_lying(room.low, room.high, 0.0), str(rng.choice(["planks", "carpet"])), _seed(rng), SHADE["+z"])
    yield Surface(*_lying(room.low, room.high, CEILING, face_up=False), "ceiling", _seed(rng), SHADE["-z"])
    if room.name != "corridor":
        yield Surface(*_lying(room.at(0.3, 0.32), room.at(0.7, 0.68), 0.004), "fabric", _seed(rng), SHADE["+z"])


INWARD = {"south": "+y", "north": "-y", "west": "+x", "east": "-x"}


def _gaps(
    rng: Generator, room: Rectangle, wall: str, doorways: list[Rectangle], margin: float
) -> Iterator[tuple[float, float]]:
    """Stretches (start, end) along a wall of the room that keep `margin` from its doors and corners."""
    axis = 0 if wall in ("south", "north") else 1
    across = 1 - axis
    at = room.low[across] if wall in ("south", "west") else room.high[across]
    doors = sorted(
        (d.low[axis], d.high[axis])
        for d in doorways
        if abs(d.low[across] - at) < 1e-3 or abs(d.high[across] - at) < 1e-3
    )
    start = room.low[axis] + margin
    for low, high in doors:
        if room.low[axis] <= low <= room.high[axis]:
            yield start, low - margin
            start = high + margin
    yield start, room.high[axis] - margin


def _against(
    room: Rectangle, wall: str, start: float, width: float, near: float, far: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Footprint of something `width` wide from `start` along the wall, between `near` and `far` from it."""
    (x0, y0), (x1, y1) = room.low, room.high
    footprints = {
        "south": ((start, y0 + near), (start + width, y0 + far)),
        "north": ((start, y1 - far), (start + width, y1 - near)),
        "west": ((x0 + near, start), (x0 + far, start + width)),
        "east": ((x1 - far, start), (x1 - near, start + width)),
    }
    return footprints[wall]


def _furnish(rng: Generator, room: Rectangle, doorways: list[Rectangle]) -> Iterator[Box]:
    """Furniture along the walls: clear of doors, and of the corners where two rows would meet."""
    for wall in INWARD:
        for start, end in _gaps(rng, room, wall, doorways, margin=0.25 if wall in ("south", "north") else 0.75):
            place = start + float(rng.uniform(0.0, 0.3))
            while end - place > 0.45:
                width = min(float(rng.uniform(0.45, 1.4)), end - place)
                yield from _piece(rng, room, wall, place, width)
                place += width + float(rng.uniform(0.1, 0.7))


def _piece(rng: Generator, room: Rectangle, wall: str, start: float, width: float) -> Iterator[Box]:
    """One piece of furniture with its back to the wall."""
    front = INWARD[wall]

    def box(near: float, far: float, bottom: float, top: float, face: str, other: str, inset: float = 0.0) -> Box:
        low, high = _against(room, wall, start + inset, width - 2 * inset, near, far)
        sides = [(side, face if side == front else other) for side in ("-x", "+x", "-y", "+y", "+z")]
        return Box((*low, bottom), (*high, top), tuple(sides))

    kinds = ["shelf", "cabinet", "desk", "sofa", "parcels"] if width > 0.9 else ["shelf", "cabinet", "parcels"]
    kind = str(rng.choice(kinds))
    if kind == "shelf":
        yield box(0, 0.3, 0, float(rng.uniform(1.5, 2.1)), "books", "wood")
    elif kind == "cabinet":
        height = float(rng.uniform(0.7, 1.9))
        yield box(0, 0.42, 0, height, "cabinet", "wood")
        if height < 1.4:
            yield box(
                0.1, 0.3, height, height + 0.3, "cardboard", "cardboard", inset=width * float(rng.uniform(0.15, 0.35))
            )
    elif kind == "desk":
        yield box(0, 0.55, 0.70, 0.74, "wood", "wood")
        yield box(0.05, 0.45, 0, 0.70, "cabinet", "wood", inset=0.3 * width)
        yield box(0.15, 0.2, 0.80, 1.15, "screen", "wood", inset=0.25 * width)
        yield box(0.1, 0.25, 0.74, 0.80, "wood", "wood", inset=0.42 * width)
    elif kind == "sofa":
        yield box(0.15, 0.6, 0, 0.42, "fabric", "fabric")
        yield box(0, 0.15, 0, 0.85, "fabric", "fabric")
    else:
        height = float(rng.uniform(0.3, 0.5))
        yield box(0, 0.4, 0, height, "cardboard", "cardboard")
        yield box(
            0.05, 0.35, height, height + float(rng.uniform(0.2, 0.45)), "cardboard", "cardboard", inset=0.15 * width
        )


def _pictures(rng: Generator, room: Rectangle, doorways: list[Rectangle]) -> Iterator[Surface]:
    """Prints and windows on the walls, 5 mm off them; windows only in the outer walls of rooms."""
    for wall in INWARD:
        outer = room.name == "room" or (wall, room.name) in {("south", "west"), ("south", "east"), ("north", "north")}
        for start, end in _gaps(rng, room, wall, doorways, margin=0.15):
            place = start + float(rng.uniform(0.0, 0.3))
            while end - place > 0.35:
                material = "window" if outer and rng.random() < 0.35 else "picture"
                width = min(float(rng.uniform(0.4, 1.1)), end - place)
                bottom = 0.95 if material == "window" else float(rng.uniform(0.5, 1.2))
                top = min(bottom + float(rng.uniform(0.5, 1.0)), CEILING - 0.2)
                low, high = _against(room, wall, place, width, -0.005, 0.005)
                yield Surface(
                    *_standing(INWARD[wall], (*low, bottom), (*high, top)), material, _seed(rng), SHADE[INWARD[wall]]
                )
                place += width + float(rng.uniform(0.1, 0.5))
