"""The nerfstudio form: images and transforms.json, of every frame that has a pose in the map.

https://docs.nerf.studio/quickstart/data_conventions.html: world_from_camera in OpenGL's axes, z up; pixels count from
the outer corner of the first one. What all images share stands at the top, since many programs look nowhere else, and
nerfstudio for `camera_model` (nerfstudio/data/dataparsers/nerfstudio_dataparser.py): of a frame's it knows nothing, and
takes the images of a fisheye for perspective ones.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from campose_core.camera import MODEL_PARAMS, Camera
from campose_core.errors import MappingError
from campose_core.exports.export import GL_FROM_CV
from campose_core.files import write_text
from campose_core.interchange.images import copy_images
from campose_core.scene.scene import Scene

NAMES = {"f": "fl_x", "fx": "fl_x", "fy": "fl_y"}
LACKED = ("k4", "k5", "k6", "s1", "s2", "s3", "s4")  # of the perspective model: they mean something else there


def write_nerfstudio(scene: Scene, folder: Path) -> int:
    """Write images/ and transforms.json into `folder`; returns how many images there are.

    Raises:
        MappingError: no frame has a pose, or a lens that nerfstudio lacks, or a fisheye is among other lenses.
    """
    posed = scene.posed_frames()
    if not posed:
        raise MappingError(f"{scene.path}: no frame has a pose in the map: run `campose align {scene.path}`")
    used = sorted({frame.camera for frame in posed})
    lenses = {name: _lens(scene.cameras[name], f"{scene.path}: the camera {name}") for name in used}
    models = {lens["camera_model"] for lens in lenses.values()}
    if len(models) > 1:
        raise MappingError(
            f"{scene.path}: its cameras are {' and '.join(sorted(models))} ({', '.join(used)}), and nerfstudio takes "
            "one kind in a file: map the sources apart"
        )
    first = lenses[used[0]]
    alike = all(lens == first for lens in lenses.values())
    shared = first if alike else {"camera_model": first["camera_model"]}
    frames = []
    for frame in posed:
        assert frame.map_from_cam is not None
        matrix = (frame.map_from_cam * GL_FROM_CV.inverse()).matrix()
        own = {key: value for key, value in lenses[frame.camera].items() if key not in shared}
        frames.append({"file_path": f"images/{frame.name}", **own, "transform_matrix": matrix.tolist()})
    copy_images(scene, {frame.name for frame in posed}, folder / "images")
    fields: dict[str, Any] = {"orientation_override": "none", **shared, "frames": frames}
    if scene.alignment is not None and not scene.scale.is_known:
        # So that nobody takes its lengths for metres, as those of an export by a phone are.
        fields["applied_scale"] = scene.alignment.map_from_sfm.scale
    write_text(folder / "transforms.json", json.dumps(fields, indent=1))
    return len(frames)


def _lens(camera: Camera, what: str) -> dict[str, Any]:
    model, width, height, params = camera.to_colmap()
    named = dict(zip(MODEL_PARAMS[model], params, strict=True))
    fisheye = model == "OPENCV_FISHEYE"
    if not fisheye and any(named.get(name, 0.0) for name in LACKED):
        raise MappingError(f"{what} is {model}, which nerfstudio lacks: map undistorted images for it")
    fields: dict[str, Any] = {NAMES.get(name, name): value for name, value in named.items() if name not in LACKED[1:]}
    fields.setdefault("fl_y", fields["fl_x"])
    return {"camera_model": "OPENCV_FISHEYE" if fisheye else "OPENCV", "w": width, "h": height, **fields}
