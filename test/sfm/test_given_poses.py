"""Mapping with poses that are known: landmarks are triangulated, in metres, at once."""

import json
from dataclasses import replace

import numpy as np
import pytest
from learnable import BASE_FROM_CAM, ODOM_FROM_MAP, walk, write_walk_bag
from scipy.spatial.transform import Rotation

from campose_core.bag.writer import BASE_FRAME, CAMERA_FRAME
from campose_core.cli.main import main
from campose_core.errors import MappingError, UsageError
from campose_core.geometry import Pose, pose_error
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.sfm.given_poses import GivenPoses
from campose_core.trajectory import Trajectory, read_tum, write_tum

SECOND = 1_000_000_000
WALK = walk(12)
STAMPS = [SECOND + 250_000_000 * i for i in range(12)]  # those of write_walk_bag


@pytest.fixture
def scene(tmp_path) -> Scene:
    """Frames of the walk, from its bag."""
    bag = write_walk_bag(tmp_path / "walk", WALK)
    frames = tuple(SceneFrame(f"walk/{stamp}.jpg", "walk", stamp, "walk") for stamp in STAMPS)
    return Scene(tmp_path / "scene", "scene", sources={"walk": {"path": str(bag)}}, frames=frames)


def errors(found: dict[str, Pose], world_from_map: Pose) -> np.ndarray:
    truth = {f"walk/{stamp}.jpg": world_from_map * pose for stamp, pose in zip(STAMPS, WALK, strict=True)}
    return np.array([pose_error(pose, truth[name]) for name, pose in found.items()])


def test_a_file_gives_the_cameras_poses_or_those_of_a_body_with_its_mounting(scene, tmp_path):
    # 20 Hz between the stamps of the frames, and less long than they.
    between = Trajectory.from_poses(STAMPS, WALK).interpolate(np.arange(STAMPS[0], STAMPS[-3], 50_000_000))[1]
    write_tum(tmp_path / "camera.tum", between)
    found = GivenPoses(path=str(tmp_path / "camera.tum")).read(scene)
    assert len(found) == 9
    assert errors(found, Pose.identity()).max() < 1e-6
    write_tum(tmp_path / "body.tum", between.moved_by(BASE_FROM_CAM.inverse()))
    mounting = (*BASE_FROM_CAM.translation, *BASE_FROM_CAM.quat_xyzw)
    found = GivenPoses(path=str(tmp_path / "body.tum"), mounting=mounting).read(scene)
    assert errors(found, Pose.identity()).max() < 1e-6


def test_a_bag_says_by_itself_where_the_camera_sits(scene):
    bag = scene.sources["walk"]["path"]
    by_topic = GivenPoses(path=bag, topic="/odom").read(scene)
    by_tf = GivenPoses(path=bag, frame="odom").read(scene)
    assert len(by_topic) == len(by_tf) == len(WALK)
    for found in (by_topic, by_tf):
        assert errors(found, ODOM_FROM_MAP).max() < 1e-5


def test_a_bag_that_does_not_say_it_needs_the_mounting(scene, tmp_path):
    bag = str(write_walk_bag(tmp_path / "adrift", WALK, mounted=False))
    with pytest.raises(
        MappingError, match=f"poses of {BASE_FRAME}, and TF does not fix {CAMERA_FRAME} .*--mounting X Y Z"
    ):
        GivenPoses(path=bag).read(scene)
    mounting = (*BASE_FROM_CAM.translation, *BASE_FROM_CAM.quat_xyzw)
    assert errors(GivenPoses(path=bag, mounting=mounting).read(scene), ODOM_FROM_MAP).max() < 1e-5
    with pytest.raises(MappingError, match=rf"TF leads from {CAMERA_FRAME} to nowhere, not to odom"):
        GivenPoses(path=bag, frame="odom").read(scene)
    with pytest.raises(UsageError, match="give no topic and no mounting with it"):
        GivenPoses(path=bag, frame="odom", topic="/odom").read(scene)


def test_another_clock_and_stamps_that_fit_two_recordings_are_said(scene, tmp_path):
    later = tmp_path / "later.tum"
    write_tum(later, Trajectory.from_poses([stamp + 900 * SECOND for stamp in STAMPS], WALK))
    with pytest.raises(
        MappingError, match=r"0 frames have a pose .* 1\.000 \.\. 3\.750 s, the poses 901\.000 .*--tracker"
    ):
        GivenPoses(path=str(later)).read(scene)
    write_tum(tmp_path / "now.tum", Trajectory.from_poses(STAMPS, WALK))
    again = tuple(replace(frame, name=f"b/{frame.stamp_ns}.jpg", source="b") for frame in scene.frames)
    both = replace(scene, sources={**scene.sources, "b": {}}, frames=scene.frames + again)
    with pytest.raises(MappingError, match=r"frames of b and walk at the same time: .*--poses-source"):
        GivenPoses(path=str(tmp_path / "now.tum")).read(both)
    assert len(GivenPoses(path=str(tmp_path / "now.tum"), source="walk").read(both)) == len(WALK)
    with pytest.raises(MappingError, match="no frame comes from the source 'c'; there are b, walk"):
        GivenPoses(path=str(tmp_path / "now.tum"), source="c").read(both)


