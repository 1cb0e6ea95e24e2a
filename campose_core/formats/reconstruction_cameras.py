"""Cameras of reconstructions: COLMAP, nerfstudio, instant-ngp. Pixels are counted from the corner of the first one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from campose_core.camera import Camera
from campose_core.errors import GeometryError
from campose_core.formats.camera_fields import NamedCamera, Unsized, of_matrix, whole

# COLMAP's models that are one of ours with the missing terms zero; both fisheyes are r = theta (1 + k1 theta^2 + ...).
FISHEYES = {"SIMPLE_FISHEYE": 0, "FISHEYE": 0, "SIMPLE_RADIAL_FISHEYE": 1, "RADIAL_FISHEYE": 2}


def colmap_line(fields: Sequence[str]) -> NamedCamera:
    """Read `CAMERA_ID MODEL WIDTH HEIGHT PARAMS...` of COLMAP's cameras.txt (doc/format.rst): from the corner."""
    camera = colmap_camera(fields[1], int(fields[2]), int(fields[3]), [float(field) for field in fields[4:]])
    return NamedCamera(f"camera {fields[0]}", "", camera)


def colmap_camera(model: str, width: int, height: int, params: Sequence[float]) -> Camera:
    """Return the camera of a model of COLMAP, whose pixels begin at the corner.

    Raises:
        GeometryError: a lens that is not understood, or numbers that are none.
    """
    focals = 2 if model == "FISHEYE" else 1
    if model in FISHEYES and len(params) == focals + 2 + FISHEYES[model]:
        centre_and_terms = [*params[focals:], *[0.0] * (4 - FISHEYES[model])]
        model, params = "OPENCV_FISHEYE", [params[0], params[focals - 1], *centre_and_terms]
    return Camera.from_colmap(model, width, height, params)


def transforms(fields: dict[str, Any], unsized: Unsized) -> list[NamedCamera]:
    """Read transforms.json of nerfstudio and instant-ngp, for all frames or for each of them.

    The principal point is COLMAP's, from the corner of the first pixel: nerfstudio/process_data/colmap_utils.py:
    colmap_to_json copies it. Without one it is the middle, and camera_angle_x is the horizontal field of view.
    """
    frames = [frame for frame in fields.get("frames") or [] if isinstance(frame, dict)]
    shared = {key: value for key, value in fields.items() if key != "frames"}
    own = [frame for frame in frames if {"fl_x", "camera_angle_x"} & set(frame)]
    blocks = [{**shared, **{k: v for k, v in frame.items() if k in TRANSFORM_KEYS}} for frame in own] or [shared]
    found = dict.fromkeys(transforms_camera(block, unsized) for block in blocks)
    names = [f"of {camera.width}x{camera.height} pixels, focal length {camera.focal[0]:.6g}" for camera in found]
    return [NamedCamera(name, "", camera) for name, camera in zip(names, found, strict=True)]


TRANSFORM_KEYS = (
    "w", "h", "fl_x", "fl_y", "cx", "cy", "k1", "k2", "k3", "k4", "p1", "p2", "camera_model", "camera_angle_x",
    "camera_angle_y", "is_fisheye",
)  # fmt: skip


def transforms_camera(block: dict[str, Any], unsized: Unsized) -> Camera:
    """Return the camera of one frame's fields, with those that all frames share.

    Raises:
        GeometryError, KeyError, TypeError, ValueError, OverflowError: they are none.
    """
    if "w" in block and "h" in block:
        width, height = whole(block["w"]), whole(block["h"])
    elif "cx" in block and "cy" in block:
        width, height = unsized.size((float(block["cx"]), float(block["cy"])))
    else:
        width, height = unsized.of_images()
    if "fl_x" in block:
        fx = float(block["fl_x"])
        fy = float(block.get("fl_y", fx))
    else:
        fx = width / 2 / math.tan(float(block["camera_angle_x"]) / 2)
        fy = height / 2 / math.tan(float(block["camera_angle_y"]) / 2) if "camera_angle_y" in block else fx
    corner = float(block.get("cx", width / 2)), float(block.get("cy", height / 2))
    model = str(block.get("camera_model", "OPENCV")).upper()
    terms = {term: float(block.get(term, 0.0)) for term in ("k1", "k2", "k3", "k4", "p1", "p2")}
    if model == "OPENCV_FISHEYE" or block.get("is_fisheye"):
        kind, d = "equidistant", [terms[term] for term in ("k1", "k2", "k3", "k4")]
    elif model in ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE"):
        if terms["k4"]:
            raise GeometryError("k4 of a camera that is no fisheye is a term that is not read: undistort the images")
        kind, d = "plumb_bob", [terms[term] for term in ("k1", "k2", "p1", "p2", "k3")]
    else:
        raise GeometryError(f"the camera_model {model!r} is not read; OPENCV, OPENCV_FISHEYE and PINHOLE are")
    k = [fx, 0, corner[0] - 0.5, 0, fy, corner[1] - 0.5, 0, 0, 1]
    return of_matrix(k, d, kind, (width, height))
