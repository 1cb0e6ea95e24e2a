"""Recordings without intrinsics: one phone or several, near the guess or far from it."""

import json
import shutil
from dataclasses import replace

import pytest
from lens_room import picture, walk
from PIL import Image

from campose_core.camera import Camera
from campose_core.capture.extract import extract
from campose_core.capture.recording import open_recording
from campose_core.capture.sources.folder_files import MODEL
from campose_core.doctor.diagnosis import diagnose
from campose_core.errors import MappingError
from campose_core.evaluation.benchmark import course_of_query
from campose_core.evaluation.run import frames_with_camera
from campose_core.geometry import Pose
from campose_core.landmark_map.intrinsics import RefinedCameras, sharing_a_camera
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.recording_cameras import cameras_of_recording
from campose_core.scene.scene import Scene
from campose_core.sfm.pipeline import MapOptions, map_scene
from campose_core.trajectory import Trajectory, write_tum
from campose_core.update.frame_localization import frames_with_features
from campose_core.update.new_camera import new_camera

pytestmark = pytest.mark.slow

PHONE = Camera("SIMPLE_RADIAL", 480, 360, (400.0, 239.5, 179.5, 0.0))  # the guess, 60 degrees, is 416
ZOOMED = Camera("SIMPLE_RADIAL", 480, 360, (520.0, 239.5, 179.5, 0.0))
ACTION = Camera("SIMPLE_RADIAL", 480, 360, (230.0, 239.5, 179.5, 0.0))  # 92 degrees


def filmed(folder, camera, part=slice(None), count=18):
    folder.mkdir()
    way = walk(count)
    for number in range(count)[part]:
        Image.fromarray(picture(camera, way.pose(number))).save(folder / f"{number:03d}.png")
    return folder


def as_photos(folder, phones):
    """The images of several folders in one, with what EXIF says of the phone."""
    folder.mkdir()
    for name, images in phones.items():
        tags = Image.Exif()
        tags[MODEL] = name
        for file in sorted(images.iterdir()):
            Image.open(file).save(folder / f"{name}{file.stem}.jpg", quality=95, exif=tags)
    return open_recording(folder)


def mapped(path, *folders):
    return map_scene(extract(Scene.open_or_create(path), folders), MapOptions())


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """Images of one phone in walk/, and scene/, a map of them."""
    folder = tmp_path_factory.mktemp("walked")
    mapped(folder / "scene", filmed(folder / "walk", PHONE, count=20))
    return folder


def scene_of(walked, folder):
    return Scene.open(shutil.copytree(walked / "scene", folder / "scene"))


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


def test_a_query_of_an_unknown_zoom_is_measured_by_localize_and_by_update(walked, tmp_path):
    scene = scene_of(walked, tmp_path)
    zoom = scene.cameras["walk"].focal[0] / PHONE.focal[0]  # of the room, whose unit nobody knows
    folder = filmed(tmp_path / "query", ZOOMED, slice(1, 20, 2), 20)
    cameras = cameras_of_recording(scene, open_recording(folder))
    (estimate,) = cameras.all()
    assert not estimate.own
    assert estimate.camera.focal[0] == pytest.approx(zoom * ZOOMED.focal[0], rel=0.01)
    mapped_cameras, refined = dict(scene.cameras), RefinedCameras(scene)
    two_phones = as_photos(tmp_path / "photos", {"A": folder, "B": walked / "walk"})
    focal = {frame.name: one.focal[0] for frame, one in frames_with_camera(scene, two_phones, None, "")}
    names = sorted(focal)
    assert [focal[name] for name in names[:10]] == pytest.approx([zoom * ZOOMED.focal[0]] * 10, rel=0.01)
    assert [focal[name] for name in names[10:]] == pytest.approx([scene.cameras["walk"].focal[0]] * 20, rel=0.01)
    landmarks = Landmarks.load(scene.sfm_dir / "landmarks.npz")
    scene = extract(scene, [folder])
    frames = frames_with_features(scene, [f for f in scene.frames if f.source == "query"], landmarks)
    camera, is_refined = new_camera(scene, "query", frames, landmarks, mapped_cameras, refined)
    assert camera.focal[0] == pytest.approx(zoom * ZOOMED.focal[0], rel=0.01)
    assert not is_refined


def zooming(folder):
    filmed(folder, PHONE, slice(0, 10), 20)
    way = walk(20)
    for number in range(10, 20):
        Image.fromarray(picture(ZOOMED, way.pose(number))).save(folder / f"{number:03d}.png")
    return folder


@pytest.mark.long
def test_a_zoom_that_switches_is_two_cameras_of_a_map_and_said(tmp_path, capsys):
    scene = mapped(tmp_path / "scene", zooming(tmp_path / "walk"))
    assert {frame.camera for frame in scene.frames[:10]} == {"walk"}
    assert {frame.camera for frame in scene.frames[10:]} == {"walk#2"}
    zoom = scene.cameras["walk#2"].focal[0] / scene.cameras["walk"].focal[0]
    assert zoom == pytest.approx(ZOOMED.focal[0] / PHONE.focal[0], rel=0.02)
    assert "the focal length of walk changes at 1.00 s" in capsys.readouterr().err
    assert any("changes at 1.00 s" in text for text in diagnose(Scene.open(scene.path)).report.of_cameras)


def test_an_update_with_a_zoom_that_switches_is_refused_by_name(walked, tmp_path):
    scene = scene_of(walked, tmp_path)
    folder = zooming(tmp_path / "query")
    mapped_cameras, refined = dict(scene.cameras), RefinedCameras(scene)
    landmarks = Landmarks.load(scene.sfm_dir / "landmarks.npz")
    scene = extract(scene, [folder])
    frames = frames_with_features(scene, [f for f in scene.frames if f.source == "query"], landmarks)
    with pytest.raises(MappingError, match=r"changes between .* cut the recording there"):
        new_camera(scene, "query", frames, landmarks, mapped_cameras, refined)


def test_a_lens_far_from_the_guess_is_found_by_what_the_pictures_say(tmp_path):
    scene = mapped(tmp_path / "scene", filmed(tmp_path / "walk", ACTION))
    assert scene.cameras["walk"].focal[0] == pytest.approx(ACTION.focal[0], rel=0.03)
    assert report_of(scene)["posed"] == 18


def test_a_benchmark_estimates_the_intrinsics_once_for_all_its_estimators(walked, tmp_path, capsys):
    write_tum(tmp_path / "truth.tum", Trajectory.from_poses([0], [Pose.identity()]))
    query = filmed(tmp_path / "query", PHONE, slice(0, 18, 3))
    course = course_of_query(Scene.open(walked / "scene"), query, tmp_path / "truth.tum")
    cameras = [[camera for _, camera in course.frames(name)] for name in ("structure", "retrieval")]
    assert cameras[0] == cameras[1]
    assert len(cameras[0]) == 6
    assert capsys.readouterr().err.count("query has no intrinsics: focal length") == 1
