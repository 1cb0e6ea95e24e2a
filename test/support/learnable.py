"""A tiny scene a network can learn: images whose content follows from the pose."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from campose_core.bag.writer import CAMERA_FRAME, write_bag
from campose_core.camera import Camera
from campose_core.frame import Frame
from campose_core.geometry import Pose, Similarity
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.learning.options import TrainOptions
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.scene.split import SplitOptions, split
from campose_core.trajectory import Trajectory

WIDTH, HEIGHT = 64, 48
CAMERA = Camera.from_field_of_view(WIDTH, HEIGHT, 60.0)
# Optical axes (x right, y down, z forward) of a camera that looks along the map's x axis.
LEVEL = Rotation.from_matrix([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
QUICK = TrainOptions(
    kind="posenet", backbone="resnet18", weights="random", hidden=64, image_size=32, epochs=3, batch_size=16, views=0,
    components=32, tuple_skip=2,
)  # fmt: skip
# Trains in a tenth of resnet18's time, and has batch normalisation too; it has no average to divide into cells.
SMALL = {"backbone": "shufflenet_v2_x0_5", "grid": 1}
# Where the camera of a bag sits on its robot, and where the robot's odometry began.
BASE_FROM_CAM = Pose(LEVEL, np.array([0.1, -0.05, 1.2]))
ODOM_FROM_MAP = Pose(Rotation.from_euler("z", 0.7), np.array([3.0, -2.0, 0.0]))


def picture(pose: Pose) -> np.ndarray:
    """A texture that slides and stretches with the pose."""
    x, y, _ = pose.translation
    columns, rows = np.meshgrid(np.linspace(0, 3, WIDTH), np.linspace(0, 2, HEIGHT))
    waves = [np.sin(3 * columns + 2 * x), np.cos(4 * rows + 3 * y), np.sin(5 * (columns + rows) + 6 * pose.yaw() + x)]
    return np.clip(128 + 100 * np.stack(waves, axis=-1), 0, 255).astype(np.uint8)


def walk(count: int, start: float = 0.0) -> list[Pose]:
    steps = start + np.linspace(0.0, 2.0, count)
    headings = 0.3 * np.sin(2 * steps)
    return [
        Pose(Rotation.from_euler("z", heading) * LEVEL, np.array([step, 0.5 * np.sin(step), 1.2]))
        for step, heading in zip(steps, headings, strict=True)
    ]


def make_scene(path: Path, sources: Mapping[str, int], options: SplitOptions | None = None) -> Scene:
    """A scene with so many frames per source, 0.1 s apart, split by `options`."""
    frames = []
    for number, (source, count) in enumerate(sources.items()):
        (path / "frames" / source).mkdir(parents=True)
        for index, pose in enumerate(walk(count, start=0.7 * number)):
            name = f"{source}/{index:04d}.jpg"
            Image.fromarray(picture(pose)).save(path / "frames" / name, quality=95)
            frames.append(SceneFrame(name, source, 100_000_000 * index, "camera", "", pose))
    scene = Scene(path, path.name, {"camera": CAMERA}, {source: {} for source in sources}, frames=tuple(frames))
    scene.save()
    return split(scene, options or SplitOptions())


def make_scene_by_heart(path: Path, count: int) -> Scene:
    """A scene whose validation recording is its training recording over again: who knows it by heart is judged best."""
    scene = make_scene(path, {"a": count, "b": count}, SplitOptions(scheme="source", val_sources=("b",)))
    poses = {frame.stamp_ns: frame.map_from_cam for frame in scene.frames if frame.source == "a"}
    for frame in scene.posed_frames("train"):
        shutil.copy(scene.frame_path(frame), scene.frames_dir / frame.name.replace("a/", "b/"))
    scene = replace(scene, frames=tuple(replace(f, map_from_cam=poses[f.stamp_ns]) for f in scene.frames))
    scene.save()
    return scene


def write_walk_bag(path: Path, poses: Sequence[Pose], with_odometry: bool = True, mounted: bool = True) -> Path:
    """A ROS 2 bag of what a camera saw at these poses map_from_cam, 0.25 s apart, with the robot's odometry between."""
    stamps = 1_000_000_000 + 250_000_000 * np.arange(len(poses))
    frames = [Frame(int(t), picture(pose), CAMERA_FRAME, f"{t}") for t, pose in zip(stamps, poses, strict=True)]
    cam_from_base = BASE_FROM_CAM.inverse()
    odometry = Trajectory.from_poses(stamps, [ODOM_FROM_MAP * pose * cam_from_base for pose in poses], "odom", "base")
    write_bag(path, frames, CAMERA, odometry if with_odometry else None, BASE_FROM_CAM if mounted else None)
    return path


MAP_FROM_SFM = Similarity(3.0, Rotation.from_euler("xyz", [0.3, -0.2, 1.0]), np.array([5.0, 1.0, -2.0]))


def landmarks_of(xyz_in_map: np.ndarray, observed_by: np.ndarray, observed: np.ndarray, names) -> Landmarks:
    count, frames = len(xyz_in_map), len(names)
    random = np.random.default_rng(0)
    sfm_from_map = MAP_FROM_SFM.inverse()
    return Landmarks(
        sfm_from_map.transform(xyz_in_map),
        np.zeros((count, 3), np.uint8),
        random.integers(0, 255, (count, 128), dtype=np.uint8),
        np.array(names),
        np.zeros((frames, 3)),
        np.tile([0.0, 0.0, 0.0, 1.0], (frames, 1)),
        np.zeros((frames, 128), np.float16),
        np.zeros((1, 128), np.float32),
        observed_by.astype(np.int32),
        observed.astype(np.int32),
    )
