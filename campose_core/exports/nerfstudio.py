"""transforms.json, as nerfstudio and instant-ngp have it and many programs write it.

https://docs.nerf.study/quickstart/data_conventions.html: `transform_matrix` is world_from_camera in OpenGL's axes;
fl_x, fl_y, cx, cy, w, h, k1 .. k4, p1, p2 stand at the top, or with each frame. Pixels count from the outer corner of
the first one, as COLMAP's, from which the numbers come (nerfstudio/process_data/colmap_utils.py) and to which rays are
cast (cameras/cameras.py: get_image_coords, pixel_offset 0.5).

Whether a pose is in metres is not said: it is not, where COLMAP or Metashape made it (`colmap_im_id`,
`applied_transform`: nerfstudio/process_data/{colmap,metashape}_utils.py), or instant-ngp or nerfstudio has scaled it
(`aabb_scale`, `applied_scale`). Neither is up: of a gravity-aligned phone it is an axis of the world, the
one that images are upright by.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.errors import CaptureError
from campose_core.exports.export import GL_FROM_CV, Export, ExportedFrame, natural_key
from campose_core.exports.fields import AGAIN, matrix_pose, read_json, refused, with_open_lens
from campose_core.files import is_there
from campose_core.formats.camera_fields import Unsized
from campose_core.formats.reconstruction_cameras import transforms_camera
from campose_core.geometry import Array, Pose
from campose_core.image_files import opened

PROGRAM = "nerfstudio transforms.json"
FORM = "`transforms.json` or its folder; `transforms_train.json` and the like"
BRINGS = ("intrinsics", "poses", "metres")
NOTE = "metres and up where a phone tracked it; neither where COLMAP made it or it was scaled"
ENDINGS = (".png", ".jpg", ".jpeg", ".JPG", ".PNG")
NAME, NAMES = "transforms.json", r"transforms(_\w+)?\.json"
# Of image-up to the nearest axis of the world; people tilt a phone by half of a right angle, seldom by more on average.
MOST_TILTED_DEG = 40.0


def recognizes(path: Path) -> bool:
    """Tell whether a path is the file, or the folder of one."""
    return (path / NAME).is_file() or (path.is_file() and re.fullmatch(NAMES, path.name) is not None)


def read(path: Path) -> Export:
    """Read the file.

    Raises:
        CaptureError: it is damaged, or its images are missing or have no intrinsics.
    """
    file = path if path.is_file() else path / NAME
    top = read_json(file)
    listed = top.get("frames")
    if not isinstance(listed, list) or not all(isinstance(fields, dict) for fields in listed):
        raise CaptureError(f"{file}: the list 'frames' is missing: this is no {PROGRAM}")
    images = [_image(file, fields) for fields in listed]
    unsized = Unsized(partial(_first_size, images))
    frames = [_frame(file, {**top, **fields}, image, unsized) for fields, image in zip(listed, images, strict=True)]
    frames.sort(key=lambda frame: natural_key(str(frame.image)))
    missing = [frame.image for frame in frames if not is_there(Path(str(frame.image)))]
    if frames and len(missing) == len(frames):
        raise CaptureError(f"{file}: its images are not here, such as {missing[0]}: put the file back beside them")
    of_pictures = "applied_transform" in top or any("colmap_im_id" in fields for fields in listed)
    metric = not of_pictures and "aabb_scale" not in top and top.get("applied_scale", 1.0) == 1.0
    up = _up([frame.world_from_cam for frame in frames if frame.world_from_cam is not None]) if metric else None
    if up is not None:
        frames = [ExportedFrame(f.image, f.stamp_ns, f.camera, _levelled(up, f.world_from_cam)) for f in frames]
    return Export(PROGRAM, path, tuple(frames), metric=metric, says_unit=False, level=up is not None)


def _frame(file: Path, fields: Mapping[str, Any], image: Path, unsized: Unsized) -> ExportedFrame:
    where = f"{file}: {fields['file_path'][:200]}"
    world_from_cam = matrix_pose(fields.get("transform_matrix"), where) * GL_FROM_CV
    with refused(where):
        camera = with_open_lens(transforms_camera(dict(fields), unsized))
    return ExportedFrame(image, None, camera, world_from_cam)


def _image(file: Path, fields: Mapping[str, Any]) -> Path:
    """Return the file of an image; one beside `file`, where its name is of another machine."""
    name, folder = fields.get("file_path"), file.parent
    if not isinstance(name, str) or not name:
        raise CaptureError(f"{file}: a frame has no 'file_path': {AGAIN}")
    image = folder / name
    if image.name and not image.suffix:  # Blender's sets leave it out
        endings = [image.with_suffix(ending) for ending in ENDINGS]
        image = next((named for named in endings if is_there(named)), endings[0])
    there = PureWindowsPath(name)  # splits at both slashes
    if is_there(image) or not (there.root or "\\" in name):
        return image
    tails = (folder.joinpath(*there.parts[-count:]) for count in range(len(there.parts) - bool(there.anchor), 0, -1))
    return next((tail for tail in tails if is_there(tail)), image)


def _first_size(images: list[Path]) -> tuple[int, int]:
    there = next((image for image in images if is_there(image)), None)
    if there is None:
        raise CaptureError(f"w and h, the size of the image, are missing, and so are the images: {AGAIN}")
    with opened(there, CaptureError) as image:
        return image.size


def _up(world_from_cams: list[Pose]) -> Array | None:
    """Return the axis of the world by which the images are upright; None where none is near."""
    if not world_from_cams:
        return None
    mean = np.mean([pose.rotation.apply([0.0, -1.0, 0.0]) for pose in world_from_cams], axis=0)
    axis = int(np.argmax(np.abs(mean)))
    if abs(mean[axis]) < np.cos(np.radians(MOST_TILTED_DEG)) * np.linalg.norm(mean):
        return None
    return np.asarray(np.eye(3)[axis] * np.sign(mean[axis]))


def _levelled(up: Array, world_from_cam: Pose | None) -> Pose | None:
    """Return the pose in a world whose z axis is that axis."""
    turn = Rotation.align_vectors([[0.0, 0.0, 1.0]], [up])[0]
    return None if world_from_cam is None else Pose(turn, np.zeros(3)) * world_from_cam
