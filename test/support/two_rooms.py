"""Two rooms with a door between, as landmarks that keyframes have seen, and as a scene on disk: no images, no COLMAP.

y 4 +---------+---------+
    |         |         |
    |    A      door B  |      door: x 5 .. 5.2, y 1.5 .. 2.4
    |         |         |
  0 +---------+---------+ x 10.2
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from landmark_rooms import CAMERA, looking, visible
from PIL import Image

from campose_core.files import write_text
from campose_core.floor import FREE, OCCUPIED, UNKNOWN, FloorMap
from campose_core.geometry import Pose, Similarity
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.residual import Residual
from campose_core.scene.alignment import Alignment
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.sfm.registration import SfmPoses
from campose_core.walkable import save_walkable

WIDTH, DEPTH, HEIGHT = 10.2, 4.0, 2.5
WALL, DOOR = (5.0, 5.2), (1.5, 2.4)
EYE = 0.8  # metres
PERIOD_NS = 200_000_000


def floor_map() -> FloorMap:
    margin, cell = 0.5, 0.05
    blank = FloorMap(np.full((100, 224), UNKNOWN, dtype=np.int8), cell, (-margin, -margin, 0.0))
    x, y = blank.centre_of(np.argwhere(blank.occupancy == UNKNOWN)).T
    inside = (x > 0) & (x < WIDTH) & (y > 0) & (y < DEPTH)
    between = (x > WALL[0]) & (x < WALL[1]) & ((y < DOOR[0]) | (y > DOOR[1]))
    near = (x > -0.1) & (x < WIDTH + 0.1) & (y > -0.1) & (y < DEPTH + 0.1)
    cells = np.where(inside & ~between, FREE, np.where(near, OCCUPIED, UNKNOWN))
    return FloorMap(cells.reshape(blank.shape).astype(np.int8), cell, blank.origin)


def look(x: float, y: float, yaw_deg: float) -> Pose:
    return looking(np.radians(yaw_deg), np.array([x, y, EYE]))


def spin(x: float, y: float, count: int = 24) -> list[Pose]:
    """All around while walking a small circle."""
    angles = np.linspace(0, 360, count, endpoint=False)
    return [look(x + 0.3 * np.cos(np.radians(a)), y + 0.3 * np.sin(np.radians(a)), a) for a in angles]


def drive(xs: Iterable[float], yaw_deg: float, y: float = 1.95) -> list[Pose]:
    return [look(x, y, yaw_deg) for x in xs]


def mapped(poses: Sequence[Pose], seed: int = 0, per_m2: float = 25.0) -> Landmarks:
    """The landmarks of walls and floor that three or more of the keyframes at map_from_cam `poses` see."""
    generator = np.random.default_rng(seed)
    xyz, normals = _surfaces(generator, per_m2)
    seen = [_seen(xyz, normals, pose) for pose in poses]
    observed, by = np.concatenate(seen), np.repeat(np.arange(len(poses)), [len(rows) for rows in seen])
    kept = np.bincount(observed, minlength=len(xyz)) >= 3
    number, still = np.cumsum(kept) - 1, kept[observed]
    count = int(kept.sum())
    return Landmarks(
        xyz=xyz[kept],
        rgb=np.zeros((count, 3), np.uint8),
        descriptors=generator.integers(0, 100, (count, 128)).astype(np.uint8),
        frame_names=np.array([f"a/{i:04d}.jpg" for i in range(len(poses))]),
        frame_positions=np.array([pose.translation for pose in poses]),
        frame_quats_xyzw=np.array([pose.quat_xyzw for pose in poses]),
        frame_globals=np.zeros((len(poses), 256), np.float16),
        vlad_words=np.zeros((2, 128), np.float32),
        observed_by=by[still].astype(np.int32),
        observed=number[observed[still]].astype(np.int32),
    )


def _surfaces(generator: np.random.Generator, per_m2: float) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 3) on the walls of both rooms and on the floor, and the normals (N, 3) of what they lie on."""
    faces = [
        ((0, 0, 0), (WIDTH, 0, 0), (0, DEPTH, 0), (0, 0, 1)),
        ((0, 0, 0), (WIDTH, 0, 0), (0, 0, HEIGHT), (0, 1, 0)),
        ((0, DEPTH, 0), (WIDTH, 0, 0), (0, 0, HEIGHT), (0, -1, 0)),
        ((0, 0, 0), (0, DEPTH, 0), (0, 0, HEIGHT), (1, 0, 0)),
        ((WIDTH, 0, 0), (0, DEPTH, 0), (0, 0, HEIGHT), (-1, 0, 0)),
        ((WALL[0], 0, 0), (0, DEPTH, 0), (0, 0, HEIGHT), (-1, 0, 0)),
        ((WALL[1], 0, 0), (0, DEPTH, 0), (0, 0, HEIGHT), (1, 0, 0)),
    ]
    xyz, normals = [], []
    for corner, along, up, normal in faces:
        count = int(per_m2 * np.linalg.norm(np.cross(along, up)))
        u, v = generator.uniform(0, 1, (2, count, 1))
        points = np.array(corner) + u * np.array(along) + v * np.array(up)
        in_door = (
            (points[:, 0] >= WALL[0]) & (points[:, 0] <= WALL[1]) & (points[:, 1] > DOOR[0]) & (points[:, 1] < DOOR[1])
        )
        points = points[~in_door]
        xyz.append(points)
        normals.append(np.tile(normal, (len(points), 1)))
    return np.concatenate(xyz), np.concatenate(normals)


