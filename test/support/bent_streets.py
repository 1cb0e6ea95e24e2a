"""A street mapped by its images alone, which leave its scale and its heading nearly open: the map is bent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from posed_models import OWN, reconstructed
from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose, Similarity
from campose_core.landmark_map.colmap import load_pycolmap, model_poses, to_colmap_pose
from campose_core.landmark_map.landmarks import landmarks_from_model
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.sfm.registration import SfmPoses

LENGTH_M, KEYFRAMES = 120.0, 61
LOOKING_ALONG_X = Rotation.from_matrix([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def street_poses() -> list[Pose]:
    """map_from_cam along a street with a slow turn in it."""
    along = np.linspace(0.0, LENGTH_M, KEYFRAMES)
    headings = 0.6 / (1.0 + np.exp(-(along - 60.0) / 10.0))
    steps = np.diff(along, prepend=0.0)
    x, y = np.cumsum(steps * np.cos(headings)), np.cumsum(steps * np.sin(headings))
    turns = [Rotation.from_euler("z", heading) * LOOKING_ALONG_X for heading in headings]
    return [Pose(turn, [px, py, 1.5]) for turn, px, py in zip(turns, x, y, strict=True)]


def bent_model(bend_m: float = 2.0, count: int = 1500, aside_px: tuple[float, float] = (0.0, 0.0)):
    """A COLMAP model that sees what is there, and stands where a bend of that size has put it; aside_px: how far the
    centre of the lens truly is from where the model has it."""
    poses = street_poses()
    generator = np.random.default_rng(3)
    beside = np.array([pose.translation for pose in poses])[generator.integers(0, KEYFRAMES, count)]
    aside = generator.choice([-1.0, 1.0], count)[:, None] * generator.uniform(3.0, 9.0, (count, 1))
    xyz = beside + aside * [0.0, 1.0, 0.0] + generator.uniform([-6.0, 0.0, -1.4], [12.0, 0.0, 5.0], (count, 3))
    model = reconstructed(poses, xyz, aside_px=aside_px)
    moves = [_move(pose, bend_m) for pose in poses]
    for image_id in model.reg_image_ids():
        moved = moves[image_id - 1].transform_pose(poses[image_id - 1])
        model.frame(model.image(image_id).frame_id).rig_from_world = to_colmap_pose(moved.inverse())
    for point_id, point in model.points3D.items():
        images = [element.image_id for element in point.track.elements]
        model.point3D(point_id).xyz = np.mean([moves[image - 1].transform(point.xyz) for image in images], axis=0)
    return model


def _move(pose: Pose, bend_m: float) -> Similarity:
    """How a bend moves what is around a pose: aside and farther on by the square of the way, turned and larger."""
    share = pose.translation[0] / LENGTH_M
    turn = Rotation.from_euler("z", 2.0 * bend_m * share / LENGTH_M)
    scale = 1.0 + bend_m * share / LENGTH_M
    there = pose.translation + bend_m * np.array([0.5 * share**2, share**2, 0.0])
    return Similarity(scale, turn, there - scale * turn.as_matrix() @ pose.translation)


def street_scene(folder: Path) -> Scene:
    """SCENE as `campose map` leaves it, of a street that is bent; its frames are 0.1 s apart."""
    pycolmap = load_pycolmap()
    (folder / "sfm" / "model").mkdir(parents=True)
    (folder / "frames" / "walk").mkdir(parents=True)
    model = bent_model()
    with pycolmap.Database.open(folder / "sfm" / "database.db") as database:
        database.write_camera(model.camera(1), use_camera_id=True)
        for image_id in sorted(model.reg_image_ids()):
            image = model.image(image_id)
            new = pycolmap.Image(name=image.name, camera_id=1, image_id=image_id)
            database.write_image(new, use_image_id=True)
            pixels = np.array([point.xy for point in image.points2D], dtype=np.float32)
            database.write_keypoints(
                image_id, np.column_stack([pixels, np.ones(len(pixels)), np.zeros(len(pixels))]).astype(np.float32)
            )
            rows = np.random.default_rng(image_id).integers(0, 256, (len(pixels), 128), dtype=np.uint8)
            database.write_descriptors(image_id, pycolmap.FeatureDescriptors(pycolmap.FeatureExtractorType.SIFT, rows))
        landmarks = landmarks_from_model(model, database)
    model.write(folder / "sfm" / "model")
    landmarks.save(folder / "sfm" / "landmarks.npz")
    poses = model_poses(model)
    SfmPoses.of(poses).save(folder / "sfm" / "poses.npz")
    frames = tuple(SceneFrame(name, "walk", i * 10**8, "walk", "") for i, name in enumerate(sorted(poses)))
    source = {"kind": "video", "path": "walk.mp4", "calibrated": True, "given_camera": OWN.to_dict()}
    scene = Scene(folder, "street", {"walk": OWN}, {"walk": source}, frames=frames).with_step("map", {})
    scene.save()
    return scene
