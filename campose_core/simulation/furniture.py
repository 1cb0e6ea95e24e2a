"""What stands along the walls of a simulated room, and what hangs on them."""

from __future__ import annotations

from collections.abc import Iterator

from numpy.random import Generator

from campose_core.simulation.surfaces import SHADE, new_seed, standing
from campose_core.simulation.world import CEILING, Box, Rectangle, Surface

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


def furnish(rng: Generator, room: Rectangle, doorways: list[Rectangle]) -> Iterator[Box]:
    """Yield furniture along the walls: clear of doors, and of the corners where two rows would meet."""
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


def pictures(rng: Generator, room: Rectangle, doorways: list[Rectangle]) -> Iterator[Surface]:
    """Yield prints and windows on the walls, 5 mm off them; windows only in the outer walls of rooms."""
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
                    *standing(INWARD[wall], (*low, bottom), (*high, top)), material, new_seed(rng), SHADE[INWARD[wall]]
                )
                place += width + float(rng.uniform(0.1, 0.5))
