"""Growing a reconstruction: keyframes of a new recording join a COLMAP model whose poses stay where they are.

COLMAP's incremental mapper registers the new keyframes by the landmarks that they share with the mapped ones,
triangulates what is new, and adjusts new poses, new intrinsics and landmarks; the mapped poses and their intrinsics are
constants of every adjustment (Schoenberger and Frahm, "Structure-from-motion revisited", CVPR 2016). So the frame of
the model, its scale and its alignment remain those of before.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.camera import Camera
from campose_core.errors import MappingError
from campose_core.features.registry import FEATURES
from campose_core.features.vlad import Vlad
from campose_core.landmark_map.arrays import read_arrays, write_arrays
from campose_core.landmark_map.colmap import from_colmap_camera, incremental_options, load_pycolmap
from campose_core.landmark_map.landmarks import Landmarks, landmarks_from_model
from campose_core.sfm.colmap_database import SEED, import_images, match_pairs, write_features


def grow(
    *,
    images: str,
    database: str,
    model: str,
    out: str,
    camera: dict[str, Any],
    refine: bool,
    names: Sequence[str],
    again: Sequence[str],
    features: str,
    landmarks: str,
    pairs: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """Run a stage: `names`, of one recording and one camera, join the model.

    database: changed in place: gets the new images, their features from the .npz file `features` (`pixels/NAME` as
    COLMAP counts them, `descriptors/NAME`), and the matches of `pairs`. landmarks: those of before; the new ones, and
    their COLMAP `ids`, are landmarks.npz and ids.npz in `out`. again: images of an earlier growth that found no place
    then. model, out: COLMAP folders, before and after. camera: as COLMAP knows it; refine: whether it is only a start.
    """
    known = Landmarks.load(Path(landmarks))
    kind = known.features
    pycolmap = load_pycolmap()
    pycolmap.logging.minloglevel = 0
    pycolmap.set_random_seed(SEED)
    _write_images(database, images, camera, names, read_arrays(Path(features)), kind)
    match_pairs(database, Path(out).with_suffix(".pairs.txt"), pairs, kind)
    before = pycolmap.Reconstruction(model)
    mapped = {before.image(i).name for i in before.reg_image_ids()}
    constant = {before.image(i).camera_id for i in before.reg_image_ids()}
    with pycolmap.Database.open(database) as db:
        new_camera = db.read_image_with_name(names[0]).camera_id
    constant = constant - {new_camera} if refine else constant | {new_camera}
    work = Path(out).with_suffix(".models")
    work.mkdir(parents=True, exist_ok=True)
    with pycolmap.Database.open(database) as db:
        options = incremental_options(db.read_all_cameras(), SEED)
    options.multiple_models = False
    options.fix_existing_frames = True
    options.constant_cameras = constant
    options.constant_rigs = set(before.rigs)
    options.image_names = [*mapped, *names, *again]
    # The mapped part is adjusted already; these bounds are on what is left to gain by adjusting all of it again.
    options.ba_global_frames_ratio = options.ba_global_points_ratio = 1.5
    options.ba_global_max_refinements = 2
    options.ba_global_function_tolerance = 1e-4
    models = pycolmap.incremental_mapping(database, images, str(work), options, input_path=model)
    shutil.rmtree(work)
    if not models:
        raise MappingError("growth: COLMAP gave no model back")
    grown = models[0]
    _hold(grown, before)
    Path(out).mkdir(parents=True)
    grown.write(out)
    with pycolmap.Database.open(database) as db:
        of_grown = landmarks_from_model(grown, db, Vlad(known.vlad_words), known.detail, kind)
    of_grown.save(Path(out) / "landmarks.npz")
    write_arrays(Path(out) / "ids.npz", {"ids": np.array(sorted(grown.points3D), dtype=np.int64)})
    registered = {grown.image(i).name for i in grown.reg_image_ids()}
    return {
        "registered": sorted(registered - mapped),
        "camera": from_colmap_camera(grown.camera(new_camera)).to_dict() if new_camera in grown.cameras else camera,
        "landmarks": grown.num_points3D(),
    }


def _write_images(
    database: str, images: str, camera: dict[str, Any], names: Sequence[str], features: dict[str, Any], kind: str
) -> None:
    """Write the images with their features; the camera is made with the first image of its recording."""
    pycolmap = load_pycolmap()
    source = names[0].split("/")[0]
    with pycolmap.Database.open(database) as db:
        present = [image for image in db.read_all_images() if image.name.split("/")[0] == source]
    import_images(database, images, names, Camera.from_dict(camera), present[0].camera_id if present else None)
    with pycolmap.Database.open(database) as db:
        for name in names:
            image_id = db.read_image_with_name(name).image_id
            pixels, descriptors = features[f"pixels/{name}"], features[f"descriptors/{name}"]
            write_features(db, image_id, pixels, descriptors, FEATURES.load(kind))


def _hold(model: Any, before: Any) -> None:
    """Put the mapped poses back to the last bit: robots' waypoints and trained models rest on them."""
    for frame_id in before.reg_frame_ids():
        model.frame(frame_id).rig_from_world = before.frame(frame_id).rig_from_world
