"""The simulated floor from above, with the drives: a picture for people."""

from __future__ import annotations

import numpy as np
from PIL import Image as PilImage
from PIL import ImageDraw

from campose_core.frame import Image
from campose_core.geometry import Array
from campose_core.simulation.textures import paint
from campose_core.simulation.world import CEILING, World
from campose_core.trajectory import Trajectory

PIXELS_PER_METRE = 100
MARGIN = 0.3  # metres
COLOURS = ((30, 110, 220), (220, 60, 30), (30, 150, 70))


def draw_top_view(world: World, drives: dict[str, Trajectory]) -> Image:
    """Draw floors, furniture and walls from above (H, W, 3) uint8 RGB, y upwards; a line per drive, a dot at its start.

    drives: name -> map_from_base.
    """
    low, high = (np.array(corner) for corner in world.bounds())
    low, high = low - MARGIN, high + MARGIN
    width, height = (int(side) for side in np.ceil((high - low) * PIXELS_PER_METRE))
    canvas = PilImage.new("RGB", (width, height), (255, 255, 255))

    def pixel(xy: Array) -> list[tuple[float, float]]:
        scaled = (np.asarray(xy)[..., :2] - low) * PIXELS_PER_METRE
        return [(float(x), height - float(y)) for x, y in scaled.reshape(-1, 2)]

    for surface in sorted(world.surfaces, key=lambda surface: surface.corner[2]):
        corner, along, down = (np.array(edge) for edge in (surface.corner, surface.along, surface.down))
        if along[2] or down[2] or not along[0] > 0 > down[1] or corner[2] >= CEILING:
            continue
        (left, top), (right, bottom) = pixel(np.array([corner, corner + along + down]))
        size = (max(1, round(right - left)), max(1, round(bottom - top)))
        picture = PilImage.fromarray(paint(surface.material, surface.width, surface.height, surface.seed))
        canvas.paste(picture.resize(size, PilImage.Resampling.BOX), (round(left), round(top)))
    draw = ImageDraw.Draw(canvas)
    for box in world.boxes:
        (left, bottom), (right, top) = pixel(np.array([box.low, box.high]))
        if box.is_wall and box.low[2] == 0:
            draw.rectangle([left, top, right, bottom], fill=(60, 60, 66))
        elif not box.is_wall:
            draw.rectangle([left, top, right, bottom], outline=(20, 20, 20))
    for (name, drive), colour, row in zip(drives.items(), COLOURS, range(len(COLOURS)), strict=False):
        points = pixel(drive.positions)
        draw.line(points, fill=colour, width=4)
        (x, y) = points[0]
        draw.ellipse([x - 9, y - 9, x + 9, y + 9], fill=colour, outline=(255, 255, 255))
        draw.text((10 + 120 * row, 8), name, fill=colour, font_size=18)
    return np.asarray(canvas)