def test_options_about_poses_need_poses(scene, capsys):
    scene.save()
    assert main(["map", str(scene.path), "--mounting", "0", "0", "0", "0", "0", "0", "1"]) == 2
    assert "--mounting tells about --poses" in capsys.readouterr().err


def test_a_building_is_placed_by_its_poses_or_by_something_else(tmp_path, capsys):
    options = ["--poses", "walk.tum", "--distance", "a", "b", "1"]
    assert main(["build", "walk.mp4", "--scene", str(tmp_path / "scene"), *options]) == 2
    assert "leave out the other ways to align it" in capsys.readouterr().err
    assert not (tmp_path / "scene").exists()


@pytest.mark.slow
def test_a_video_and_the_poses_of_its_camera_are_built_into_a_scene(small_world, tmp_path, capsys):
    scene, poses = tmp_path / "scene", small_world / "mapping.tum"
    video = str(small_world / "mapping.mp4")
    assert main(["build", video, "--scene", str(scene), "--fps", "2", "--poses", str(poses)]) == 0
    built = Scene.open(scene)
    assert built.alignment.method == "given poses"
    assert built.floor_yaml.is_file()


@pytest.fixture(scope="module")
def extracted(small_world, tmp_path_factory):
    scene = tmp_path_factory.mktemp("scenes") / "given"
    assert main(["extract", str(small_world / "mapping.bag"), "--scene", str(scene), "--fps", "2"]) == 0
    return scene


def spoilt(trajectory: Trajectory, sigma_m: float, sigma_deg: float) -> Trajectory:
    generator = np.random.default_rng(0)
    turns = Rotation.from_rotvec(generator.normal(0, np.radians(sigma_deg), (len(trajectory), 3)))
    positions = trajectory.positions + generator.normal(0, sigma_m, (len(trajectory), 3))
    return Trajectory(trajectory.stamps_ns, positions, trajectory.rotations * turns)


@pytest.mark.slow
def test_a_map_from_true_poses_is_metric_at_once_and_localizes(extracted, small_world, tmp_path, capsys):
    assert main(["map", str(extracted), "--poses", str(small_world / "mapping.tum"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["given_poses"]["adjusted"] is False
    scene = Scene.open(extracted)
    assert scene.alignment.method == "given poses"
    assert scene.alignment.map_from_sfm.scale == 1.0
    assert scene.is_current("align")
    truth = read_tum(small_world / "mapping.tum")
    for frame in scene.frames:
        assert max(pose_error(frame.map_from_cam, truth.at(frame.stamp_ns))) < 1e-6
    # Drifting odometry, in a frame of its own, does not take the place of poses that were given.
    assert main(["align", str(extracted)]) == 0
    assert "odometry /odom" in capsys.readouterr().err
    assert Scene.open(extracted).alignment.method == "given poses"
    answers = tmp_path / "later.tum"
    bag = str(small_world / "later.bag")
    assert main(["localize", str(extracted), bag, "--estimator", "structure", "--out", str(answers)]) == 0
    later = read_tum(small_world / "later.tum")
    found = np.array([pose_error(pose, later.at(stamp_ns)) for stamp_ns, pose in read_tum(answers)])
    assert len(found) > 0.9 * len(later)
    assert np.median(found[:, 0]) < 0.02
    assert np.degrees(np.median(found[:, 1])) < 0.5


@pytest.mark.slow
def test_poses_that_the_pictures_contradict_a_little_are_adjusted(extracted, small_world, tmp_path, capsys):
    truth = read_tum(small_world / "mapping.tum")
    write_tum(tmp_path / "noisy.tum", spoilt(truth, 0.02, 0.5))
    assert main(["map", str(extracted), "--poses", str(tmp_path / "noisy.tum"), "--json"]) == 0
    output = capsys.readouterr()
    report = json.loads(output.out)["given_poses"]
    assert report["adjusted"] is True
    assert report["adjusted_px"] < 0.8 * report["given_px"]
    assert "given poses adjusted by" in output.err
    scene = Scene.open(extracted)
    off = np.array([pose_error(f.map_from_cam, truth.at(f.stamp_ns)) for f in scene.frames if f.map_from_cam])
    assert len(off) > 0.9 * len(scene.frames)
    assert np.median(off[:, 0]) < 0.015  # they came with 3.5 cm and 0.9 deg
    assert np.degrees(np.median(off[:, 1])) < 0.4


@pytest.mark.slow
def test_poses_of_another_walk_are_refused(extracted, small_world, tmp_path, capsys):
    truth = read_tum(small_world / "mapping.tum")
    write_tum(tmp_path / "other.tum", Trajectory(truth.stamps_ns, truth.positions[::-1], truth.rotations[::-1]))
    before = (extracted / "scene.yaml").read_bytes()
    assert main(["map", str(extracted), "--poses", str(tmp_path / "other.tum")]) == 1
    complaint = [line for line in capsys.readouterr().err.splitlines() if "keyframes with given poses" in line]
    assert len(complaint) == 1
    assert "--tracker" in complaint[0]
    assert (extracted / "scene.yaml").read_bytes() == before
