"""A furnished box of a room seen through any lens: rays of the camera, cut with walls that carry random patches."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from landmark_rooms import looking
from PIL import Image

from campose_core.camera import Camera
from campose_core.capture.extract import extract
from campose_core.geometry import Pose
from campose_core.scene.scene import Scene
from campose_core.sfm.pipeline import MapOptions, map_scene
from campose_core.trajectory import Trajectory

SIZE = np.array([5.0, 4.0, 2.6])  # metres, a corner at the origin
BOXES = (((1.0, 3.2, 0.0), (1.9, 3.9, 0.8)), ((4.2, 0.3, 0.0), (4.8, 1.2, 1.5)), ((0.2, 0.2, 0.0), (0.8, 0.8, 1.1)))
TEXELS_PER_M = 90
PERIOD_NS = 100_000_000
PHONE = Camera("SIMPLE_RADIAL", 480, 360, (400.0, 239.5, 179.5, 0.0))  # the guess, 60 degrees, is 416
ZOOMED = Camera("SIMPLE_RADIAL", 480, 360, (520.0, 239.5, 179.5, 0.0))


def walk(count: int = 18) -> Trajectory:
    """map_from_cam of somebody who walks a curve through the room while looking round."""
    steps = np.linspace(0.0, 1.0, count)
    poses = [
        looking(
            np.radians(20 + 110 * s), np.array([1.4 + 1.6 * s, 1.2 + 1.0 * np.sin(2.2 * s), 1.4 + 0.1 * np.sin(9 * s)])
        )
        for s in steps
    ]
    return Trajectory.from_poses(np.arange(count) * PERIOD_NS, poses)


def picture(camera: Camera, map_from_cam: Pose, seed: int = 0) -> np.ndarray:
    """What the camera sees (H, W, 3), black where its lens brings no ray."""
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = camera.rays(np.stack([columns.ravel(), rows.ravel()], axis=1))
    lit = np.isfinite(rays).all(axis=1)
    directions = map_from_cam.rotation.apply(np.column_stack([rays[lit], np.ones(lit.sum())]))
    start = map_from_cam.translation
    distance, face = _room_hit(start, directions)
    for number, box in enumerate(BOXES):
        near, its_face = _box_hit(start, directions, *map(np.array, box))
        closer = near < distance
        distance, face = np.where(closer, near, distance), np.where(closer, 10 + 10 * number + its_face, face)
    points = start + distance[:, None] * directions
    image = np.zeros((camera.height * camera.width, 3), np.uint8)
    image[lit] = _colour(points, face, seed)
    return image.reshape(camera.height, camera.width, 3)


def filmed(folder: Path, camera: Camera, part: slice = slice(None), count: int = 18) -> Path:
    """The folder, with the images of a part of the walk."""
    folder.mkdir()
    way = walk(count)
    for number in range(count)[part]:
        Image.fromarray(picture(camera, way.pose(number))).save(folder / f"{number:03d}.png")
    return folder


def zooming(folder: Path) -> Path:
    """The folder, with the images of a walk whose second half is zoomed."""
    filmed(folder, PHONE, slice(0, 10), 20)
    way = walk(20)
    for number in range(10, 20):
        Image.fromarray(picture(ZOOMED, way.pose(number))).save(folder / f"{number:03d}.png")
    return folder


def mapped(path: Path, *folders: Path) -> Scene:
    return map_scene(extract(Scene.open_or_create(path), folders), MapOptions())


def _room_hit(start, directions):
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.maximum((0.0 - start) / directions, (SIZE - start) / directions)
    axis = np.argmin(far, axis=1)
    return far.min(axis=1), 2 * axis + (directions[np.arange(len(axis)), axis] > 0)


def _box_hit(start, directions, low, high):
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (low - start) / directions, (high - start) / directions
    enter, leave = np.minimum(a, b), np.maximum(a, b)
    near, axis = enter.max(axis=1), np.argmax(enter, axis=1)
    hit = (near > 0) & (near < leave.min(axis=1))
    return np.where(hit, near, np.inf), 2 * axis


def _colour(points, face, seed):
    """Patches of several sizes, each of a random colour, smooth where they meet: the same texture from everywhere."""
    axis = (face % 10) // 2
    rows = np.arange(len(points))
    across = points[rows, np.where(axis == 0, 1, 0)], points[rows, np.where(axis == 2, 1, 2)]
    colour = np.zeros((len(points), 3), np.float32)
    for size in (40, 13, 5):
        tile = _tile(seed, size)
        u, v = (coordinate * TEXELS_PER_M / size for coordinate in across)
        column, row = np.floor(u).astype(int), np.floor(v).astype(int)
        du, dv = (_eased(part).astype(np.float32)[:, None] for part in (u - column, v - row))
        corner = [tile[face % 64, (row + j) % 97, (column + i) % 101] for j in (0, 1) for i in (0, 1)]
        colour += (
            (1 - dv) * ((1 - du) * corner[0] + du * corner[1]) + dv * ((1 - du) * corner[2] + du * corner[3])
        ) / 3
    return np.clip(128 + 2.0 * (colour - 128), 0, 255)


@lru_cache
def _tile(seed, size):
    return np.random.default_rng([seed, size]).integers(0, 256, (64, 97, 101, 3), np.uint8)


def _eased(t):
    return t * t * (3 - 2 * t)
