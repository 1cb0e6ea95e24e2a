"""Rooms of random landmarks, without images: what localization knows of a building, made in milliseconds."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.features.base import ImageFeatures
from campose_core.features.sift import SiftExtractor
from campose_core.features.vlad import Vlad
from campose_core.geometry import Pose
from campose_core.landmark_map.landmarks import Landmarks

CAMERA = Camera("PINHOLE", 640, 480, (400.0, 400.0, 319.5, 239.5))
SIZE = np.array([6.0, 5.0, 2.5])  # metres
KEYFRAMES = 32


def looking(yaw: float, position: np.ndarray) -> Pose:
    """map_from_cam of a level camera."""
    forward, left = np.array([np.cos(yaw), np.sin(yaw), 0.0]), np.array([-np.sin(yaw), np.cos(yaw), 0.0])
    axes = np.column_stack([-left, [0.0, 0.0, -1.0], forward])
    return Pose(Rotation.from_matrix(axes), position)


def visible(xyz: np.ndarray, map_from_cam: Pose) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the points in the image, and their pixels."""
    points_cam = map_from_cam.inverse().transform(xyz)
    pixels = CAMERA.project(points_cam)
    inside = (points_cam[:, 2] > 0.3) & ((pixels >= 0) & (pixels < (CAMERA.width, CAMERA.height))).all(axis=1)
    return np.flatnonzero(inside), pixels[inside]


def room(seed: int, landmarks: int = 1200) -> Landmarks:
    """Landmarks on the walls of a room with a corner at the origin, seen by keyframes in its middle."""
    generator = np.random.default_rng(seed)
    xyz = generator.uniform(0.0, 1.0, (landmarks, 3)) * SIZE
    wall = generator.integers(0, 2, landmarks)
    xyz[np.arange(landmarks), wall] = generator.integers(0, 2, landmarks) * SIZE[wall]
    descriptors = _descriptors(landmarks, generator)
    poses = [looking(yaw, generator.uniform(0.35, 0.65, 3) * SIZE) for yaw in np.linspace(0, 2 * np.pi, KEYFRAMES)]
    seen = [visible(xyz, pose)[0] for pose in poses]
    vlad = Vlad.fit([SiftExtractor.to_unit(descriptors)], seed=0)
    return Landmarks(
        xyz=xyz,
        rgb=np.zeros((landmarks, 3), np.uint8),
        descriptors=descriptors,
        frame_names=np.array([f"{seed}/{i:03d}.jpg" for i in range(KEYFRAMES)]),
        frame_positions=np.array([pose.translation for pose in poses]),
        frame_quats_xyzw=np.array([pose.quat_xyzw for pose in poses]),
        frame_globals=_globals(vlad, descriptors, seen),
        vlad_words=vlad.words,
        observed_by=np.repeat(np.arange(KEYFRAMES), [len(rows) for rows in seen]).astype(np.int32),
        observed=np.concatenate(seen).astype(np.int32),
    )


def building(*rooms: Landmarks, apart: float = 20.0) -> Landmarks:
    """One map of several rooms along x, with the vocabulary of the first."""
    vlad = Vlad(rooms[0].vlad_words)
    points = np.cumsum([0] + [len(one.xyz) for one in rooms])
    frames = np.cumsum([0] + [len(one.frame_names) for one in rooms])
    aside = [np.array([apart * i, 0.0, 0.0]) for i in range(len(rooms))]
    views = [[one.observed[one.observed_by == k] for k in range(len(one.frame_names))] for one in rooms]
    return replace(
        rooms[0],
        xyz=np.concatenate([one.xyz + shift for one, shift in zip(rooms, aside, strict=True)]),
        rgb=np.concatenate([one.rgb for one in rooms]),
        descriptors=np.concatenate([one.descriptors for one in rooms]),
        frame_names=np.array([f"{i}/{name}" for i, one in enumerate(rooms) for name in one.frame_names]),
        frame_positions=np.concatenate([one.frame_positions + s for one, s in zip(rooms, aside, strict=True)]),
        frame_quats_xyzw=np.concatenate([one.frame_quats_xyzw for one in rooms]),
        frame_globals=np.concatenate(
            [_globals(vlad, one.descriptors, seen) for one, seen in zip(rooms, views, strict=True)]
        ),
        observed_by=np.concatenate([one.observed_by + frames[i] for i, one in enumerate(rooms)]).astype(np.int32),
        observed=np.concatenate([one.observed + points[i] for i, one in enumerate(rooms)]).astype(np.int32),
    )


def features_seen(landmarks: Landmarks, map_from_cam: Pose, seed: int = 0, clutter: int = 100) -> ImageFeatures:
    """What an image shows of the landmarks: noisy pixels and descriptors, and features of nothing in the map."""
    generator = np.random.default_rng(seed)
    rows, pixels = visible(landmarks.xyz, map_from_cam)
    noisy = SiftExtractor.to_unit(landmarks.descriptors[rows]) + generator.normal(0, 0.02, (len(rows), 128))
    descriptors = np.concatenate([noisy, SiftExtractor.to_unit(_descriptors(clutter, generator))]).astype(np.float32)
    return ImageFeatures(
        np.concatenate([pixels + generator.normal(0, 0.5, pixels.shape), generator.uniform(0, 480, (clutter, 2))]),
        descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True),
    )


def _descriptors(count: int, generator: np.random.Generator) -> np.ndarray:
    sift = generator.gamma(0.7, size=(count, 128))
    return SiftExtractor.to_bytes(np.sqrt(sift / sift.sum(axis=1, keepdims=True)).astype(np.float32))


def _globals(vlad: Vlad, descriptors: np.ndarray, views: list[np.ndarray]) -> np.ndarray:
    return np.stack([vlad.describe(SiftExtractor.to_unit(descriptors[rows])) for rows in views]).astype(np.float16)
