"""The COLMAP form: images, sparse/0 in the map frame, and the database with keypoints, descriptors and matches.

Mapping keeps lenses out of its model (`campose_core.landmark_map.lens`); here each camera has its lens again, and its
keypoints lie where the images show them.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.camera import Camera, pixels_from_colmap, pixels_to_colmap
from campose_core.errors import MappingError
from campose_core.geometry import Array
from campose_core.interchange.images import copy_images
from campose_core.interchange.whole_map import check_map
from campose_core.landmark_map.colmap import COLMAP_LACKS, load_pycolmap, model_images, to_colmap_camera
from campose_core.landmark_map.intrinsics import given_camera, source_of_lens
from campose_core.landmark_map.lens import without_lens
from campose_core.scene.scene import Scene


def write_colmap(scene: Scene, folder: Path) -> int:
    """Write images/, sparse/0/ and database.db into `folder`; returns how many images the model has.

    Raises:
        MappingError: no reconstruction, a damaged one, or a lens that COLMAP lacks.
    """
    database = scene.sfm_dir / "database.db"
    copied = Path(shutil.copyfile(database, folder / "database.db")) if database.is_file() else None
    model = map_model(scene, copied)
    names = {str(image.name) for image in model_images(model)}
    copy_images(scene, names, folder / "images")
    (folder / "sparse" / "0").mkdir(parents=True)
    model.write(folder / "sparse" / "0")
    if copied is not None:
        _put_lenses_back(scene, copied)
    return len(names)


def map_model(scene: Scene, database: Path | None = None) -> Any:
    """Return the scene's pycolmap Reconstruction in the map frame (of an unaligned scene: sfm), with its lenses.

    database: a copy of the scene's that will be read too.

    Raises:
        MappingError: no reconstruction, a damaged one, or a lens that COLMAP lacks.
    """
    pycolmap = load_pycolmap()
    path = scene.sfm_dir / "model"
    if not path.is_dir():
        raise MappingError(f"{scene.path} has no reconstruction yet: run `campose map {scene.path}`")
    check_map(scene, database)
    model = pycolmap.Reconstruction(path)
    cameras = {frame.name: frame.camera for frame in scene.frames}
    for image in model_images(model):
        lens = cameras[image.name]
        xy = np.array([point.xy for point in image.points2D]).reshape(-1, 2)
        for point, seen in zip(image.points2D, _as_shown(scene, lens, xy), strict=True):
            point.xy = seen
        _give_lens(model.camera(image.camera_id), scene, lens)
    if scene.alignment is not None:
        map_from_sfm = scene.alignment.map_from_sfm
        rotation = pycolmap.Rotation3d(map_from_sfm.rotation.as_quat())
        model.transform(pycolmap.Sim3d(map_from_sfm.scale, rotation, map_from_sfm.translation))
    return model


def _give_lens(camera: Any, scene: Scene, lens: str) -> None:
    refined = scene.cameras[lens]
    if refined.model in COLMAP_LACKS:
        raise MappingError(
            f"{scene.path}: the camera {lens} is {refined.model}, which COLMAP lacks: map undistorted images for it"
        )
    whole = to_colmap_camera(refined)
    camera.model, camera.params = whole.model, whole.params


def _as_shown(scene: Scene, lens: str, xy: Array) -> Array:
    """Return where images show keypoints (N, 2) of the model, both as COLMAP counts pixels."""
    given: Camera = given_camera(scene, source_of_lens(lens))
    if without_lens(given) == given or not len(xy):
        return xy
    rays = (pixels_from_colmap(xy) - given.centre) / given.focal[0]
    return pixels_to_colmap(given.distort(rays) * given.focal + given.centre)


def _put_lenses_back(scene: Scene, path: Path) -> None:
    cameras = {frame.name: frame.camera for frame in scene.frames}
    with load_pycolmap().Database.open(path) as db:
        for image in db.read_all_images():
            lens = cameras.get(image.name)
            if lens is None:
                continue
            keypoints = db.read_keypoints(image.image_id)
            keypoints[:, :2] = _as_shown(scene, lens, keypoints[:, :2].astype(np.float64))
            db.update_keypoints(image.image_id, keypoints)
            camera = db.read_camera(image.camera_id)
            _give_lens(camera, scene, lens)
            db.update_camera(camera)
