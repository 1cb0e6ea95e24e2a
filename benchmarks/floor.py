"""Floor plans: a scene aligned by its floor map alone, a floor map made from the recording, and a drawing imported.

    python benchmarks/floor.py SCENE TRUE_MAP.yaml [--others MAP.yaml ...] [--plan DRAWING] [--out FOLDER]

SCENE is mapped, and aligned to the true map in another way (a reference), which is taken for the truth. FOLDER gets the
images alignment.png and recorded.png.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from campose_core.alignment.floor_matching.refine import align_to_floor
from campose_core.cli.console import show_log
from campose_core.errors import AlignmentError
from campose_core.floor import FloorMap
from campose_core.floorplan.drawing import floor_from_drawing
from campose_core.floorplan.from_landmarks import floor_from_landmarks
from campose_core.geometry import Similarity
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.levelling import level
from campose_core.scene.scene import Scene
from campose_core.walkable import DEFAULT_RADIUS_M

PIXELS = 6  # of an image per cell


def seconds_since(start: float) -> str:
    return f"{time.perf_counter() - start:5.1f} s"


def aligned(landmarks: Landmarks, truth: Similarity, floor: FloorMap, **known: float) -> tuple[str, Similarity | None]:
    """A row of the table, and the similarity where one was found."""
    start = time.perf_counter()
    try:
        found, residual = align_to_floor(landmarks, floor, **known)
    except AlignmentError as error:
        return f"{seconds_since(start)}  refused: {str(error)[:90]}", None
    spent = seconds_since(start)
    off = np.linalg.norm(
        found.transform(landmarks.frame_positions) - truth.transform(landmarks.frame_positions), axis=1
    )
    degrees = np.degrees((found.rotation * truth.rotation.inv()).magnitude())
    return (
        f"{spent}  {100 * np.median(off):6.1f} cm  {degrees:5.2f} deg  scale {found.scale / truth.scale:.4f}  "
        f"walls {residual.median_m:.3f} m  near {residual.near:.2f}  free {residual.free:.3f}  "
        f"second {residual.second:.2f}"
    ), found


def cells_of(floor: FloorMap, other: FloorMap, which: np.ndarray) -> np.ndarray:
    """For each cell of `floor`, whether the cell of `other` at its centre is one of `which`."""
    cells = other.cell_of(floor.centre_of(np.argwhere(np.ones(floor.shape, dtype=bool))))
    there = np.zeros(len(cells), dtype=bool)
    inside = other.contains(cells)
    there[inside] = which[tuple(cells[inside].T)]
    return there.reshape(floor.shape)


def picture_of(floor: FloorMap) -> np.ndarray:
    pixels = np.full((*floor.shape, 3), 200, dtype=np.uint8)
    pixels[floor.free] = 255
    pixels[floor.occupied] = 110
    return pixels


def enlarged(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[::-1]).resize((pixels.shape[1] * PIXELS, pixels.shape[0] * PIXELS), 0)


def draw_alignment(floor: FloorMap, landmarks: Landmarks, found: Similarity, path: Path) -> None:
    """Landmarks between knee and ceiling in blue and the cameras' path in vermilion, over the map."""
    image = enlarged(picture_of(floor))
    draw = ImageDraw.Draw(image)
    in_map = landmarks.transformed(found)
    standing = in_map.xyz[(in_map.xyz[:, 2] > 0.2) & (in_map.xyz[:, 2] < 1.5), :2]
    for xy, colour, radius in ((standing, (0, 114, 178), 0.5), (in_map.frame_positions[:, :2], (213, 94, 0), 2)):
        for column, row in floor.grid_of(xy) * PIXELS:
            y = image.height - row
            draw.ellipse((column - radius, y - radius, column + radius, y + radius), fill=colour)
    image.save(path)


def draw_recorded(recorded: FloorMap, true: FloorMap, path: Path) -> None:
    """Green: rightly free; white: free, not found; red: wrongly free; blue: an obstacle; orange: one where none is."""
    free, occupied = cells_of(recorded, true, true.free), cells_of(recorded, true, true.occupied)
    pixels = np.full((*recorded.shape, 3), 200, dtype=np.uint8)
    pixels[free], pixels[occupied] = 255, 110
    pixels[recorded.free & free] = (180, 230, 180)
    pixels[recorded.free & ~free] = (213, 30, 0)
    pixels[recorded.occupied & occupied] = (0, 60, 160)
    pixels[recorded.occupied & ~occupied] = (230, 159, 0)
    enlarged(pixels).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scene", type=Path)
    parser.add_argument("true_map", type=Path)
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="maps of other floors")
    parser.add_argument("--plan", type=Path, help="a drawing to import")
    parser.add_argument("--out", type=Path, default=Path("floor_benchmark"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    scene = Scene.open(options.scene)
    landmarks, floor = Landmarks.load(scene.sfm_dir / "landmarks.npz"), FloorMap.load(options.true_map)
    assert scene.alignment is not None
    truth = scene.alignment.map_from_sfm

    start = time.perf_counter()
    up = level(landmarks)
    spent = seconds_since(start)
    tilt = np.degrees(np.arccos(np.clip(truth.rotation.apply(up.up)[2], -1, 1)))
    print(
        f"levelling           {spent}  {tilt:.2f} deg from the truth; {up.level_planes} level and "
        f"{up.upright_planes} upright planes, the posture {up.posture_deg:.2g} deg from them"
    )

    row, found = aligned(landmarks, truth, floor)
    print(f"floor map alone     {row}")
    if found is not None:
        draw_alignment(floor, landmarks, found, options.out / "alignment.png")
    print(f"scale 2 % off       {aligned(landmarks, truth, floor, scale=1.02 * truth.scale)[0]}")
    for other in options.others:
        print(f"{other.stem:19.19} {aligned(landmarks, truth, FloorMap.load(other))[0]}")

    sources = sorted({frame.source for frame in scene.posed_frames()})
    paths = [scene.trajectory(source).positions[:, :2] for source in sources]
    start = time.perf_counter()
    recorded = floor_from_landmarks(landmarks.transformed(truth), paths, DEFAULT_RADIUS_M)
    spent = seconds_since(start)
    free = cells_of(recorded, floor, floor.free)
    print(
        f"from the recording  {spent}  {100 * (recorded.free & free).sum() / floor.free.sum():.1f} % of the free floor "
        f"found, {100 * (recorded.free & ~free).sum() / recorded.free.sum():.2f} % of what it calls free is not"
    )
    draw_recorded(recorded, floor, options.out / "recorded.png")
    if options.plan is not None:
        start = time.perf_counter()
        drawn, kind = floor_from_drawing(options.plan, 0.05)
        columns, rows = drawn.shape[1], drawn.shape[0]
        print(f"drawing             {seconds_since(start)}  {columns} x {rows} pixels, read by its {kind}")


if __name__ == "__main__":
    show_log()
    main()
