"""What the measurements are made with: a painted wall, a scene that localizes before it, images of a walk along it,
and a scene of a thousand keyframes made by repetition."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from campose_core.camera import Camera
from campose_core.cli.console import say
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.scene.scene import Scene
from campose_core.walkable import save_walkable

sys.path.append(str(Path(__file__).parents[2] / "test" / "support"))  # wall.py

VGA = Camera("PINHOLE", 640, 480, (520.0, 520.0, 319.5, 239.5))
SPEED_MPS = 0.3
WALK_X = np.arange(2.0, 4.0, 0.02)  # there and back again
KEYFRAMES = 1000
LANDMARKS_PER_KEYFRAME = 150  # of a keyframe's own; neighbours see them as well
SEEN_PER_KEYFRAME = 500


class Material(NamedTuple):
    scene: Path
    large_scene: Path
    pictures: Path  # (N, 480, 640, 3) uint8, the walk there


def prepare(out: Path) -> Material:
    """Made once, kept in `out`."""
    import wall

    material = Material(out / "wall", out / "thousand_keyframes", out / "walk.npy")
    if not (material.scene / "scene.yaml").is_file():
        wall.build_scene(material.scene)
    if not material.pictures.is_file():
        say(f"drawing {len(WALK_X)} images")
        np.save(material.pictures, np.stack([wall.picture(wall.standing_at(float(x)), VGA) for x in WALK_X]))
    if not (material.large_scene / "scene.yaml").is_file():
        say(f"making a scene of {KEYFRAMES} keyframes")
        _large_scene(Scene.open(material.scene), material.large_scene)
    return material


def _large_scene(scene: Scene, path: Path) -> None:
    """As many keyframes and landmarks as a large building has. Their contents are noise around those of the wall: it
    is loaded and indexed here, nothing is localized in it."""
    import wall

    rng = np.random.default_rng(0)
    small = Landmarks.load(scene.sfm_dir / "landmarks.npz")
    total = KEYFRAMES * LANDMARKS_PER_KEYFRAME
    rows, frames = rng.integers(0, len(small.xyz), total), np.arange(KEYFRAMES) % len(small.frame_names)
    owner = np.repeat(np.arange(KEYFRAMES), LANDMARKS_PER_KEYFRAME)
    aside = np.outer(np.arange(KEYFRAMES), [0.3, 0.0, 0.0])
    # A keyframe sees the landmarks of its own and those of its neighbours.
    first = np.clip(np.arange(KEYFRAMES) * LANDMARKS_PER_KEYFRAME - 175, 0, total - SEEN_PER_KEYFRAME)
    noise = rng.normal(0, 8.0, (total, 128))
    names = np.array([f"walk/{i:06d}.jpg" for i in range(KEYFRAMES)])
    poses = [small.world_from_cam(int(i)) for i in frames]
    landmarks = replace(
        small,
        xyz=small.xyz[rows] + aside[owner],
        rgb=small.rgb[rows],
        descriptors=np.clip(np.rint(small.descriptors[rows] + noise), 0, 255).astype(np.uint8),
        frame_names=names,
        frame_positions=small.frame_positions[frames] + aside,
        frame_quats_xyzw=small.frame_quats_xyzw[frames],
        frame_globals=small.frame_globals[frames],
        observed_by=np.repeat(np.arange(KEYFRAMES), SEEN_PER_KEYFRAME).astype(np.int32),
        observed=(first[:, None] + np.arange(SEEN_PER_KEYFRAME)).ravel().astype(np.int32),
    )
    landmarks.save(path / "sfm" / "landmarks.npz")
    large = replace(
        scene,
        path=path,
        name="thousand keyframes",
        frames=tuple(
            replace(scene.frames[0], name=str(name), stamp_ns=i, map_from_cam=pose)
            for i, (name, pose) in enumerate(zip(names, poses, strict=True))
        ),
    )
    save_walkable(path / "floor", wall.floor())
    large.save()
