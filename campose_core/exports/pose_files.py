"""Frames as 7-Scenes and 12-Scenes number them: frame-000123.color.png, and its pose in frame-000123.pose.txt."""

from __future__ import annotations

import re
from pathlib import Path

from campose_core.camera import Camera
from campose_core.errors import CaptureError
from campose_core.exports.export import ExportedFrame
from campose_core.exports.fields import matrix_pose
from campose_core.files import read_text
from campose_core.geometry import Pose

LOST = re.compile("inf|nan|ind", re.IGNORECASE)  # also as Microsoft's compilers wrote them: -1.#INF, -1.#IND
NAME = re.compile(r"frame-(\d+)\.color\.(?:png|jpg)")


def numbered_images(folder: Path) -> dict[int, Path]:
    """Return the colour images of a folder by their numbers, in their order."""
    found = {int(match[1]): file for file in folder.iterdir() if (match := NAME.fullmatch(file.name))}
    return dict(sorted(found.items()))


def posed_frames(folder: Path, period_ns: int, camera: Camera | None, begin_ns: int = 0) -> list[ExportedFrame]:
    """Return the frames of a folder at their number times the period.

    Raises:
        CaptureError: a pose is damaged.
    """
    frames = []
    for number, file in numbered_images(folder).items():
        pose = _pose(folder / f"{file.name.partition('.')[0]}.pose.txt")
        frames.append(ExportedFrame(file, begin_ns + number * period_ns, camera, pose))
    return frames


def _pose(path: Path) -> Pose | None:
    """Return world_from_camera by rows; None where the file is missing, or is of infinities: tracking was lost."""
    if not path.is_file():
        return None
    text = read_text(path, CaptureError)
    return None if LOST.search(text) else matrix_pose(text.split(), path)
