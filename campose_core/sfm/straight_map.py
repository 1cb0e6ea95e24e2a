"""The files of a map whose model was adjusted anew take the place of those before."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from campose_core.camera import Camera
from campose_core.landmark_map.aligned import SECOND
from campose_core.landmark_map.intrinsics import given_camera, sharing_a_camera
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.lens import refined_cameras
from campose_core.scene.scene import Scene
from campose_core.sfm.carried import Carried
from campose_core.sfm.registration import SfmPoses
from campose_core.sfm.report import MapReport
from campose_core.sfm.stage_process import run_stage
from campose_core.sfm.stages import landmarks

WORK = ".straight"  # below sfm/, with the new model/
STAGE_TIMEOUT_S = 3600.0


def exchange_map(scene: Scene, report: MapReport, adjusted: Mapping[str, Any]) -> Scene:
    """Put the model in WORK into its place, and all that follows from it; returns the scene, saved, not aligned.

    adjusted: cameras by lens, as dictionaries.
    """
    work = scene.sfm_dir / WORK
    before = Landmarks.load(scene.sfm_dir / "landmarks.npz")
    out = work / "landmarks.npz"
    where = {"database": str(scene.sfm_dir / "database.db"), "model": str(work / "model"), "out": str(out)}
    kind = {"kind": before.features, "detail": before.detail.value}
    run_stage(landmarks, where | kind, work / "landmarks.log", STAGE_TIMEOUT_S, len(before.frame_names))
    after = Landmarks.load(out)
    carried = Carried(before, after)
    poses = {name: carried.pose(pose) for name, pose in SfmPoses.load(scene).poses().items()}
    poses |= {str(name): after.world_from_cam(row) for row, name in enumerate(after.frame_names)}
    given = {source: given_camera(scene, source) for source in scene.sources}
    lenses = {lens: Camera.from_dict(camera) for lens, camera in adjusted.items()}
    cameras = refined_cameras(lenses, given, sharing_a_camera(scene, list(given)))
    sfm = work / scene.sfm_dir.name
    shutil.copytree(scene.sfm_dir, sfm, ignore=shutil.ignore_patterns(WORK, "model", "landmarks.npz"))
    shutil.move(work / "model", sfm / "model")
    shutil.move(out, sfm / "landmarks.npz")
    if (sfm / SECOND).is_file():
        carried.landmarks(Landmarks.load(sfm / SECOND)).save(sfm / SECOND)
    SfmPoses.of(poses).save(sfm / "poses.npz")
    replace(report, cameras={**(report.cameras or {}), **cameras}, landmarks=len(after.xyz)).save(sfm)
    unposed = tuple(replace(frame, map_from_cam=None) for frame in scene.frames)
    scene = scene.without_step("align", frames=unposed, alignment=None, cameras={**scene.cameras, **cameras})
    scene.save(sfm)
    return scene
