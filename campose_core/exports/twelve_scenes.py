"""12-Scenes (Valentin et al., "Learning to navigate the energy landscape", 3DV 2016).

http://graphics.stanford.edu/projects/reloc, as vislearn/dsacstar reads it (datasets/setup_12scenes.py): info.txt names
the size and `m_calibrationColorIntrinsic`, a 4x4 matrix by rows; data/frame-XXXXXX.color.jpg has world_from_camera in
frame-XXXXXX.pose.txt, infinite where it was lost; split.txt gives the range of the test sequence, the first one.
"""

from __future__ import annotations

import re
from pathlib import Path

from campose_core.camera import Camera
from campose_core.errors import CaptureError
from campose_core.exports.export import Export
from campose_core.exports.fields import AGAIN, camera, numbers
from campose_core.exports.pose_files import numbered_images, posed_frames
from campose_core.files import read_text

PROGRAM = "12-Scenes"
FORM = "scene with `info.txt`, `data/frame-000000.color.jpg`; its `split.txt` for the test part"
BRINGS = ("intrinsics", "poses", "metres")
NOTE = "in the frame of the scene, whose z is not up"
SPLIT = "split.txt"
PERIOD_NS = 33_333_333  # 30 images a second; there are no stamps
TEST = re.compile(r"sequence0.*?start\s*=\s*(\d+)\s*;\s*end\s*=\s*(\d+)")


def recognizes(path: Path) -> bool:
    """Tell whether a path is a scene, or its split.txt."""
    folder = path.parent if path.name == SPLIT else path
    data = folder / "data"
    return (folder / "info.txt").is_file() and data.is_dir() and bool(numbered_images(data))


def read(path: Path) -> Export:
    """Read what is for training: all but the test sequence, where split.txt tells it; of split.txt that sequence.

    Raises:
        CaptureError: info.txt or a pose is damaged.
    """
    folder = path.parent if path.name == SPLIT else path
    test = _test_range(folder / SPLIT)
    numbers_of = list(numbered_images(folder / "data"))
    frames = posed_frames(folder / "data", PERIOD_NS, _camera(folder / "info.txt"))
    chosen = [f for n, f in zip(numbers_of, frames, strict=True) if (n in test) == (path.name == SPLIT)]
    return Export(PROGRAM, path, tuple(chosen), level=False, world=folder.resolve().name)


def _test_range(path: Path) -> range:
    if not path.is_file():
        return range(0)
    found = TEST.search(read_text(path, CaptureError))
    if not found:
        raise CaptureError(f"{path}: expected `sequence0 [frames=N] [start=A ; end=B]`: download the scene once more")
    return range(int(found[1]), int(found[2]) + 1)


def _camera(path: Path) -> Camera:
    lines = (line.partition("=") for line in read_text(path, CaptureError).splitlines())
    fields = {name.strip(): value.split() for name, _, value in lines}
    missing = next(
        (n for n in ("m_colorWidth", "m_colorHeight", "m_calibrationColorIntrinsic") if n not in fields), None
    )
    if missing:
        raise CaptureError(f"{path}: the line {missing} is missing: {AGAIN}")
    width, height = (numbers(fields[name], 1, path, name)[0] for name in ("m_colorWidth", "m_colorHeight"))
    matrix = numbers(fields["m_calibrationColorIntrinsic"], 16, path, "m_calibrationColorIntrinsic").reshape(4, 4)
    return camera(width, height, (matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]), path)
