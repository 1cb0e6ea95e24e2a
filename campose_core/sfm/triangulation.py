"""Landmarks from poses that are known already: triangulated, and adjusted only where the images ask for it.

The poses come from a tracker, from TF or from a simulation, in a metric frame, and so are the landmarks.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.errors import MappingError
from campose_core.geometry import Pose, pose_error
from campose_core.joining.known_positions import adjust_to_positions
from campose_core.joining.robust_similarity import align_to_poses
from campose_core.landmark_map.colmap import (
    incremental_options,
    load_pycolmap,
    model_cameras,
    model_poses,
)
from campose_core.landmark_map.zooms import names_by_source, zooms_of
from campose_core.sfm.report import GivenPosesReport, MapReport

log = logging.getLogger(__name__)

MIN_LANDMARKS = 50
PRIOR_M = 0.05  # how far a given position may be off, one standard deviation, where poses are adjusted
WORTH = 0.8  # of the residual must be left after an adjustment for it to be kept


def triangulation(*, images: str, database: str, model: str, poses: dict[str, list[float]]) -> dict[str, Any]:
    """Make a COLMAP model of the keyframes with `poses` (x, y, z, qx, qy, qz, qw of world_from_cam): a mapping stage.

    Poses and intrinsics are adjusted, with the given positions as priors, and the result is kept if it leaves less than
    WORTH of the reprojection residual: a pose that is right to the pixel gains nothing from it.

    Raises:
        MappingError: the images do not agree with the poses.
    """
    pycolmap = load_pycolmap()
    pycolmap.set_random_seed(0)
    pycolmap.logging.minloglevel = 0
    work = Path(model).with_suffix(".triangulated")
    work.mkdir(parents=True, exist_ok=True)
    with pycolmap.Database.open(database) as db:
        given = triangulated(posed_model(db, poses), database, images, work)
    # An error of the poses large enough to break every track leaves nothing that an adjustment could start from.
    if given.num_points3D() < MIN_LANDMARKS:
        raise MappingError(
            f"triangulation: {given.num_points3D()} landmarks from {len(poses)} keyframes with given poses: these do "
            "not fit the images. Are they the camera's (or is its mounting right), and on the same clock? If not, "
            "map without --poses, then `campose align SCENE --tracker`, which estimates both"
        )
    before = _residual(given)
    adjusted = pycolmap.Reconstruction(given)
    positions = {name: pose[:3] for name, pose in poses.items()}
    adjust_to_positions(adjusted, positions, PRIOR_M)
    adjusted = triangulated(adjusted, database, images, work)
    adjust_to_positions(adjusted, positions, PRIOR_M)
    _align(adjusted, poses)
    after = _residual(adjusted)
    helps = after < WORTH * before
    log.info(f"residual {before:.2f} px as given, {after:.2f} px adjusted")
    kept = adjusted if helps else given
    shutil.rmtree(work)
    Path(model).mkdir(parents=True)
    kept.write(model)
    return MapReport(
        registered=kept.num_reg_images(),
        landmarks=kept.num_points3D(),
        reprojection_px=kept.compute_mean_reprojection_error(),
        other_models=[],
        cameras=model_cameras(kept),
        zooms=zooms_of(kept, names_by_source(poses)) or None,
        given_poses=GivenPosesReport(helps, before, after, *_moved(kept, poses)),
    ).to_dict()


def posed_model(db: Any, poses: dict[str, list[float]]) -> Any:
    """Make a reconstruction of the database's images that have a pose, without landmarks.

    poses: by image name, x, y, z, qx, qy, qz, qw of world_from_cam.
    """
    pycolmap = load_pycolmap()
    model = pycolmap.Reconstruction()
    cameras = {camera.camera_id: camera for camera in db.read_all_cameras()}
    for image in sorted(db.read_all_images(), key=lambda image: image.name):
        if image.name not in poses:
            continue
        if not model.exists_camera(image.camera_id):
            model.add_camera_with_trivial_rig(cameras[image.camera_id])
        keypoints = db.read_keypoints(image.image_id)[:, :2].astype(np.float64)
        posed = pycolmap.Image(name=image.name, keypoints=keypoints, camera_id=image.camera_id, image_id=image.image_id)
        x, y, z, *quat_xyzw = poses[image.name]
        world_from_cam = pycolmap.Rigid3d(pycolmap.Rotation3d(np.array(quat_xyzw)), np.array([x, y, z]))
        model.add_image_with_trivial_frame(posed, world_from_cam.inverse())
    return model


def triangulated(model: Any, database: str, images: str, work: Path) -> Any:
    """Return the model with landmarks triangulated anew, from its poses and the matches in the database."""
    pycolmap = load_pycolmap()
    options = incremental_options(model.cameras.values(), seed=0)
    return pycolmap.triangulate_points(model, database, images, str(work), clear_points=True, options=options)


def _align(model: Any, poses: dict[str, list[float]]) -> None:
    """Back onto the given poses, whose orientations count here as well: positions along a short path leave a tilt."""
    pycolmap = load_pycolmap()
    found = model_poses(model)
    names = sorted(found)
    similarity = align_to_poses([found[name] for name in names], [_pose(poses[name]) for name in names]).map_from_sfm
    rotation = pycolmap.Rotation3d(similarity.rotation.as_quat())
    model.transform(pycolmap.Sim3d(similarity.scale, rotation, similarity.translation))


def _residual(model: Any) -> float:
    """Median reprojection error of the landmarks, pixels."""
    return float(np.median([point.error for point in model.points3D.values()]))


def _moved(model: Any, poses: dict[str, list[float]]) -> tuple[float, float, float]:
    """How far the model's poses are from the given ones: median and maximum in metres, median in degrees."""
    errors = np.array([pose_error(found, _pose(poses[name])) for name, found in model_poses(model).items()])
    metres, radians = errors.T
    return float(np.median(metres)), float(metres.max()), float(np.degrees(np.median(radians)))


def _pose(row: list[float]) -> Pose:
    return Pose.from_quat_xyzw(row[3:], row[:3])
