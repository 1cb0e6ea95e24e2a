"""A drive of some two thousand frames through the rendered floor, as folders of its first so many."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from campose_core.files import replacing
from campose_core.progress import track
from campose_core.simulation.building import build_world
from campose_core.simulation.drive import BASE_FROM_CAM, TOURS, drive_by_way_of
from campose_core.simulation.simulate import PRESETS, drawing

RATE_HZ = 14.0
FRAMES = 2000


def long_drive(out: Path) -> Path:
    """The folder of all images, drawn where they are missing."""
    folder = out / "long"
    if not folder.is_dir():
        world, camera = build_world("demo", 0), PRESETS["demo"].camera
        there = TOURS["demo", "mapping"]
        way = drive_by_way_of(world, [*there, *TOURS["demo", "later"], *there[1:]], RATE_HZ)
        poses = [pose for _, pose in way.moved_by(BASE_FROM_CAM)][:FRAMES]
        with replacing(folder) as beside, drawing(world, camera, workers=2) as draw:
            beside.mkdir()
            for number, image in enumerate(track(draw(enumerate(poses)), "long drive", total=len(poses))):
                Image.fromarray(image).save(beside / f"{number:06d}.jpg", quality=95)
    return folder


def first_frames(folder: Path, count: int, out: Path) -> Path:
    """A folder with links to the first `count` images."""
    part = out / f"first{count}"
    if not part.is_dir():
        part.mkdir()
        for file in sorted(folder.glob("*.jpg"))[:count]:
            (part / file.name).symlink_to(file.resolve())
    return part
