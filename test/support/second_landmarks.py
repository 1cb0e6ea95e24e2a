"""A scene with a second kind of landmarks: XFeat's, of the same keyframes and in the same frame as SIFT's."""

import shutil
from pathlib import Path

from campose_core.landmark_map.aligned import SECOND
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.scene.scene import Scene
from campose_core.sfm.given_poses import GivenPoses
from campose_core.sfm.pipeline import MapOptions, map_scene


def with_second_landmarks(scene: Scene, truth: Path, folder: Path) -> Scene:
    """Copy it to `folder`, and add them. truth: a TUM file of the poses of its frames in the map."""
    shutil.copytree(scene.path, folder / "second", ignore=shutil.ignore_patterns("floor"))
    again = map_scene(
        Scene.open(folder / "second"), MapOptions(features="xfeat", max_keyframes=22, poses=GivenPoses(path=str(truth)))
    )
    landmarks = Landmarks.load(again.sfm_dir / "landmarks.npz")
    shutil.copytree(scene.path, folder / "scene")
    with_both = Scene.open(folder / "scene")
    assert with_both.alignment is not None
    landmarks.transformed(with_both.alignment.map_from_sfm.inverse()).save(with_both.sfm_dir / SECOND)
    return with_both