def _seen(xyz: np.ndarray, normals: np.ndarray, pose: Pose) -> np.ndarray:
    rows, _ = visible(xyz, pose)
    offset = xyz[rows] - pose.translation
    facing = (normals[rows] * offset).sum(axis=1) < 0
    clear = np.ones(len(rows), dtype=bool)
    for x in WALL:
        crosses = (pose.translation[0] < x - 1e-9) != (xyz[rows, 0] < x - 1e-9)
        share = (x - pose.translation[0]) / np.where(np.abs(offset[:, 0]) < 1e-9, 1e-9, offset[:, 0])
        y = pose.translation[1] + share * offset[:, 1]
        on_it = np.abs(xyz[rows, 0] - x) < 1e-6
        clear &= ~crosses | on_it | ((y > DOOR[0]) & (y < DOOR[1]))
    return rows[facing & clear]


def part_of(landmarks: Landmarks, keep: np.ndarray) -> Landmarks:
    """Without the observations where `keep` is False."""
    return replace(landmarks, observed=landmarks.observed[keep], observed_by=landmarks.observed_by[keep])


def scene_at(
    path: Path,
    landmarks: Landmarks,
    *,
    aligned: bool = True,
    floor: bool = True,
    missing: dict[int, np.ndarray | None] | None = None,
    report: dict | None = None,
) -> Scene:
    """A scene with these keyframes as its frames, 5 a second.

    missing: images (H, W) of further frames that found no place, by the row of the keyframe they come after (0.05 s
    later each); None for an image that cannot be read.
    """
    sfm_from_map = Similarity(0.5, looking(0.3, np.zeros(3)).rotation, [1.0, 2.0, 3.0])
    in_sfm = landmarks.transformed(sfm_from_map)
    in_sfm.save(path / "sfm" / "landmarks.npz")
    SfmPoses(in_sfm.frame_names, in_sfm.frame_positions, in_sfm.frame_quats_xyzw).save(path / "sfm" / "poses.npz")
    frames = []
    for i, name in enumerate(landmarks.frame_names):
        pose = landmarks.world_from_cam(i) if aligned else None
        frames.append(SceneFrame(str(name), "a", i * PERIOD_NS, "a", "", pose))
    picture = textured(0)
    for row, pixels in (missing or {}).items():
        name = f"a/{row:04d}x.jpg"
        frames.append(SceneFrame(name, "a", row * PERIOD_NS + PERIOD_NS // 2, "a"))
        if pixels is not None:
            write_picture(path / "frames" / name, pixels)
    for name in landmarks.frame_names if missing else ():
        write_picture(path / "frames" / str(name), picture)
    without = [frame.name for frame in frames if frame.name.endswith("x.jpg")]
    write_text(path / "sfm" / "report.json", _json({"without_pose": without, **(report or {})}))
    if floor:
        save_walkable(path / "floor", floor_map())
    scene = Scene(
        path, "rooms", {"a": CAMERA}, {"a": {"kind": "bag"}}, frames=tuple(sorted(frames, key=lambda f: f.stamp_ns))
    )
    scene = scene.with_step("extract:a", {}).with_step("map", {})
    if aligned:
        scene = scene.with_step(
            "align", {}, alignment=Alignment(sfm_from_map.inverse(), "reference poses", Residual(median_m=0.01))
        )
    scene.save()
    return Scene.open(path)


def textured(seed: int, size: tuple[int, int] = (240, 320)) -> np.ndarray:
    """An image (H, W) that is full of corners."""
    generator = np.random.default_rng(seed)
    blocks = generator.integers(40, 220, (size[0] // 8, size[1] // 8)).astype(np.uint8)
    return np.kron(blocks, np.ones((8, 8), np.uint8))


def write_picture(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95)


def _json(value: dict) -> str:
    import json

    return json.dumps(value)
