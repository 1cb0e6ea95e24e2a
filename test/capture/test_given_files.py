"""Cameras and trajectories that a person gives beside recordings."""

import json

import numpy as np
import pytest
from PIL import Image
from recordings import START_NS, image_entries, jpeg, picture, write_bag
from scipy.spatial.transform import Rotation

from campose_core.capture.camera_file import read_camera_file
from campose_core.capture.file_stamps import at_own_stamps
from campose_core.cli.main import main
from campose_core.errors import GeometryError, TrajectoryError
from campose_core.geometry import Pose
from campose_core.scene.scene import Scene
from campose_core.trajectory import FRAME_PERIOD_NS, Trajectory

MATRIX = "50,0,31.5\n0,50,23.5\n0,0,1\n"
CHAIN = """\
cam0: {camera_model: pinhole, intrinsics: [50, 50, 31.5, 23.5], resolution: [64, 48], rostopic: /camera/image_raw}
cam1: {camera_model: pinhole, intrinsics: [60, 60, 31.5, 23.5], resolution: [64, 48], rostopic: /other/image_raw}
"""


def folder(path, count=3, size=(64, 48)):
    path.mkdir()
    for i in range(count):
        (path / f"{i}.jpg").write_bytes(jpeg(picture(i, *size)))
    return path


def test_a_matrix_is_of_the_images_beside_it(tmp_path, capsys):
    images, matrix = folder(tmp_path / "desk"), tmp_path / "k.csv"
    matrix.write_text(MATRIX)
    scene = tmp_path / "scene"
    assert main(["extract", str(images), "--scene", str(scene), "--camera", str(matrix)]) == 0
    assert "says no size: taken for that of the images, 64x48" in capsys.readouterr().err
    camera = Scene.open(scene).cameras["desk"]
    assert (camera.model, camera.width, camera.height, camera.params) == ("PINHOLE", 64, 48, (50, 50, 31.5, 23.5))
    assert Scene.open(scene).sources["desk"]["calibrated"]
    assert read_camera_file(matrix, [images / "0.jpg"]) == camera
    larger = folder(tmp_path / "larger", size=(128, 96))
    with pytest.raises(GeometryError, match=r"k\.csv: says no size.*several \(64x48, 128x96\): add image_width"):
        read_camera_file(matrix, [images, larger])
    with pytest.raises(GeometryError, match=r"k\.csv: .*not near the middle of images of 128x96 pixels"):
        read_camera_file(matrix, [larger])


def test_a_photo_on_its_side_is_of_the_size_it_is_shown_in(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture(0, 48, 64)).save(tmp_path / "a.jpg", exif=exif)
    (tmp_path / "k.csv").write_text(MATRIX)
    camera = read_camera_file(tmp_path / "k.csv", [tmp_path / "a.jpg"])
    assert (camera.width, camera.height) == (64, 48)


def test_of_a_chain_the_camera_of_the_bags_topic_is_taken(tmp_path, capsys, caplog):
    caplog.set_level("INFO")
    bag = write_bag(tmp_path / "walk", image_entries(2, topic="/other/image_raw"))
    (tmp_path / "chain.yaml").write_text(CHAIN)
    assert read_camera_file(tmp_path / "chain.yaml", [bag]).focal == (60.0, 60.0)
    assert "chain.yaml: cam1, whose images are on /other/image_raw" in caplog.text
    images = folder(tmp_path / "desk")
    command = ["extract", str(images), "--scene", str(tmp_path / "scene"), "--camera", str(tmp_path / "chain.yaml")]
    capsys.readouterr()
    assert main(command) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "several cameras (cam0 /camera/image_raw, cam1 /other/image_raw): leave that of the images" in error


def counted(poses):
    return Trajectory(
        np.arange(poses) * FRAME_PERIOD_NS, np.zeros((poses, 3)), Rotation.identity(poses), of_images=poses
    )


def test_poses_without_stamps_are_of_the_images_by_their_number():
    stamps = {i: START_NS + i * 33_000_000 for i in range(0, 10, 3)}  # thinned
    for poses in (10, 12):
        assert at_own_stamps(counted(poses), stamps).stamps_ns.tolist() == list(stamps.values())
    for poses in (9, 13):
        with pytest.raises(TrajectoryError, match=f"{poses} poses without stamps.* not of the 10 images there"):
            at_own_stamps(counted(poses), stamps)
    with pytest.raises(TrajectoryError, match="without stamps are of the images of one recording: name it"):
        at_own_stamps(counted(3), {})  # of several recordings


def test_an_image_without_a_pose_leaves_those_of_the_others():
    stamps = {i: START_NS + i * 33_000_000 for i in range(10)}
    found = at_own_stamps(counted(10).select(np.arange(10) % 4 != 1), stamps)
    assert found.stamps_ns.tolist() == [stamps[i] for i in range(10) if i % 4 != 1]


def test_seconds_of_a_recording_with_gaps_are_not_numbers_of_its_images():
    """Ten images a second, of which a second and a half are missing twice; and the same without the gaps."""
    images = {i: START_NS + i * FRAME_PERIOD_NS for i in range(60)}
    numbers = np.r_[0:20, 35:55, 70:90]
    seconds = Trajectory(numbers * FRAME_PERIOD_NS, np.zeros((60, 3)), Rotation.identity(60))
    assert at_own_stamps(seconds, images) is seconds
    counting = Trajectory(np.arange(60) * FRAME_PERIOD_NS, np.zeros((60, 3)), Rotation.identity(60))
    assert at_own_stamps(counting, images).stamps_ns.tolist() == list(images.values())


def test_an_estimate_of_another_program_is_scored_against_another_ones_truth(tmp_path, capsys):
    """ORB-SLAM3's nanoseconds against EuRoC's table."""
    poses = [Pose(Rotation.from_euler("z", 0.1 * i), np.array([0.1 * i, 0.0, 0.0])) for i in range(5)]
    stamps = [1_403_636_579_763_555_584 + i * 50_000_000 for i in range(5)]
    rows = [[*pose.translation, *np.roll(pose.quat_xyzw, 1)] for pose in poses]
    header = "#timestamp,p_RS_R_x [m],p_RS_R_y [m],p_RS_R_z [m],q_RS_w [],q_RS_x [],q_RS_y [],q_RS_z []"
    lines = [",".join(map(str, [stamp, *row])) for stamp, row in zip(stamps, rows, strict=True)]
    (tmp_path / "data.csv").write_text("\n".join([header, *lines]))
    rows = [[*pose.translation, *pose.quat_xyzw] for pose in poses]
    lines = [" ".join(map(str, [f"{stamp}.000000", *row])) for stamp, row in zip(stamps, rows, strict=True)]
    (tmp_path / "CameraTrajectory.txt").write_text("\n".join(lines))
    command = ["evaluate", str(tmp_path / "CameraTrajectory.txt"), str(tmp_path / "data.csv"), "--json"]
    assert main(command) == 0
    metrics = json.loads(capsys.readouterr().out)
    assert metrics["frames"] == 5
    assert metrics["position_m"]["mean"] < 1e-6
    assert metrics["rotation_deg"]["mean"] < 1e-4
