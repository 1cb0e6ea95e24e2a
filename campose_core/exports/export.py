"""What every reader of this room returns: the images of an export in time order, with what it knows of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.errors import CaptureError
from campose_core.exports.packed import Unpacked
from campose_core.geometry import Pose

# Cameras of phones focus anew from image to image, by which the focal length changes by a percent; another lens or
# zoom changes it by more.
SAME_FOCAL = 1.03
# OpenGL's camera looks along -z with y up (ARKit, nerfstudio, Blender), OpenCV's and ours along +z with y down.
GL_FROM_CV = Pose(Rotation.from_matrix(np.diag([1.0, -1.0, -1.0])), np.zeros(3))
# ARKit's world has y up; a map has z up.
Z_UP_FROM_Y_UP = Pose(Rotation.from_matrix([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]), np.zeros(3))


@dataclass(frozen=True, eq=False)
class ExportedFrame:
    """One image and what is known of it.

    image: its file, or its number in the video of the export. stamp_ns: None where the export has no clock.
    camera: of the pixels as they are stored, None where nothing tells. world_from_cam: x right, y down, z forward;
    None where the export does not place this image.
    """

    image: Path | int
    stamp_ns: int | None = None
    camera: Camera | None = None
    world_from_cam: Pose | None = None


@dataclass(frozen=True, eq=False)
class Export:
    """The images of an export and what they share.

    program: what wrote it, as people call it. path: what was opened. frames: in time order. video: the file that holds
    the images, None where they are files. calibrated: whether the intrinsics were measured. metric: whether poses are
    in metres. says_unit: False where the files leave that open. level: whether z is up in their world. world: name of
    that world, which exports may share. unpacked: of a packed export, whose files are there as long as this is.

    Raises:
        CaptureError: no images.
    """

    program: str
    path: Path
    frames: tuple[ExportedFrame, ...]
    video: Path | None = None
    calibrated: bool = True
    metric: bool = True
    says_unit: bool = True
    level: bool = True
    world: str = ""
    unpacked: Unpacked | None = None

    def __post_init__(self) -> None:
        if not self.frames:
            raise CaptureError(f"{self.path}: this {self.program} export names no images: export it once more")

    @property
    def posed(self) -> int:
        """Return how many images have a pose."""
        return sum(frame.world_from_cam is not None for frame in self.frames)

    @property
    def world_name(self) -> str:
        """Return the name of the frame of the poses."""
        return self.world or self.path.resolve().name


def natural_key(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return what names are ordered by so that 2 comes before 10."""
    parts = re.split(r"([0-9]+)", name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], name


def by_camera(frames: Sequence[ExportedFrame]) -> list[list[int]]:
    """Return the rows of the frames of each camera, of the one that took most first; their one camera is `shared`.

    One camera has one model and image size, and focal lengths that differ from their next by less than SAME_FOCAL.
    """
    groups: list[list[int]] = []
    rows = sorted(range(len(frames)), key=lambda row: _shape(frames[row].camera))
    for row in rows:
        before = frames[groups[-1][-1]].camera if groups else None
        if groups and _alike(before, frames[row].camera):
            groups[-1].append(row)
        else:
            groups.append([row])
    return sorted((sorted(group) for group in groups), key=lambda group: (-len(group), group[0]))


def shared(cameras: Sequence[Camera | None]) -> Camera | None:
    """Return one camera for images of one group of `by_camera`: each parameter is the median."""
    known = [camera for camera in cameras if camera is not None]
    if not known:
        return None
    return replace(known[0], params=tuple(median(values) for values in zip(*(c.params for c in known), strict=True)))


def _shape(camera: Camera | None) -> tuple[str, int, int, float]:
    return ("", 0, 0, 0.0) if camera is None else (camera.model, camera.width, camera.height, camera.focal[0])


def _alike(one: Camera | None, other: Camera | None) -> bool:
    if one is None or other is None:
        return one is other
    return _shape(one)[:3] == _shape(other)[:3] and other.focal[0] / one.focal[0] < SAME_FOCAL
