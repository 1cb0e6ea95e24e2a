"""Rectangles of the simulated floor as surfaces: where their images have the upper left corner, and their shade."""

from __future__ import annotations

from numpy.random import Generator

from campose_core.simulation.world import Vector

SHADE = {
    "-x": 0.82,
    "+x": 0.94,
    "-y": 1.0,
    "+y": 0.88,
    "+z": 0.97,
    "-z": 0.95,
}  # light from one side, so that corners show


def new_seed(rng: Generator) -> int:
    """Draw a seed for the picture of one surface."""
    return int(rng.integers(2**31))


def lying(
    low: tuple[float, float], high: tuple[float, float], z: float, face_up: bool = True
) -> tuple[Vector, Vector, Vector]:
    """Return corner and edges of a horizontal rectangle that is seen from above, or from below; metres, map frame."""
    (x0, y0), (x1, y1) = low, high
    if face_up:
        return (x0, y1, z), (x1 - x0, 0, 0), (0, y0 - y1, 0)
    return (x0, y0, z), (x1 - x0, 0, 0), (0, y1 - y0, 0)


def standing(side: str, low: Vector, high: Vector) -> tuple[Vector, Vector, Vector]:
    """Return corner and edges of the vertical face `side` of the box from low to high, seen from outside.

    side: "-x", "+x", "-y" or "+y". low, high: metres, map frame.
    """
    (x0, y0, z0), (x1, y1, z1) = low, high
    corners = {
        "-x": ((x0, y1), (x0, y0)),
        "+x": ((x1, y0), (x1, y1)),
        "-y": ((x0, y0), (x1, y0)),
        "+y": ((x1, y1), (x0, y1)),
    }
    (left_x, left_y), (right_x, right_y) = corners[side]
    return (left_x, left_y, z1), (right_x - left_x, right_y - left_y, 0), (0, 0, z0 - z1)
