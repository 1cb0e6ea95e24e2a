"""Queries and updates without intrinsics, in a map whose camera is known."""

import shutil

import pytest
from lens_room import PHONE, ZOOMED, filmed, mapped, zooming
from PIL import Image

from campose_core.capture.extract import extract
from campose_core.capture.recording import open_recording
from campose_core.capture.sources.folder_files import MODEL
from campose_core.errors import MappingError
from campose_core.evaluation.benchmark import course_of_query
from campose_core.evaluation.run import frames_with_camera
from campose_core.geometry import Pose
from campose_core.landmark_map.intrinsics import RefinedCameras
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.recording_cameras import cameras_of_recording
from campose_core.scene.scene import Scene
from campose_core.trajectory import Trajectory, write_tum
from campose_core.update.frame_localization import frames_with_features
from campose_core.update.new_camera import new_camera

pytestmark = pytest.mark.slow


def as_photos(folder, phones):
    """The images of several folders in one, with what EXIF says of the phone."""
    folder.mkdir()
    for name, images in phones.items():
        tags = Image.Exif()
        tags[MODEL] = name
        for file in sorted(images.iterdir()):
            Image.open(file).save(folder / f"{name}{file.stem}.jpg", quality=95, exif=tags)
    return open_recording(folder)


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """Images of one phone in walk/, and scene/, a map of them."""
    folder = tmp_path_factory.mktemp("walked")
    mapped(folder / "scene", filmed(folder / "walk", PHONE, count=20))
    return folder


def scene_of(walked, folder):
    return Scene.open(shutil.copytree(walked / "scene", folder / "scene"))


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


def test_an_update_with_a_zoom_that_switches_is_refused_by_name(walked, tmp_path):
    scene = scene_of(walked, tmp_path)
    folder = zooming(tmp_path / "query")
    mapped_cameras, refined = dict(scene.cameras), RefinedCameras(scene)
    landmarks = Landmarks.load(scene.sfm_dir / "landmarks.npz")
    scene = extract(scene, [folder])
    frames = frames_with_features(scene, [f for f in scene.frames if f.source == "query"], landmarks)
    with pytest.raises(MappingError, match=r"changes between .* cut the recording there"):
        new_camera(scene, "query", frames, landmarks, mapped_cameras, refined)


def test_a_benchmark_estimates_the_intrinsics_once_for_all_its_estimators(walked, tmp_path, capsys):
    write_tum(tmp_path / "truth.tum", Trajectory.from_poses([0], [Pose.identity()]))
    query = filmed(tmp_path / "query", PHONE, slice(0, 18, 3))
    course = course_of_query(Scene.open(walked / "scene"), query, tmp_path / "truth.tum")
    cameras = [[camera for _, camera in course.frames(name)] for name in ("structure", "retrieval")]
    assert cameras[0] == cameras[1]
    assert len(cameras[0]) == 6
    assert capsys.readouterr().err.count("query has no intrinsics: focal length") == 1
