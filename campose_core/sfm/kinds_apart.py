"""After a joint reconstruction: a database and a model of each kind of features, on the poses that both found.

Localization extracts one kind at a time, and an update grows the map of the first.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from campose_core.errors import MappingError
from campose_core.features.registry import FEATURES
from campose_core.landmark_map.colmap import drop_outliers, load_pycolmap, model_poses
from campose_core.landmark_map.pnp import MIN_INLIERS
from campose_core.sfm.joint_database import of_one_kind
from campose_core.sfm.report import MapReport
from campose_core.sfm.strong_matching import ALONE
from campose_core.sfm.triangulation import MIN_LANDMARKS, posed_model, triangulated


def kinds_apart(
    *, images: str, joint: str, joint_model: str, features: list[str], kinds: list[str], places: list[str]
) -> dict[str, Any]:
    """Write database.db and model/ of each kind into its folder of `places`.

    joint, joint_model: the database and the model of both kinds. features: the databases that were joined.

    Raises:
        MappingError: the first kind sees next to nothing of what the second holds together.
    """
    pycolmap = load_pycolmap()
    pycolmap.set_random_seed(0)
    whole = pycolmap.Reconstruction(joint_model)
    poses = {name: [*pose.translation, *pose.quat_xyzw] for name, pose in model_poses(whole).items()}
    models = []
    for source, kind, place in zip(features, kinds, map(Path, places), strict=True):
        database, work = place / "database.db", place / "model.triangulated"
        of_one_kind(Path(joint), Path(source), database, FEATURES.load(kind), is_first=kind == kinds[0])
        work.mkdir(exist_ok=True)
        with pycolmap.Database.open(database) as db:
            for camera in whole.cameras.values():
                db.update_camera(camera)
            model = triangulated(posed_model(db, poses), str(database), images, work)
        shutil.rmtree(work)
        drop_outliers(model)
        shutil.rmtree(place / "model", ignore_errors=True)
        (place / "model").mkdir()
        model.write(place / "model")
        models.append(model)
    main = models[0]
    if main.num_points3D() < MIN_LANDMARKS:
        raise MappingError(
            f"{kinds[0]} has {main.num_points3D()} landmarks where {kinds[1]} holds {len(poses)} keyframes together: "
            f"{ALONE}"
        )
    thin = sorted(image.name for image in map(main.image, main.reg_image_ids()) if image.num_points3D < MIN_INLIERS)
    return MapReport(landmarks=main.num_points3D(), held_by_second=thin).to_dict()
