"""A painted wall, cameras that look at it, and a scene made of it: small enough to draw with numpy.

The wall is the plane y = 4 of the map, 6 m wide and 2.5 m high; cameras stand about 2.5 m before it and look along +y.
The landmarks are features of two images put onto the plane they show, exactly, without any reconstruction.
"""

import io
from array import array
from pathlib import Path

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from PIL import Image as PillowImage
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from campose_core.camera import Camera
from campose_core.features.sift import SiftExtractor
from campose_core.features.vlad import Vlad
from campose_core.floor import FREE, OCCUPIED, FloorMap
from campose_core.geometry import Pose, Similarity
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.scene.alignment import Alignment
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.walkable import save_walkable

CAMERA = Camera("PINHOLE", 320, 240, (260.0, 260.0, 159.5, 119.5))
WALL_Y, WALL_WIDTH, WALL_HEIGHT = 4.0, 6.0, 2.5
PIXELS_PER_M = 120
LOOKING_AT_WALL = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])  # map_from_cam: x right, z along +y


def paint() -> NDArray[np.uint8]:
    """Blobs of several sizes; row 0 is the upper edge of the wall."""
    rng = np.random.default_rng(5)
    shape = (int(WALL_HEIGHT * PIXELS_PER_M), int(WALL_WIDTH * PIXELS_PER_M), 3)
    layers = [gaussian_filter(rng.normal(size=shape), (s, s, 0)) * s for s in (1.5, 3.0, 6.0, 14.0)]
    painted = sum(layers)
    return np.clip(128 + 60 * painted / painted.std(), 0, 255).astype(np.uint8)


PAINT = paint()


def standing_at(x: float, y: float = 1.5, yaw: float = 0.0) -> Pose:
    rotation = Rotation.from_euler("z", yaw) * Rotation.from_matrix(LOOKING_AT_WALL)
    return Pose(rotation, np.array([x, y, 1.2]))


def wall_points(map_from_cam: Pose, pixels: NDArray[np.float64], camera: Camera = CAMERA) -> NDArray[np.float64]:
    """Where the rays through pixels (N, 2) meet the wall, (N, 3)."""
    bent = (pixels - camera.centre) / camera.focal
    rays = bent
    for _ in range(10):  # distortion inverted by fixed point iteration
        rays = rays + bent - camera.distort(rays)
    directions = map_from_cam.rotation.apply(np.column_stack([rays, np.ones(len(rays))]))
    reach = (WALL_Y - map_from_cam.translation[1]) / directions[:, 1]
    return map_from_cam.translation + reach[:, None] * directions


def picture(map_from_cam: Pose, camera: Camera = CAMERA) -> NDArray[np.uint8]:
    """What the camera sees, (H, W, 3); grey beside the wall."""
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    pixels = np.column_stack([columns.ravel(), rows.ravel()]).astype(float)
    points = wall_points(map_from_cam, pixels, camera)
    where = [(WALL_HEIGHT - points[:, 2]) * PIXELS_PER_M - 0.5, points[:, 0] * PIXELS_PER_M - 0.5]
    channels = [map_coordinates(PAINT[..., c].astype(float), where, order=1, cval=128.0) for c in range(3)]
    return np.stack(channels, axis=-1).reshape(camera.height, camera.width, 3).astype(np.uint8)


def build_scene(path: Path) -> Scene:
    """A scene that localizes before the wall: x from 1.5 to 4.5 m."""
    extract = SiftExtractor()
    poses = [standing_at(x) for x in (1.6, 3.0, 4.4)]
    seen = [extract(picture(pose)) for pose in poses]
    vlad = Vlad.fit([features.descriptors for features in seen], seed=0)
    points, descriptors, observed_by = [], [], []
    for index, (pose, features) in enumerate(zip(poses, seen, strict=True)):
        xyz = wall_points(pose, features.pixels)
        # Each part of the wall belongs to one keyframe: a landmark that is there twice matches nothing.
        mine = np.abs(xyz[:, 0] - pose.translation[0]) < 0.7
        points.append(xyz[mine])
        descriptors.append(np.clip(np.rint(512 * features.descriptors[mine]), 0, 255).astype(np.uint8))
        observed_by.append(np.full(int(mine.sum()), index, dtype=np.int32))
    total = sum(map(len, points))
    names = [f"wall/{index}.jpg" for index in range(len(poses))]
    Landmarks(
        xyz=np.concatenate(points),
        rgb=np.full((total, 3), 128, np.uint8),
        descriptors=np.concatenate(descriptors),
        frame_names=np.array(names),
        frame_positions=np.array([pose.translation for pose in poses]),
        frame_quats_xyzw=np.array([pose.quat_xyzw for pose in poses]),
        frame_globals=np.stack([vlad.describe(features.descriptors) for features in seen]).astype(np.float16),
        vlad_words=vlad.words,
        observed_by=np.concatenate(observed_by),
        observed=np.arange(total, dtype=np.int32),
    ).save(path / "sfm" / "landmarks.npz")
    save_walkable(path / "floor", floor())
    scene = Scene(
        path=path,
        name="wall",
        cameras={"wall": CAMERA},
        alignment=Alignment(Similarity.identity(), "given"),
        frames=tuple(
            SceneFrame(n, "wall", i, "wall", "train", p) for i, (n, p) in enumerate(zip(names, poses, strict=True))
        ),
    )
    scene.save()
    return scene


def floor() -> FloorMap:
    """A room of 6 by 4 m with walls of one cell; walkable from 0.3 m inside."""
    cells = np.full((80, 120), FREE, np.int8)
    cells[[0, -1], :] = OCCUPIED
    cells[:, [0, -1]] = OCCUPIED
    return FloorMap(cells, 0.05)


def stamp_message(stamp_ns: int) -> Time:
    return Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)


def raw_message(stamp_ns: int, pixels: NDArray[np.uint8]) -> Image:
    message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding="rgb8", step=3 * pixels.shape[1])
    message.header.stamp, message.header.frame_id = stamp_message(stamp_ns), "camera_optical"
    message.data = array("B", pixels.tobytes())
    return message


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    data = io.BytesIO()
    PillowImage.fromarray(pixels).save(data, "JPEG", quality=92)
    return data.getvalue()


def compressed_message(stamp_ns: int, pixels: NDArray[np.uint8]) -> CompressedImage:
    message = CompressedImage(format="rgb8; jpeg compressed bgr8")
    message.header.stamp, message.header.frame_id = stamp_message(stamp_ns), "camera_optical"
    message.data = array("B", jpeg(pixels))
    return message


def camera_info(stamp_ns: int = 0, camera: Camera = CAMERA) -> CameraInfo:
    message = CameraInfo(width=camera.width, height=camera.height, distortion_model="plumb_bob")
    message.header.stamp = stamp_message(stamp_ns)
    message.k = camera.matrix().ravel()
    message.d = [*camera.params[4:], 0.0] if camera.model == "OPENCV" else [0.0] * 5
    return message
