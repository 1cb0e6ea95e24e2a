"""A scene of two walls that are painted alike, 20 m apart: an image alone cannot tell before which one it was taken."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from wall import build_scene

from campose_core.floor import FREE, OCCUPIED, FloorMap
from campose_core.geometry import Pose
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.scene.scene import Scene
from campose_core.walkable import save_walkable

APART_M = 20.0


def build_twins(path: Path) -> Scene:
    """As `wall.build_scene`, and all of it again at x + APART_M."""
    one = build_scene(path)
    file = path / "sfm" / "landmarks.npz"
    whole = Landmarks.load(file)
    aside = np.array([APART_M, 0.0, 0.0])
    count, frames = len(whole.xyz), len(whole.frame_names)
    twin_names = [name.replace("wall/", "twin/") for name in map(str, whole.frame_names)]
    replace(
        whole,
        xyz=np.concatenate([whole.xyz, whole.xyz + aside]),
        rgb=np.tile(whole.rgb, (2, 1)),
        descriptors=np.tile(whole.descriptors, (2, 1)),
        frame_names=np.array([*map(str, whole.frame_names), *twin_names]),
        frame_positions=np.concatenate([whole.frame_positions, whole.frame_positions + aside]),
        frame_quats_xyzw=np.tile(whole.frame_quats_xyzw, (2, 1)),
        frame_globals=np.tile(whole.frame_globals, (2, 1)),
        observed_by=np.concatenate([whole.observed_by, whole.observed_by + frames]).astype(np.int32),
        observed=np.concatenate([whole.observed, whole.observed + count]).astype(np.int32),
    ).save(file)
    cells = np.full((80, 520), FREE, np.int8)
    cells[[0, -1], :] = cells[:, [0, -1]] = OCCUPIED
    save_walkable(path / "floor", FloorMap(cells, 0.05))
    twins = [
        replace(frame, name=name, source="twin", map_from_cam=Pose(Rotation.identity(), aside) * frame.map_from_cam)
        for frame, name in zip(one.frames, twin_names, strict=True)
        if frame.map_from_cam is not None
    ]
    scene = replace(one, frames=(*one.frames, *twins))
    scene.save()
    return scene
