"""Polycam's raw data (developer mode): images, and a JSON file with camera and pose beside each.

As nerfstudio reads it (nerfstudio/process_data/polycam_utils.py and scripts/process_data.py): keyframes/ holds
`corrected_images` and `corrected_cameras` where Polycam has refined its poses, `images` and `cameras` as ARKit had
them; t_00 .. t_23 is world_from_camera by rows, in OpenGL's axes, the world y up. Files are named by increasing
numbers, whose unit nobody tells: images have an order and no clock.
"""

from __future__ import annotations

from pathlib import Path

from campose_core.errors import CaptureError
from campose_core.exports.export import GL_FROM_CV, Z_UP_FROM_Y_UP, Export, ExportedFrame
from campose_core.exports.fields import camera, matrix_pose, number, read_json

PROGRAM = "Polycam"
FORM = "raw data: folder with `keyframes/images`, `keyframes/cameras` (or `corrected_...`)"
BRINGS = ("intrinsics", "poses", "metres")
NOTE = "ARKit as Polycam refined it, z is up; intrinsics of each image; an order, and no clock"
PAIRS = (("corrected_images", "corrected_cameras"), ("images", "cameras"))
SUFFIXES = (".jpg", ".jpeg", ".png")
ROWS = tuple(f"t_{row}{column}" for row in range(3) for column in range(4))


def recognizes(path: Path) -> bool:
    """Tell whether a folder is one, or its keyframes/, by the names in it."""
    return _pair(path) is not None


def _pair(path: Path) -> tuple[Path, Path] | None:
    for folder in (path / "keyframes", *([path] if path.name == "keyframes" else [])):
        for images, cameras in PAIRS:
            if (folder / images).is_dir() and (folder / cameras).is_dir():
                return folder / images, folder / cameras
    return None


def read(path: Path) -> Export:
    """Read the file of each image.

    Raises:
        CaptureError: there are none, or one is damaged.
    """
    pair = _pair(path)
    assert pair is not None
    images, cameras = pair
    files = sorted((f for f in images.iterdir() if f.suffix.lower() in SUFFIXES and f.name[0] != "."), key=_order)
    if not files:
        raise CaptureError(f"{images}: no images: export the raw data once more, in Polycam's developer mode")
    frames = []
    for file in files:
        where = cameras / f"{file.stem}.json"
        if not where.is_file():
            raise CaptureError(f"{where}: is missing, while its image {file.name} is there: export once more")
        fields = read_json(where)
        matrix = [number(fields, name, where) for name in ROWS]
        params = [number(fields, name, where) for name in ("fx", "fy", "cx", "cy")]
        size = number(fields, "width", where), number(fields, "height", where)
        world_from_cam = Z_UP_FROM_Y_UP * matrix_pose(matrix, where) * GL_FROM_CV
        frames.append(ExportedFrame(file, None, camera(*size, params, where), world_from_cam))
    return Export(PROGRAM, path, tuple(frames))


def _order(file: Path) -> tuple[int, str]:
    return int(file.stem) if file.stem.isdecimal() else 0, file.name
