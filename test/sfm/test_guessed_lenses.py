"""Maps of recordings without intrinsics: one phone or several, a zoom that switches, a lens far from the guess."""

import json
from dataclasses import replace

import pytest
from lens_room import PHONE, ZOOMED, filmed, mapped, zooming

from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.doctor.diagnosis import diagnose
from campose_core.evaluation.run import frames_with_camera
from campose_core.landmark_map.intrinsics import sharing_a_camera
from campose_core.scene.scene import Scene

pytestmark = pytest.mark.slow

ACTION = Camera("SIMPLE_RADIAL", 480, 360, (230.0, 239.5, 179.5, 0.0))  # 92 degrees


def report_of(scene):
    return json.loads((scene.sfm_dir / "report.json").read_text())


@pytest.mark.long
def test_two_recordings_of_one_phone_are_one_camera(tmp_path):
    folders = filmed(tmp_path / "a", PHONE, slice(0, 20, 2), 20), filmed(tmp_path / "b", PHONE, slice(1, 20, 2), 20)
    scene = mapped(tmp_path / "scene", *folders)
    assert sharing_a_camera(scene, ["a", "b"]) == [["a", "b"]]
    assert scene.cameras["a"] == scene.cameras["b"]
    assert scene.cameras["a"].focal[0] == pytest.approx(PHONE.focal[0], rel=0.02)
    assert report_of(scene)["posed"] == 20


def test_recordings_of_two_lenses_are_told_apart_and_a_query_takes_the_one_that_fits(tmp_path, capsys):
    folders = filmed(tmp_path / "a", PHONE, slice(0, 20, 2), 20), filmed(tmp_path / "b", ZOOMED, slice(1, 20, 2), 20)
    scene = mapped(tmp_path / "scene", *folders)
    assert scene.cameras["a"].focal[0] == pytest.approx(PHONE.focal[0], rel=0.03)
    assert scene.cameras["b"].focal[0] == pytest.approx(ZOOMED.focal[0], rel=0.03)
    query = open_recording(filmed(tmp_path / "query", ZOOMED, slice(0, 20, 3), 20))
    (camera,) = {camera for _, camera in frames_with_camera(scene, query, None, "")}
    assert replace(camera, focal_sigma=0.0) == scene.cameras["b"]
    assert "query has no intrinsics: focal length" in capsys.readouterr().err


@pytest.mark.long
def test_a_zoom_that_switches_is_two_cameras_of_a_map_and_said(tmp_path, capsys):
    scene = mapped(tmp_path / "scene", zooming(tmp_path / "walk"))
    assert {frame.camera for frame in scene.frames[:10]} == {"walk"}
    assert {frame.camera for frame in scene.frames[10:]} == {"walk#2"}
    zoom = scene.cameras["walk#2"].focal[0] / scene.cameras["walk"].focal[0]
    assert zoom == pytest.approx(ZOOMED.focal[0] / PHONE.focal[0], rel=0.02)
    assert "the focal length of walk changes at 1.00 s" in capsys.readouterr().err
    assert any("changes at 1.00 s" in text for text in diagnose(Scene.open(scene.path)).report.of_cameras)


def test_a_lens_far_from_the_guess_is_found_by_what_the_pictures_say(tmp_path):
    scene = mapped(tmp_path / "scene", filmed(tmp_path / "walk", ACTION))
    assert scene.cameras["walk"].focal[0] == pytest.approx(ACTION.focal[0], rel=0.03)
    assert report_of(scene)["posed"] == 18
