"""Record3D (iPhone, iPad): JPEG images, and ARKit's poses in one file of metadata.

As nerfstudio reads it (nerfstudio/process_data/record3d_utils.py and scripts/process_data.py): `poses` are qx, qy, qz,
qw, tx, ty, tz of world_from_camera in OpenGL's axes, by the number of the image; `K` lists the camera matrix by columns
for images of w x h. The world is ARKit's, y up. `perFrameIntrinsicCoeffs` (fx, fy, cx, cy) and `frameTimestamps`
(seconds) came with later versions. The .r3d file is a zip file of `metadata` and `rgbd/`
(github.com/notmahi/clip-fields, dataloaders/r3d.py), which also puts `initPose` before all poses.

As the app's author says (github.com/marek-simonik/record3d, issues 27 and 63): its first versions began all poses at
zero, and kept nothing of which way was up; of videos by the selfie camera all poses are zero.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from campose_core.camera import Camera
from campose_core.errors import CaptureError
from campose_core.exports.export import GL_FROM_CV, Z_UP_FROM_Y_UP, Export, ExportedFrame
from campose_core.exports.fields import AGAIN, camera, number, numbers, quaternion_pose, read_json, stamp_ns
from campose_core.geometry import Pose

PROGRAM = "Record3D"
FORM = "folder with `metadata.json`, `rgb/*.jpg` (EXR + JPG); `.r3d`: `metadata`, `rgbd/*.jpg`"
BRINGS = ("stamps", "intrinsics", "poses", "metres")
NOTE = "ARKit, so that z is up; of the app's first versions it is not; the selfie camera has no poses"
ZERO = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
LAYOUTS = (("metadata.json", "rgb"), ("metadata", "rgbd"))
SUFFIXES = {".jpg", ".jpeg", ".png"}
SLOWEST_HZ, FASTEST_HZ = 0.001, 1000.0


def recognizes(path: Path) -> bool:
    """Tell whether a folder is one, by the names in it."""
    return any((path / metadata).is_file() and (path / images).is_dir() for metadata, images in LAYOUTS)


def read(path: Path) -> Export:
    """Read the metadata; images are numbered from 0, and some may be missing.

    Raises:
        CaptureError: no images, or the metadata are damaged, or tell of fewer images than there are.
    """
    metadata, folder = next(
        (path / metadata, path / images) for metadata, images in LAYOUTS if (path / metadata).is_file()
    )
    fields = read_json(metadata)
    poses = _list(fields, "poses", metadata)
    stamps = fields.get("frameTimestamps") or [None] * len(poses)
    lenses = fields.get("perFrameIntrinsicCoeffs") or [None] * len(poses)
    rate = fields["fps"] if isinstance(fields.get("fps"), int | float) and fields["fps"] > 0 else None
    if rate is not None and not SLOWEST_HZ <= rate <= FASTEST_HZ:
        raise CaptureError(f"{metadata}: 'fps' should be {SLOWEST_HZ:g} to {FASTEST_HZ:g}: {AGAIN}")
    files = sorted((f for f in folder.iterdir() if _is_image(f)), key=lambda file: int(file.stem))
    if not files:
        raise CaptureError(f"{folder}: no numbered images, as 0.jpg: {AGAIN}, with the images in it")
    least = min(len(poses), len(stamps), len(lenses))
    if int(files[-1].stem) >= least:
        raise CaptureError(f"{metadata}: tells of {least} images, and {files[-1]} is one more: {AGAIN}")
    start = _pose(fields.get("initPose") or ZERO, f"{metadata}: initPose")
    first = start * _pose(poses[0], f"{metadata}: image 0")
    frames, still = [], True
    for file in files:
        index = int(file.stem)
        where = f"{metadata}: image {index}"
        pose = _pose(poses[index], where)
        still = still and pose.rotation.magnitude() == 0 and not pose.translation.any()
        stamp = stamp_ns(stamps[index], where) if stamps[index] is not None else None
        if stamp is None and rate is not None:
            stamp = round(index * 1e9 / rate)
        world_from_cam = Z_UP_FROM_Y_UP * start * pose * GL_FROM_CV
        frames.append(ExportedFrame(file, stamp, _camera(fields, lenses[index], where), world_from_cam))
    if still:
        frames = [replace(frame, world_from_cam=None) for frame in frames]
    return Export(PROGRAM, path, tuple(frames), level=bool(first.rotation.magnitude() > 0))


def _pose(values: Any, where: Path | str) -> Pose:
    found = numbers(values, 7, where, "the pose")
    return quaternion_pose(found[:4], found[4:], where)


def _is_image(file: Path) -> bool:
    # A second download of an image is called 12(1).jpg.
    return file.suffix.lower() in SUFFIXES and file.stem.isascii() and file.stem.isdigit()


def _list(fields: dict[str, Any], name: str, path: Path) -> list[Any]:
    if not isinstance(fields.get(name), list):
        raise CaptureError(f"{path}: the list {name!r} is missing: {AGAIN}, with camera poses")
    return list(fields[name])


def _camera(fields: dict[str, Any], lens: Any, where: str) -> Camera:
    if lens is not None:
        params = numbers(lens, 4, where, "fx, fy, cx, cy")
    else:
        fx, _, _, _, fy, _, cx, cy, _ = numbers(fields.get("K"), 9, where, "the camera matrix K")
        params = numbers([fx, fy, cx, cy], 4, where, "K")
    return camera(number(fields, "w", where), number(fields, "h", where), params, where)
