"""COLMAP's own models, binary and text, read without COLMAP."""

import numpy as np
import pycolmap
import pytest
from scipy.spatial.transform import Rotation

from campose_core.capture.recording import open_recording
from campose_core.cli.main import main
from campose_core.errors import CaptureError
from campose_core.exports.colmap_model import read_colmap_model
from campose_core.geometry import pose_error
from campose_core.landmark_map.colmap import from_colmap_camera, from_colmap_pose

LENSES = {
    "OPENCV": [500.0, 505.0, 320.0, 240.0, 0.1, -0.02, 0.001, 0.002],
    "SIMPLE_RADIAL": [480.0, 321.0, 239.0, 0.05],
    "OPENCV_FISHEYE": [300.0, 301.0, 320.0, 240.0, 0.1, 0.01, 0.0, 0.0],
}


@pytest.fixture
def model(tmp_path):
    """Six images of three cameras, in folders, some with points."""
    made = pycolmap.Reconstruction()
    for number, (name, params) in enumerate(LENSES.items(), start=1):
        camera = pycolmap.Camera(model=name, width=640, height=480, params=params, camera_id=number)
        made.add_camera_with_trivial_rig(camera)
    for number in range(1, 7):
        image = pycolmap.Image(
            name=f"cam{number % 3}/im äge {number}.jpg", camera_id=1 + number % 3, image_id=number,
            keypoints=np.random.default_rng(number).uniform(0, 400, (number, 2)),
        )  # fmt: skip
        turn = Rotation.from_rotvec([0.1 * number, -0.2, 0.3])
        pose = pycolmap.Rigid3d(pycolmap.Rotation3d(turn.as_quat()), np.array([number, 2.0, -0.5]))
        made.add_image_with_trivial_frame(image, pose)
        path = tmp_path / "images" / image.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    for form in ("binary", "text"):
        (tmp_path / form).mkdir()
    made.write_binary(tmp_path / "binary")
    made.write_text(tmp_path / "text")
    return made, tmp_path


@pytest.mark.parametrize("form", ["binary", "text"])
def test_a_model_is_read_as_colmap_reads_it(model, form):
    made, folder = model
    export = read_colmap_model(folder / form, folder / "images")
    assert (export.metric, export.level) == (False, False)
    known = {image.name: image for image in map(made.image, made.reg_image_ids())}
    names = [frame.image.relative_to(folder / "images").as_posix() for frame in export.frames]
    assert names == sorted(known)
    for name, frame in zip(names, export.frames, strict=True):
        assert max(pose_error(frame.world_from_cam, from_colmap_pose(known[name].cam_from_world().inverse()))) < 1e-9
        assert frame.camera.params == pytest.approx(from_colmap_camera(known[name].camera).params)
    assert len(open_recording(folder / form, images=folder / "images").by_camera()) == 3


def test_a_fisheye_of_fewer_terms_is_opencvs(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "cameras.txt").write_text("# c\n1 RADIAL_FISHEYE 640 480 300 320 240 0.1 0.02\n")
    (tmp_path / "images.txt").write_text("# i\n1 1 0 0 0 0 0 0 1 a.jpg\n\n")
    (camera,) = [frame.camera for frame in read_colmap_model(tmp_path, tmp_path).frames]
    whole = pycolmap.Camera(model="RADIAL_FISHEYE", width=640, height=480, params=[300, 320, 240, 0.1, 0.02])
    rays = np.array([[0.3, -0.2, 1.0], [-0.8, 0.5, 1.0]])
    assert camera.project(rays) + 0.5 == pytest.approx(np.array([whole.img_from_cam(ray) for ray in rays]), abs=1e-9)


def test_a_damaged_or_foreign_model_is_refused_in_one_line(model, capsys):
    _, folder = model
    images = folder / "images"

    def says(what, model=folder / "binary", images=images):
        with pytest.raises(CaptureError, match=what) as refused:
            read_colmap_model(model, images)
        assert "\n" not in str(refused.value)

    says("no COLMAP model, which is a folder with cameras.bin", model=images)
    says(r"no COLMAP model, .* as sparse/0; \S+binary, \S+text are$", model=folder)
    says("no such folder; --images names the one", images=folder / "nowhere")
    says(r"none of the 6 images of .* is here, such as cam0/im äge 3.jpg", images=folder / "binary")
    with pytest.raises(CaptureError, match=r"a COLMAP model; its images are needed too: --colmap .* --images DIR"):
        open_recording(folder / "binary")
    whole = (folder / "binary" / "images.bin").read_bytes()
    for cut in (0, 5, 40, 90, len(whole) - 1):
        (folder / "binary" / "images.bin").write_bytes(whole[:cut])
        says("images.bin: ends in the middle of a value")
    (folder / "binary" / "images.bin").write_bytes((2**60).to_bytes(8, "little") + whole[8:])
    says("ends in the middle of a value")
    listed = (folder / "text" / "images.txt").read_text()
    named = [line for line in listed.splitlines() if line.endswith(".jpg") and not line.startswith("#")]
    assert len(named) == 6
    (folder / "text" / "images.txt").write_text("\n".join(named) + "\n")  # every second one would be lost
    says(r"images.txt:2: expected the points of the image before, or an empty line", model=folder / "text")
    (folder / "text" / "images.txt").write_text(listed)
    lenses = (folder / "text" / "cameras.txt").read_text()
    (folder / "text" / "cameras.txt").write_text(lenses.replace("SIMPLE_RADIAL ", "FOV "))
    says(r"unknown camera model 'FOV'.*image_undistorter", model=folder / "text")
    (folder / "text" / "cameras.txt").write_text("1 PINHOLE 640 480 500 500 320 nan\n")
    says(r"cameras.txt:1: the parameters should be 4 finite numbers", model=folder / "text")
    (folder / "text" / "cameras.txt").write_text("9 PINHOLE 640 480 500 500 320 240\n")
    says("is of camera 1, which cameras.txt lacks|is of camera 2, which|is of camera 3, which", model=folder / "text")
    (folder / "text" / "images.txt").write_text("1 1 0 0 0 0 0 0 9 ../../etc/passwd\n\n")
    says("leads out of the folder of images", model=folder / "text")
    scene = folder / "scene"
    assert main(["build", "--colmap", str(images), "--images", str(images), "--scene", str(scene)]) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not scene.exists()
