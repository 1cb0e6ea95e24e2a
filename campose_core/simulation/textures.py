"""Painted surfaces of the simulated world: every surface gets its own picture, with detail at every scale.

Feature matching needs texture that does not repeat, and looks alike from near and far; so each material mixes smooth
noise of several octaves with many small shapes. The same material, size and seed give the same picture.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image as PilImage
from PIL import ImageDraw

from campose_core.frame import Image

Floats: TypeAlias = NDArray[np.float32]
Painter = Callable[[Generator, int, int, float], Floats]

PIXELS_PER_METRE = {"books": 320.0, "picture": 320.0, "window": 320.0, "screen": 320.0, "ceiling": 128.0}
DEFAULT_PIXELS_PER_METRE = 256.0


def paint(material: str, width: float, height: float, seed: int) -> Image:
    """Paint the picture (H, W, 3) uint8 RGB of a surface of width x height metres; row 0 is its upper edge."""
    density = PIXELS_PER_METRE.get(material, DEFAULT_PIXELS_PER_METRE)
    columns, rows = (max(8, round(side * density)) for side in (width, height))
    rng = np.random.default_rng(seed)
    picture = MATERIALS[material](rng, rows, columns, density)
    picture += rng.normal(0.0, 3.0, (rows, columns, 1)).astype(np.float32)
    return np.clip(picture, 0, 255).astype(np.uint8)


def noise(rng: Generator, rows: int, columns: int, cell: tuple[float, float], octaves: int = 4) -> Floats:
    """Make smooth noise (rows, columns) of about unit variance; `cell`: size (y, x) of its largest blobs, pixels."""
    total = np.zeros((rows, columns), dtype=np.float32)
    for octave in range(octaves):
        grid = [
            max(2, round(size / max(side / 2**octave, 1.0)) + 1)
            for size, side in zip((rows, columns), cell, strict=True)
        ]
        coarse = PilImage.fromarray(rng.standard_normal(grid).astype(np.float32))
        total += 0.7**octave * np.asarray(coarse.resize((columns, rows), PilImage.Resampling.BICUBIC))
    return total


def _colour(rng: Generator, low: int = 30, high: int = 235) -> tuple[int, int, int]:
    red, green, blue = rng.integers(low, high, 3)
    return int(red), int(green), int(blue)


def _flat(rows: int, columns: int, colour: tuple[int, int, int]) -> Floats:
    return np.broadcast_to(np.array(colour, dtype=np.float32), (rows, columns, 3)).copy()


def _scatter(rng: Generator, picture: Floats, count: int, sizes: tuple[float, float], contrast: float) -> Floats:
    """Draw ellipses, polygons and strokes of random place, size (pixels) and colour over the picture."""
    rows, columns = picture.shape[:2]
    canvas = PilImage.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    for kind, x, y, log_size in zip(
        rng.integers(0, 3, count),
        rng.uniform(0, columns, count),
        rng.uniform(0, rows, count),
        rng.uniform(math.log(sizes[0]), math.log(sizes[1]), count),
        strict=True,
    ):
        base = picture[int(y), int(x)]
        shade = np.clip(base + contrast * (rng.normal(0, 1) + 0.35 * rng.normal(0, 1, 3)), 0, 255).astype(int)
        fill = (int(shade[0]), int(shade[1]), int(shade[2]))
        size = float(np.exp(log_size))
        angles = np.sort(rng.uniform(0, 2 * np.pi, 5))
        corners = [(x + size * np.cos(a), y + size * np.sin(a)) for a in angles]
        if kind == 0:
            draw.ellipse([x - size, y - size * 0.6, x + size, y + size * 0.6], fill=fill)
        elif kind == 1:
            draw.polygon(corners, fill=fill)
        else:
            draw.line(corners[:3], fill=fill, width=max(1, round(size / 4)))
    return np.asarray(canvas).astype(np.float32)


def _writing(rng: Generator, canvas: PilImage.Image, box: tuple[float, float, float, float], line: float) -> None:
    """Rows of word-like dark blobs inside box (left, top, right, bottom), `line` pixels apart."""
    draw = ImageDraw.Draw(canvas)
    left, top, right, bottom = box
    ink = _colour(rng, 5, 70)
    y = top
    while y + line < bottom:
        x = left
        while x < right - line:
            word = float(rng.uniform(0.5, 3.0)) * line
            draw.rectangle(
                [x, y + line * 0.25, min(x + word, right), y + line * float(rng.uniform(0.55, 0.8))], fill=ink
            )
            x += word + line * float(rng.uniform(0.3, 0.8))
        y += line


def plaster(rng: Generator, rows: int, columns: int, density: float) -> Floats:
    """Paint a wall with stains, scuffs and chips."""
    picture = _flat(rows, columns, _colour(rng, 150, 225))
    picture += 10 * noise(rng, rows, columns, (0.5 * density, 0.5 * density), 6)[..., None]
    area = rows * columns / density**2
    return _scatter(rng, picture, round(90 * area), (0.006 * density, 0.05 * density), 22)


def wallpaper(rng: Generator, rows: int, columns: int, density: float) -> Floats:
    """Paint a wall paper of scattered ornaments, no two alike."""
    picture = _flat(rows, columns, _colour(rng, 120, 225))
    picture += 7 * noise(rng, rows, columns, (0.4 * density, 0.4 * density), 6)[..., None]
    area = rows * columns / density**2
    picture = _scatter(rng, picture, round(45 * area), (0.02 * density, 0.08 * density), 40)
    return _scatter(rng, picture, round(80 * area), (0.006 * density, 0.02 * density), 35)


def brick(rng: Generator, rows: int, columns: int, density: float) -> Floats:
    """Paint bricks of uneven length and colour."""
    picture = _flat(rows, columns, _colour(rng, 140, 190))
    tint = np.array(_colour(rng, 90, 190), dtype=np.float32)
    course = round(0.08 * density)
    for top in range(0, rows, course):
        left = -int(rng.integers(0, course * 3))
        while left < columns:
            length = int(rng.integers(course * 2, course * 4))
            shade = tint + rng.normal(0, 20) + rng.normal(0, 6, 3)
            picture[top + 2 : top + course - 1, max(left + 2, 0) : max(left + length - 1, 0)] = shade
            left += length
    picture += 9 * noise(rng, rows, columns, (0.1 * density, 0.1 * density), 4)[..., None]
    return _scatter(rng, picture, round(40 * rows * columns / density**2), (0.006 * density, 0.02 * density), 30)


def wood(rng: Generator, rows: int, columns: int, density: float) -> Floats:
    """Paint grain along the longer side, knots, and a few marks of use."""
    along_x = columns >= rows
    cell = (0.05 * density, 0.8 * density) if along_x else (0.8 * density, 0.05 * density)
    grain = noise(rng, rows, columns, cell, 4)
    rings = np.sin(5 * grain + 2 * noise(rng, rows, columns, (0.3 * density, 0.3 * density), 2))
    tint = np.array([1.0, rng.uniform(0.72, 0.85), rng.uniform(0.45, 0.65)], dtype=np.float32)
    picture = (rng.uniform(110, 190) + 10 * grain + 9 * rings)[..., None] * tint
    return _scatter(rng, picture, round(70 * rows * columns / density**2) + 3, (0.006 * density, 0.022 * density), 28)


def planks(rng: Generator, rows: int, columns: int, density: float) -> Floats:
    """Paint a wooden floor: boards of uneven tint, worn and spotted."""
    picture = wood(rng, rows, columns, density)
    width = round(0.12 * density)
    for top in range(0, rows, width):
        left = -int(rng.integers(0, round(density)))
        while left < columns:
            length = int(rng.integers(round(0.6 * density), round(1.4 * density)))
            board = picture[top : top + width, max(left, 0) : max(left + length, 0)]
            board *= rng.uniform(0.8, 1.15)
            board[:2] *= 0.5
            board[:, :2] *= 0.5
            left += length
    picture += 6 * noise(rng, rows, columns, (0.5 * density, 0.5 * density), 4)[..., None]
    return _scatter(rng, picture, round(60 * rows * columns / density**2), (0.006 * density, 0.025 * density), 30)


def carpet(rng: Generator, rows: int, columns: int, density: float) -> Floats:
    """Paint a flecked carpet."""
    picture = _flat(rows, columns, _colour(rng, 70, 150))
    picture += 12 * noise(rng, rows, columns, (0.25 * density, 0.25 * density), 6)[..., None]
    area = rows * columns / density**2
    return _scatter(rng, picture, round(200 * area), (0.006 * density, 0.03 * density), 28)


def ceiling(rng: Generator, rows: int, columns: int, density: float) -> Floats:
    """Paint acoustic panels with stains and bright lamps."""
    picture = _flat(rows, columns, (212, 212, 206))
    picture += 5 * noise(rng, rows, columns, (0.4 * density, 0.4 * density), 4)[..., None]
    picture = _scatter(rng, picture, round(60 * rows * columns / density**2), (1.0, 0.025 * density), 22)
    panel = round(0.6 * density)
    picture[::panel], picture[:, ::panel] = 140, 140
    for top in range(2 * panel, rows - panel, 4 * panel):
        for left in range(2 * panel, columns - panel, 4 * panel):
            picture[top + 4 : top + panel - 3, left + 4 : left + panel - 3] = 250
    return picture


def books(rng: Generator, rows: int, columns: int, density: float) -> Floats:
    """Paint an open shelf: boards, and book spines with titles."""
    canvas = PilImage.fromarray(np.full((rows, columns, 3), 45, dtype=np.uint8))
    draw = ImageDraw.Draw(canvas)
    shelf, board = 0.3 * density, 0.02 * density
    for level in range(max(1, round(rows / shelf))):
        floor = rows - board - level * shelf
        x = board
        while x < columns - board - 3:
            thickness = float(rng.uniform(0.015, 0.05)) * density
            if rng.random() < 0.08:
                x += thickness * 2
                continue
            top = floor - float(rng.uniform(0.55, 0.9)) * shelf
            right = min(x + thickness, columns - board)
            draw.rectangle([x, top, right - 1, floor], fill=_colour(rng, 30, 230))
            for _ in range(int(rng.integers(1, 5))):
                y = float(rng.uniform(top, floor))
                band = [
                    x + thickness * 0.2,
                    y,
                    right - thickness * 0.25,
                    min(y + float(rng.uniform(2, 0.05 * density)), floor),
                ]
                if band[2] > band[0] and band[3] > band[1]:
                    draw.rectangle(band, fill=_colour(rng, 10, 250))
            x += thickness
        draw.rectangle([0, floor, columns, floor + board], fill=(150, 110, 70))
    return np.asarray(canvas).astype(np.float32)


def picture(rng: Generator, rows: int, columns: int, density: float) -> Floats:
    """Paint a framed print: colours that run into each other, shapes, and a block of text."""
    colours = np.stack([noise(rng, rows, columns, (rows / 2, columns / 2), 5) for _ in range(3)], axis=-1)
    print_ = np.asarray(_colour(rng, 80, 190), dtype=np.float32) + 30 * colours
    print_ = _scatter(rng, print_, 14, (0.05 * columns, 0.2 * columns), 70)
    print_ = _scatter(rng, print_, 90, (0.01 * columns, 0.06 * columns), 60)
    canvas = PilImage.fromarray(np.clip(print_, 0, 255).astype(np.uint8))
    if rng.random() < 0.7:
        top = float(rng.uniform(0.1, 0.6)) * rows
        block = (0.12 * columns, top, 0.88 * columns, top + 0.3 * rows)
        ImageDraw.Draw(canvas).rectangle(block, fill=_colour(rng, 190, 250))
        _writing(rng, canvas, block, float(rng.uniform(0.018, 0.035)) * density)
    edge = max(2, round(0.015 * density))
    ImageDraw.Draw(canvas).rectangle([0, 0, columns - 1, rows - 1], outline=_colour(rng, 20, 90), width=edge)
    return np.asarray(canvas).astype(np.float32)


def window(rng: Generator, rows: int, columns: int, density: float) -> Floats:
    """Paint a window as a flat print: sky, roofs and trees behind a cross of bars."""
    sky = np.linspace(235, 190, rows, dtype=np.float32)[:, None, None] * np.array([0.85, 0.93, 1.0], dtype=np.float32)
    view = sky + 12 * noise(rng, rows, columns, (rows / 3, columns / 2), 4)[..., None]
    lower = view[rows // 2 :]
    view[rows // 2 :] = _scatter(rng, lower * 0.6, 260, (0.01 * columns, 0.09 * columns), 55)
    bar = max(3, round(0.03 * density))
    for start in (0, (rows - bar) // 2, rows - bar):
        view[start : start + bar] = 238
    for start in (0, (columns - bar) // 2, columns - bar):
        view[:, start : start + bar] = 238
    return view


def screen(rng: Generator, rows: int, columns: int, density: float) -> Floats:
    """Paint a monitor: dark frame, windows full of text."""
    canvas = PilImage.fromarray(np.full((rows, columns, 3), 25, dtype=np.uint8))
    draw = ImageDraw.Draw(canvas)
    for _ in range(4):
        left, top = float(rng.uniform(0.04, 0.5)) * columns, float(rng.uniform(0.05, 0.5)) * rows
        right, bottom = left + 0.45 * columns, top + 0.45 * rows
        draw.rectangle([left, top, right, bottom], fill=_colour(rng, 150, 240))
        _writing(rng, canvas, (left + 4, top + 6, right - 4, bottom - 4), 0.022 * density)
    return np.asarray(canvas).astype(np.float32)


def cabinet(rng: Generator, rows: int, columns: int, density: float) -> Floats:
    """Paint wooden doors and drawers with handles, and notes stuck to them."""
    picture = wood(rng, rows, columns, density)
    column = max(24, round(float(rng.uniform(0.35, 0.5)) * density))
    row = max(24, round(float(rng.uniform(0.25, 0.7)) * density))
    for left in range(0, columns, column):
        for top in range(0, rows, row):
            panel = picture[top : top + row, left : left + column]
            panel *= rng.uniform(0.9, 1.1)
            panel[:3], panel[:, :3] = panel[:3] * 0.4, panel[:, :3] * 0.4
            panel[6:12, column // 2 - 10 : column // 2 + 10] = rng.uniform(20, 80)
    canvas = PilImage.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    for _ in range(max(1, round(3 * rows * columns / density**2))):
        side = 0.1 * density
        x, y = float(rng.uniform(0, columns)), float(rng.uniform(0, rows))
        ImageDraw.Draw(canvas).rectangle([x, y, x + side, y + side], fill=_colour(rng, 170, 250))
        _writing(rng, canvas, (x + 3, y + 3, x + side, y + side), 0.02 * density)
    return np.asarray(canvas).astype(np.float32)


def cardboard(rng: Generator, rows: int, columns: int, density: float) -> Floats:
    """Paint a parcel: tape, labels and print."""
    picture = _flat(rows, columns, (176, 138, 96)) + rng.normal(0, 12)
    picture += 7 * noise(rng, rows, columns, (0.2 * density, 0.2 * density), 5)[..., None]
    picture = _scatter(rng, picture, round(60 * rows * columns / density**2) + 5, (0.006 * density, 0.03 * density), 30)
    canvas = PilImage.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    x, y = float(rng.uniform(0.05, 0.4)) * columns, float(rng.uniform(0.05, 0.4)) * rows
    label = (x, y, x + 0.5 * columns, y + 0.45 * rows)
    ImageDraw.Draw(canvas).rectangle(label, fill=(235, 233, 225))
    _writing(rng, canvas, label, 0.025 * density)
    return np.asarray(canvas).astype(np.float32)


def fabric(rng: Generator, rows: int, columns: int, density: float) -> Floats:
    """Paint woven upholstery with a scattered print."""
    picture = _flat(rows, columns, _colour(rng, 60, 180))
    picture += 9 * noise(rng, rows, columns, (0.06 * density, 0.06 * density), 4)[..., None]
    return _scatter(rng, picture, round(130 * rows * columns / density**2), (0.008 * density, 0.04 * density), 35)


def blank(rng: Generator, rows: int, columns: int, density: float) -> Floats:
    """Paint nothing but fresh paint: nothing to recognise a place by."""
    return _flat(rows, columns, (214, 210, 202))


MATERIALS: dict[str, Painter] = {
    function.__name__: function
    for function in (
        plaster, wallpaper, brick, wood, planks, carpet, ceiling, books, picture, window, screen, cabinet,
        cardboard, fabric, blank,
    )
}  # fmt: skip
