"""A scene with a grown map: what is in its folder, and which of its steps are done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from campose_core.geometry import Pose
from campose_core.scene.scene import Scene
from campose_core.scene.split import SplitOptions, split
from campose_core.sfm.registration import SfmPoses
from campose_core.sfm.report import MapReport
from campose_core.update.map_state import GrowingMap


def merged_scene(scene: Scene, name: str, full: GrowingMap, old: SfmPoses, poses: dict[str, Pose]) -> Scene:
    """Complete the copy of the scene: old frames keep their poses, and the finished steps stand for the new map."""
    full.save()
    assert scene.alignment is not None
    names = sorted(poses)
    SfmPoses(
        np.concatenate([old.names, names]),
        np.concatenate([old.positions, [poses[n].translation for n in names]]),
        np.concatenate([old.quats_xyzw, [poses[n].quat_xyzw for n in names]]),
    ).save(scene.sfm_dir / "poses.npz")
    map_from_sfm = scene.alignment.map_from_sfm
    frames = tuple(
        replace(frame, map_from_cam=map_from_sfm.transform_pose(poses[frame.name])) if frame.name in poses else frame
        for frame in scene.frames
    )
    source = {**scene.sources[name], "given_camera": scene.cameras[name].to_dict()}
    cameras, sources = {**scene.cameras, name: full.camera}, {**scene.sources, name: source}
    changes = {"frames": frames, "cameras": cameras, "sources": sources}
    scene = scene.with_step("map", scene.steps["map"]["options"], **changes)
    if "align" in scene.steps:
        scene = scene.with_step("align", scene.steps["align"]["options"])
    _count(scene, full)
    if "split" not in scene.steps:
        scene.save()
        return scene
    record = scene.steps["split"]["options"]
    lists: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in record.items()}
    return split(scene, SplitOptions(**lists))


def _count(scene: Scene, full: GrowingMap) -> None:
    """Write the numbers of sfm/report.json that an update changes."""
    report = MapReport.load(scene)
    unposed = sorted(frame.name for frame in scene.frames if frame.map_from_cam is None)
    replace(
        report,
        keyframes=(report.keyframes or 0) + len(full.joined) + len(full.failed),
        registered=len(full.landmarks.frame_names),
        landmarks=len(full.ids),
        frames=len(scene.frames),
        posed=len(scene.frames) - len(unposed),
        without_pose=unposed,
    ).save(scene.sfm_dir)
