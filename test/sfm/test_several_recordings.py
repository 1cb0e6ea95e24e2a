"""Two recordings of one room by different cameras, mapped together."""

import json
import shutil

import numpy as np
import pytest
from moved_furniture import record

from campose_core.alignment.step import align_scene_to_reference
from campose_core.camera import Camera
from campose_core.capture.extract import extract
from campose_core.geometry import pose_error
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.sfm.pipeline import MapOptions, map_scene
from campose_core.sfm.registration import unplaced_text
from campose_core.simulation.building import build_world
from campose_core.trajectory import read_tum

WIDE = Camera("PINHOLE", 400, 300, (230.0, 230.0, 199.5, 149.5))


@pytest.mark.slow
@pytest.mark.long
def test_recordings_by_different_cameras_become_one_map(small_scene, small_world, tmp_path, capsys):
    record(build_world("small", 0), tmp_path, "second", camera=WIDE)
    record(build_world("small", 3), tmp_path, "elsewhere", rate_hz=1.5)
    scene = Scene.open(shutil.copytree(small_scene, tmp_path / "scene"))
    scene = extract(scene, [tmp_path / "second.bag", tmp_path / "elsewhere.bag"])
    scene = map_scene(scene, MapOptions())
    said = capsys.readouterr().err
    assert f"elsewhere does not connect: none of its {scene.sources['elsewhere']['frames']} frames" in said
    scene = align_scene_to_reference(scene, small_world / "mapping.tum", source="mapping")
    truth = dict(read_tum(tmp_path / "second.tum"))
    second = [frame for frame in scene.posed_frames() if frame.source == "second"]
    assert len(second) > 0.9 * len(truth)
    errors = np.array([pose_error(frame.map_from_cam, truth[frame.stamp_ns]) for frame in second])
    assert np.median(errors[:, 0]) < 0.03
    assert scene.cameras["second"].width == WIDE.width
    assert scene.cameras["mapping"].width == 320
    report = json.loads((scene.sfm_dir / "report.json").read_text())
    assert {name.split("/")[0] for name in report["without_pose"]} >= {"elsewhere"}


def test_what_does_not_connect_is_said_in_stretches():
    frames = [SceneFrame(f"walk/{i}.jpg", "walk", i, "walk") for i in range(10)]
    placed = {frame.name for frame in frames} - {"walk/0.jpg", "walk/4.jpg", "walk/5.jpg"}
    text = "3 of 10 frames of walk do not connect: walk/0.jpg, walk/4.jpg .. walk/5.jpg"
    assert unplaced_text(frames, placed, "walk") == text
    assert unplaced_text(frames, [frame.name for frame in frames], "walk") is None
    assert unplaced_text(frames, [], "walk") == "walk does not connect: none of its 10 frames has a place in the map"


@pytest.mark.slow
@pytest.mark.long
def test_of_two_buildings_in_one_recording_the_larger_becomes_the_map(small_scene, tmp_path, capsys):
    record(build_world("small", 3), tmp_path, "elsewhere", rate_hz=1.5)
    elsewhere = extract(Scene.open_or_create(tmp_path / "elsewhere"), [tmp_path / "elsewhere.bag"])
    here = Scene.open(small_scene)
    folder = tmp_path / "walk"
    folder.mkdir()
    for scene, prefix in ((here, "a"), (elsewhere, "b")):
        for frame in scene.frames:
            shutil.copyfile(scene.frame_path(frame), folder / f"{prefix}{frame.name.split('/')[1]}")
    scene = map_scene(extract(Scene.open_or_create(tmp_path / "scene"), [folder]), MapOptions())
    missing = json.loads((scene.sfm_dir / "report.json").read_text())["without_pose"]
    assert len(missing) == len(elsewhere.frames)
    assert f"{len(missing)} of {len(scene.frames)} frames of walk do not connect" in capsys.readouterr().err
    assert missing == sorted(frame.name for frame in scene.frames)[len(here.frames) :]
