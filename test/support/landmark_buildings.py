"""Landmarks on the surfaces of the rendered floors, seen by the cameras of their drives: a reconstruction without
images, made in a second."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.geometry import Pose, Similarity
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.simulation.drive import camera_trajectory, drive
from campose_core.simulation.world import Box, Rectangle, Surface, World

CAMERA = Camera("PINHOLE", 640, 480, (420.0, 420.0, 319.5, 239.5))
FARTHEST_M = 6.0


def surveyed(world: World, count: int = 9000, keyframes: int = 70, noise: float = 0.004, seed: int = 0) -> Landmarks:
    """What the mapping drive reconstructs, in the map frame; noise: of a landmark, of the distance it is seen from."""
    driven = camera_trajectory(drive(world, "mapping", 10.0))
    chosen = np.linspace(0, len(driven) - 1, keyframes).astype(int)
    poses = [pose for i, (_, pose) in enumerate(driven) if i in set(chosen.tolist())]
    return seen_from(world, poses, count, noise, seed)


def seen_from(world: World, map_from_cams: list[Pose], count: int, noise: float = 0.004, seed: int = 0) -> Landmarks:
    """Landmarks on all surfaces, as the cameras see them past boxes; those seen three times are kept."""
    generator = np.random.default_rng(seed)
    xyz = _on_surfaces(world.surfaces, count, generator)
    views = [_visible(xyz, pose, world.boxes) for pose in map_from_cams]
    by = np.repeat(np.arange(len(views)), [len(rows) for rows in views])
    rows = np.concatenate(views)
    kept = np.flatnonzero(np.bincount(rows, minlength=count) >= 3)
    number = np.full(count, -1)
    number[kept] = np.arange(len(kept))
    positions = np.array([pose.translation for pose in map_from_cams])
    distance = np.linalg.norm(xyz[kept][:, None] - positions[None], axis=2).min(axis=1)
    noisy = xyz[kept] + generator.normal(0, 1, (len(kept), 3)) * noise * distance[:, None]
    return Landmarks(
        xyz=noisy,
        rgb=np.zeros((len(kept), 3), np.uint8),
        descriptors=np.zeros((len(kept), 128), np.uint8),
        frame_names=np.array([f"mapping/{i:06d}.jpg" for i in range(len(map_from_cams))]),
        frame_positions=positions,
        frame_quats_xyzw=np.array([pose.quat_xyzw for pose in map_from_cams]),
        frame_globals=np.zeros((len(map_from_cams), 128), np.float16),
        vlad_words=np.zeros((1, 128), np.float32),
        observed_by=by[number[rows] >= 0].astype(np.int32),
        observed=number[rows[number[rows] >= 0]].astype(np.int32),
    )


def anywhere(seed: int) -> Similarity:
    """sfm_from_map, as a reconstruction comes out: any scale, any axes."""
    generator = np.random.default_rng(seed)
    scale = float(np.exp(generator.uniform(-2, 2)))
    return Similarity(scale, Rotation.random(rng=generator), generator.normal(0, 5, 3))


def empty_room(width: float, depth: float, height: float = 2.5) -> World:
    """Four walls about the origin, a floor and a ceiling, and nothing in it: turned by half a turn it is the same."""
    x, y, wall = width / 2, depth / 2, 0.15
    boxes = [
        Box((-x - wall, -y - wall, 0), (x + wall, -y, height), (), is_wall=True),
        Box((-x - wall, y, 0), (x + wall, y + wall, height), (), is_wall=True),
        Box((-x - wall, -y, 0), (-x, y, height), (), is_wall=True),
        Box((x, -y, 0), (x + wall, y, height), (), is_wall=True),
    ]
    surfaces = [
        Surface((-x, -y, height), (width, 0, 0), (0, 0, -height), "", 0),
        Surface((-x, y, height), (width, 0, 0), (0, 0, -height), "", 0),
        Surface((-x, -y, height), (0, depth, 0), (0, 0, -height), "", 0),
        Surface((x, -y, height), (0, depth, 0), (0, 0, -height), "", 0),
        Surface((-x, -y, 0), (width, 0, 0), (0, depth, 0), "", 0),
        Surface((-x, -y, height), (width, 0, 0), (0, depth, 0), "", 0),
    ]
    return World("small", 0, (Rectangle("room", (-x, -y), (x, y)),), (), tuple(boxes), tuple(surfaces))


def round_walk(radius_x: float, radius_y: float, count: int = 48, height: float = 0.6) -> list[Pose]:
    """Cameras on an ellipse about the origin that look all around, tilted down a little."""
    poses = []
    for i, angle in enumerate(np.linspace(0, 2 * np.pi, count, endpoint=False)):
        turn = Rotation.from_euler("ZYX", [angle + 2.4 * i, 0.1, 0.0])
        optical = turn * Rotation.from_matrix([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
        poses.append(Pose(optical, np.array([radius_x * np.cos(angle), radius_y * np.sin(angle), height])))
    return poses


def without(landmarks: Landmarks, gone: np.ndarray) -> Landmarks:
    """The landmarks but for those of the mask `gone` (N,)."""
    number = np.cumsum(~gone) - 1
    left = ~gone[landmarks.observed]
    return replace(
        landmarks,
        xyz=landmarks.xyz[~gone],
        rgb=landmarks.rgb[~gone],
        descriptors=landmarks.descriptors[~gone],
        observed_by=landmarks.observed_by[left],
        observed=number[landmarks.observed[left]].astype(np.int32),
    )


def _on_surfaces(surfaces: tuple[Surface, ...], count: int, generator: np.random.Generator) -> np.ndarray:
    corner, along, down = (np.array([getattr(s, name) for s in surfaces]) for name in ("corner", "along", "down"))
    area = np.linalg.norm(np.cross(along, down), axis=1)
    which = generator.choice(len(surfaces), count, p=area / area.sum())
    u, v = generator.uniform(0, 1, (2, count, 1))
    return corner[which] + u * along[which] + v * down[which]


def _visible(xyz: np.ndarray, map_from_cam: Pose, boxes: tuple[Box, ...]) -> np.ndarray:
    in_cam = map_from_cam.inverse().transform(xyz)
    pixels = CAMERA.project(in_cam)
    inside = (in_cam[:, 2] > 0.3) & (in_cam[:, 2] < FARTHEST_M)
    inside &= ((pixels >= 0) & (pixels < (CAMERA.width, CAMERA.height))).all(axis=1)
    rows = np.flatnonzero(inside)
    start, way = map_from_cam.translation, xyz[rows] - map_from_cam.translation
    way = np.where(np.abs(way) < 1e-12, 1e-12, way)
    hidden = np.zeros(len(rows), dtype=bool)
    for box in boxes:  # slabs: where the line of sight is between both planes of each axis
        a, b = (np.array(box.low) - start) / way, (np.array(box.high) - start) / way
        enter, leave = np.minimum(a, b).max(axis=1), np.maximum(a, b).min(axis=1)
        hidden |= (enter < leave) & (leave > 0) & (enter < 0.99)
    return rows[~hidden]
