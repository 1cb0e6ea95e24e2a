"""A mapped and aligned scene without images, in a second: points that COLMAP has made up, and a database of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.geometry import Similarity
from campose_core.landmark_map.colmap import from_colmap_camera, load_pycolmap, model_poses
from campose_core.landmark_map.landmarks import landmarks_from_model
from campose_core.scene.alignment import Alignment
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.sfm.registration import SfmPoses


def mapped_scene_of_points(folder: Path, keyframes: int = 6, points: int = 60) -> Scene:
    """SCENE with sfm/ as `campose map` leaves it: model/, database.db, landmarks.npz, poses.npz."""
    pycolmap = load_pycolmap()
    (folder / "sfm" / "model").mkdir(parents=True)
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs = options.num_cameras_per_rig = 1
    options.num_frames_per_rig, options.num_points3D = keyframes, points
    pycolmap.set_random_seed(0)
    with pycolmap.Database.open(folder / "sfm" / "database.db") as database:
        model = pycolmap.synthesize_dataset(options, database)
        for image in database.read_all_images():
            name = f"walk/{image.image_id:06d}.jpg"
            image.name = name
            database.update_image(image)
            model.image(image.image_id).name = name
            count = len(model.image(image.image_id).points2D)
            random = np.random.default_rng(image.image_id)
            if not database.exists_descriptors(image.image_id):
                rows = random.integers(0, 256, (count, 128), dtype=np.uint8)
                database.write_descriptors(
                    image.image_id, pycolmap.FeatureDescriptors(pycolmap.FeatureExtractorType.SIFT, rows)
                )
        landmarks = landmarks_from_model(model, database)
    model.write(folder / "sfm" / "model")
    landmarks.save(folder / "sfm" / "landmarks.npz")
    poses = model_poses(model)
    SfmPoses.of(poses).save(folder / "sfm" / "poses.npz")
    frames = tuple(SceneFrame(name, "walk", i * 10**8, "walk", "", poses[name]) for i, name in enumerate(sorted(poses)))
    camera = from_colmap_camera(next(iter(model.cameras.values())))
    alignment = Alignment(Similarity(1.0, Rotation.identity(), np.zeros(3)), "by hand")
    scene = Scene(folder, "points", {"walk": camera}, {"walk": {"kind": "video", "path": "walk.mp4"}}, frames=frames)
    scene = scene.with_step("map", {}).with_step("align", {}, alignment=alignment)
    (folder / "frames" / "walk").mkdir(parents=True)
    scene.save()
    return scene
