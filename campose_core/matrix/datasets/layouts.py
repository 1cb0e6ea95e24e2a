"""Where the scenes of a data set lie, what they are mapped from and what is asked in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from campose_core.capture.recording import open_recording
from campose_core.errors import CaptureError
from campose_core.exports import cambridge, seven_scenes, tum_rgbd, twelve_scenes
from campose_core.matrix.plan import SCENE, Plan, RecordingSource, SceneSource

# Names of ORB-SLAM's table, from the folders of TUM RGB-D.
SHORTER = {
    r"^(rgbd_dataset_)?freiburg": "fr",
    "_with_person$": "_person",
    "_household$": "",
    "nostructure": "nstr",
    "structure": "str",
    "notexture": "ntex",
    "texture": "tex",
    "_withloop$": "",
    "sitting": "sit",
    "walking": "walk",
    "halfsphere": "halfsph",
}


@dataclass(frozen=True)
class DataSet:
    """A data set. recognizes: whether a folder is a scene of it. test: the file of its test images, whose scene is
    mapped from the others; empty where nothing is asked, and the map itself is scored. truth: who made its poses."""

    program: str
    recognizes: Callable[[Path], bool]
    test: str
    truth: str
    name_of: Callable[[Path, Path], str]


def _below(scene: Path, folder: Path) -> str:
    """`apt1_kitchen` of apt1/kitchen, and `chess` where the scene itself was given."""
    return "_".join(scene.relative_to(folder).parts) or scene.resolve().name


def _sequence(scene: Path, folder: Path) -> str:
    name = scene.resolve().name
    for pattern, short in SHORTER.items():
        name = re.sub(pattern, short, name)
    return name


DATASETS = {
    "7scenes": DataSet(
        seven_scenes.PROGRAM, seven_scenes.recognizes, "TestSplit.txt", "D-SLAM as distributed", _below
    ),
    "12scenes": DataSet(
        twelve_scenes.PROGRAM, twelve_scenes.recognizes, "split.txt", "D-SLAM as distributed", _below
    ),
    "cambridge": DataSet(
        cambridge.PROGRAM, cambridge.recognizes, "dataset_test.txt", "VisualSFM as distributed", _below
    ),
    "tum": DataSet(tum_rgbd.PROGRAM, tum_rgbd.recognizes, "", "motion capture as distributed", _sequence),
}  # fmt: skip
DEEPEST = 2  # folders below the one that is given


def scenes_of(dataset: str, folder: Path) -> dict[str, Path]:
    """Return the scenes in a folder, or that folder itself, by the names that the published tables have.

    Raises:
        CaptureError: there is none, or one lacks its list of test images.
    """
    of = DATASETS[dataset]
    found: dict[str, Path] = {}
    level = [folder]
    for _ in range(DEEPEST + 1):
        found |= {of.name_of(scene, folder): scene for scene in level if of.recognizes(scene) and scene.is_dir()}
        below = [scene for scene in level if scene.is_dir() and scene not in found.values()]
        level = sorted(inside for scene in below for inside in scene.iterdir() if inside.is_dir())
    if not found:
        raise CaptureError(f"{folder}: no scene of {of.program}: give the folder that holds its scenes, unpacked")
    for scene in found.values():
        if of.test and not (scene / of.test).is_file():
            raise CaptureError(f"{scene}: has no {of.test}, which says what is asked: unpack the whole scene there")
    return found


def plan_of(dataset: str, folder: Path, estimators: tuple[str, ...]) -> Plan:
    """Return the plan: each scene is built from its training images, and its test images are asked.

    Raises:
        CaptureError: as `scenes_of`, or images that are listed are missing: told now, and not when the maps are made.
    """
    found, test = scenes_of(dataset, folder), DATASETS[dataset].test
    for scene in found.values():
        for part in (scene, scene / test):
            open_recording(part)
    build = {
        name: SceneSource(name, steps=(("build", str(scene.resolve()), "--scene", SCENE),))
        for name, scene in found.items()
    }
    asked = {
        name: RecordingSource(name, (scene / test).resolve(), (scene / test).resolve(), scenes=(name,))
        for name, scene in found.items()
        if test
    }
    return Plan(build, asked, estimators=estimators)
