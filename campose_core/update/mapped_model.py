"""The COLMAP model and database of a mapped scene: checked once, before an update or an export rests on them.

What runs here is a stage, in a process of its own: on damaged files COLMAP aborts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from campose_core.camera import pixels_from_colmap
from campose_core.errors import CamposeError, MappingError
from campose_core.features.base import ImageFeatures
from campose_core.geometry import is_place
from campose_core.landmark_map.arrays import read_arrays, write_arrays
from campose_core.landmark_map.colmap import from_colmap_camera, from_colmap_pose, load_pycolmap
from campose_core.landmark_map.colmap_files import check_model_files
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.update.landmark_persistence import Observer, View

# What pycolmap raises on files that are none of COLMAP's, where it does not abort.
DAMAGE = (RuntimeError, ValueError, LookupError, TypeError, AttributeError, OverflowError, MemoryError, OSError)


def mapped_looks(*, model: str, database: str, landmarks: str, out: str) -> dict[str, Any]:
    """Run a stage: how the keyframes of a map look at its landmarks, as `ids`, `hits` and `looks` (N,) in the file out.

    Raises:
        MappingError: model, database or landmarks are damaged, or belong to different maps.
    """
    known = Landmarks.load(Path(landmarks))
    reconstruction, ids, images = _checked(model)
    names = [str(name) for name in known.frame_names]
    if len(ids) != len(known.xyz) or sorted(names) != sorted(images):
        raise MappingError(f"{landmarks} is of another map than {model}: run `campose map` again")
    with _whole(database), load_pycolmap().Database.open(database) as db:
        for camera in db.read_all_cameras():
            from_colmap_camera(camera)
        views = [_view(db, reconstruction, images[name], known, row) for row, name in enumerate(names)]
    mapped = Observer(known).looks(views)
    write_arrays(Path(out), {"ids": ids, "hits": mapped.hits, "looks": mapped.looks})
    return {"landmarks": len(ids)}


def whole_map(*, model: str, database: str | None) -> dict[str, Any]:
    """Run a stage: read a model and a database as a whole; returns the names of the model's `images`.

    Raises:
        MappingError: one of them is damaged; it is named.
    """
    _, _, images = _checked(model)
    if database is not None:
        with _whole(database), load_pycolmap().Database.open(database) as db:
            stored = db.read_all_images()
            if missing := images.keys() - {image.name for image in stored}:
                raise MappingError(f"it lacks {min(missing)}")
            for image in stored:
                from_colmap_camera(db.read_camera(image.camera_id))
                if not is_place(np.asarray(db.read_keypoints(image.image_id))[:, :2]):
                    raise MappingError(f"features of {image.name} are nowhere")
    return {"images": sorted(images)}


def without_landmarks(*, model: str, removed: str, out: str) -> dict[str, Any]:
    """Run a stage: write the model again, to the folder out, without the points whose `ids` are in the file removed."""
    reconstruction = load_pycolmap().Reconstruction(model)
    ids = read_arrays(Path(removed))["ids"]
    for point_id in ids:
        reconstruction.delete_point3D(int(point_id))
    Path(out).mkdir(parents=True, exist_ok=True)
    reconstruction.write(out)
    return {"landmarks": reconstruction.num_points3D()}


@contextmanager
def _whole(path: str) -> Iterator[None]:
    try:
        yield
    except (*DAMAGE, CamposeError) as error:
        reason = f" ({error})" if isinstance(error, CamposeError) else ""
        raise MappingError(f"{path} is damaged{reason}: remove it and run `campose map` again") from error


def _checked(path: str) -> tuple[Any, NDArray[np.int64], dict[str, Any]]:
    """Read a model; returns it, the ids of its points, and its images by name."""
    check_model_files(Path(path))
    with _whole(path):
        model = load_pycolmap().Reconstruction(path)
        return model, _checked_points(model), _checked_images(model)


def _checked_points(model: Any) -> NDArray[np.int64]:
    """Return the ids of the points, ascending, each of which is where its track says that it is seen."""
    for point_id, point in model.points3D.items():
        if not is_place(point.xyz):
            raise MappingError(f"point {point_id} is nowhere")
        for seen in point.track.elements:
            if model.image(seen.image_id).point2D(seen.point2D_idx).point3D_id != point_id:
                raise MappingError(f"point {point_id} is not what an image sees")
    return np.array(sorted(model.points3D), dtype=np.int64)


def _checked_images(model: Any) -> dict[str, Any]:
    """Return the registered images by name, whose poses and cameras are some, and which see points that are there."""
    images = {}
    for image_id in model.reg_image_ids():
        image = model.image(image_id)
        from_colmap_camera(image.camera)
        pose = from_colmap_pose(image.cam_from_world())
        if not is_place(pose.translation) or image.name in images:
            raise MappingError(f"image {image_id} is nowhere, or has the name of another")
        if any(seen.has_point3D() and seen.point3D_id not in model.points3D for seen in image.points2D):
            raise MappingError(f"image {image.name} sees points that are not there")
        images[image.name] = image
    return images


def _view(db: Any, model: Any, image: Any, landmarks: Landmarks, row: int) -> View:
    """Return a keyframe as the database holds it, which is of the same map."""
    stored = db.read_image_with_name(image.name)
    if stored is None or stored.image_id != image.image_id or stored.camera_id != image.camera_id:
        raise MappingError(f"{image.name} is another image than in the model")
    keypoints = np.asarray(db.read_keypoints(image.image_id))[:, :2].astype(np.float64)
    descriptors = db.read_descriptors(image.image_id).data
    if not len(keypoints) == len(descriptors) == len(image.points2D) or not is_place(keypoints):
        raise MappingError(f"{image.name} has other features than in the model")
    unit = landmarks.kind.to_unit(descriptors)
    camera = from_colmap_camera(model.camera(image.camera_id))
    return View(ImageFeatures(pixels_from_colmap(keypoints), unit), camera, landmarks.world_from_cam(row))
