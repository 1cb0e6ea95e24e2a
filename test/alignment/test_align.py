"""Which frames a reference trajectory speaks of, and what `campose build` and `align` refuse before long work."""

import json
import shutil

import numpy as np
import pytest

from campose_core.capture.referenced_frames import frames_with_reference
from campose_core.cli.main import main
from campose_core.errors import AlignmentError
from campose_core.geometry import Pose, pose_error
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.simulation.drive import BASE_FROM_CAM
from campose_core.trajectory import Trajectory, read_tum, write_tum

SECOND = 1_000_000_000


def frames(source: str, first_s: float, count: int = 5) -> list[SceneFrame]:
    stamps = [int((first_s + 0.1 * i) * SECOND) for i in range(count)]
    return [SceneFrame(f"{source}/{stamp}.jpg", source, stamp, source) for stamp in stamps]


@pytest.fixture
def reference(tmp_path):
    stamps = [i * SECOND // 4 for i in range(80)]
    write_tum(tmp_path / "reference.tum", Trajectory.from_poses(stamps, [Pose.identity()] * len(stamps)))
    return tmp_path / "reference.tum"


def test_sources_one_after_the_other_share_a_reference(reference):
    known = frames_with_reference([*frames("a", 1), *frames("b", 5), *frames("c", 100)], reference)
    assert {frame.source for frame, _ in known} == {"a", "b"}
    assert len(known) == 10


@pytest.mark.parametrize("start_of_b", [1.0, 1.05, 1.2])
def test_stamps_that_fit_two_sources_need_the_name_of_one(reference, start_of_b):
    both = [*frames("a", 1), *frames("b", start_of_b)]
    with pytest.raises(AlignmentError, match=r"a and b at the same time: .*--source"):
        frames_with_reference(both, reference)
    assert {frame.source for frame, _ in frames_with_reference(both, reference, "b")} == {"b"}
    with pytest.raises(AlignmentError, match="there are a, b"):
        frames_with_reference(both, reference, "c")


def test_a_reference_of_another_time_or_no_frames_at_all(reference):
    with pytest.raises(AlignmentError, match=r"0 of 5 frames .* 900\.000 \.\. 900\.400 s, the reference 0\.000"):
        frames_with_reference(frames("a", 900), reference)
    with pytest.raises(AlignmentError, match="0 of 0 frames"):
        frames_with_reference([], reference)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        *(
            (["--camera-height", height], 2, f"--camera-height needs a positive number of metres, got '{height}'")
            for height in ("0", "-1", "nan", "inf", "waist")
        ),
        (["--camera-height", "120"], 2, "metres above the floor, at most 30, got 120: centimetres? Then give 1.2"),
        (["--camera-height", "1450"], 2, "at most 30, got 1450: millimetres? Then give 1.45"),
        (["--reference", "REF", "--mounting", *"0000001"], 2, "poses of --reference are the camera's: leave it out"),
        (["--from", "stars"], 2, "--from stars: choose of exported, poses, tf, floor, gps, odometry, gravity"),
        (["--markers", "nowhere.yaml"], 1, "nowhere.yaml: no such file"),
        (["--distance", "a", "b", "far"], 2, "a positive number of metres, got 'far'"),
        (["--distance", "a", "b", "1", "--source", "a"], 2, "--source"),
        (["--points", "nowhere.csv"], 1, "nowhere.csv: no such file"),
        (["--reference", "nowhere.tum"], 1, "nowhere.tum: no such file"),
        (["--reference", "REF", "--model", "magic"], 2, "begin the name with posenet, linear, mapnet, mapnet+, menet"),
    ],
)
def test_build_refuses_wrong_options_before_it_writes_anything(tmp_path, reference, capsys, arguments, code, message):
    arguments = [str(reference) if argument == "REF" else argument for argument in arguments]
    scene = tmp_path / "scene"
    assert main(["build", str(tmp_path / "walk.mp4"), "--scene", str(scene), *arguments]) == code
    complaint = capsys.readouterr().err
    assert message in complaint
    assert complaint.count("\n") == 1
    assert not scene.exists()


@pytest.mark.slow
def test_map_and_align_tell_what_they_did_as_json(small_scene, small_world, tmp_path, capsys):
    scene = shutil.copytree(small_scene, tmp_path / "scene")
    capsys.readouterr()
    assert main(["map", str(scene), "--json"]) == 0
    mapped = json.loads(capsys.readouterr().out)
    assert mapped["registered"] <= mapped["keyframes"] <= mapped["frames"]
    assert main(["align", str(scene), "--reference", str(small_world / "mapping.tum"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["residual"]["median_m"] < 0.02


@pytest.mark.slow
def test_the_recording_places_its_scene_by_its_own_odometry(small_scene, small_world, tmp_path, capsys):
    """Against the truth, odometry's frame being where the drive began; the floor plan is taken away first."""
    scene = shutil.copytree(small_scene, tmp_path / "scene")
    shutil.rmtree(scene / "floor")
    capsys.readouterr()
    assert main(["align", str(scene), "--json"]) == 0
    aligned = json.loads(capsys.readouterr().out)
    assert aligned["method"] == "odometry"
    truth = read_tum(small_world / "mapping.tum")
    map_from_odom = truth.pose(0) * BASE_FROM_CAM.inverse()
    errors = [
        pose_error(map_from_odom * frame.map_from_cam, dict(truth)[frame.stamp_ns])
        for frame in Scene.open(scene).posed_frames()
    ]
    metres, radians = np.array(errors).T
    assert np.sqrt(np.mean(metres**2)) < 0.1
    assert np.degrees(np.median(radians)) < 1.0
