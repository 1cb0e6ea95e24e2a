"""`campose replay`: the localizer with its memory over a recording, and `campose localize` without."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from campose_core.bag.images import header_stamp_ns
from campose_core.capture.external_poses import read_reference
from campose_core.capture.recording import open_recording
from campose_core.errors import LocalizationError
from campose_core.evaluation.estimates import read_estimates
from campose_core.evaluation.metrics import evaluate
from campose_core.geometry import pose_error
from campose_core.localization.estimators.retrieval import RetrievalEstimator
from campose_core.scene.scene import Scene
from campose_core.simulation.drive import BASE_FROM_CAM
from campose_core.trajectory import Trajectory, read_tum, write_tum
from campose_core.visualization.replay_bag import WRITTEN
from campose_core.walkable import load_walkable

pytestmark = pytest.mark.slow
STORE = get_typestore(Stores.ROS2_JAZZY)


def messages_of(reader):
    """(log time, data) by topic."""
    found = {}
    for connection, log_ns, data in reader.messages():
        found.setdefault(connection.topic, []).append((log_ns, bytes(data)))
    return found


def stamps(messages):
    return [header_stamp_ns(message) for message in messages]


def campose(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "campose_core.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_later_drive_is_localized_to_centimetres(small_scene, small_world, tmp_path):
    done = campose("localize", small_scene, small_world / "later.mp4", "--out", tmp_path / "e.tum", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == len(read_tum(small_world / "later.tum"))
    metrics = evaluate(read_estimates(tmp_path / "e.tum"), read_tum(small_world / "later.tum"))
    assert metrics.recall["5cm/5deg"] > 0.9
    assert metrics.wrong_and_sure == 0


def test_replay_gives_the_same_poses_every_time_and_snaps_them(small_scene, small_world, tmp_path):
    for run in ("one", "two"):
        done = campose(
            "replay", small_world / "later.bag", "--scene", small_scene, "--out", tmp_path / run, "--poses-only"
        )
        assert done.returncode == 0, done.stderr
    for name in ("pose", "pose_raw"):
        one, two = (read_tum(tmp_path / run / f"{name}.tum") for run in ("one", "two"))
        np.testing.assert_array_equal(one.stamps_ns, two.stamps_ns)
        np.testing.assert_allclose(one.positions, two.positions, atol=1e-6)
    scene = Scene.open(small_scene)
    walkable = load_walkable(scene.floor_yaml.parent)
    assert walkable is not None
    snapped = read_tum(tmp_path / "one" / "pose.tum")
    assert len(snapped) > 10
    assert all(walkable.is_walkable(x, y) for x, y, _ in snapped.positions)


def test_replay_with_drifting_odometry_stays_with_the_images(small_scene, small_world, tmp_path):
    mounting = [*BASE_FROM_CAM.translation, *BASE_FROM_CAM.quat_xyzw]
    done = campose(
        "replay", small_world / "later.bag", "--scene", small_scene, "--out", tmp_path, "--odom", "/odom",
        "--base-from-camera", *mounting,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    truth = Trajectory.from_poses(
        *zip(
            *((stamp, pose * BASE_FROM_CAM.inverse()) for stamp, pose in read_tum(small_world / "later.tum")),
            strict=True,
        )
    )
    metrics = evaluate(read_estimates(tmp_path / "pose_raw.tum"), truth)
    assert metrics.recall["5cm/5deg"] > 0.9
    missing = campose(
        "replay", small_world / "later.bag", "--scene", small_scene, "--out", tmp_path, "--odom", "/nothing"
    )
    assert missing.returncode == 1
    assert "no odometry topic '/nothing'; it has: /odom" in missing.stderr


def test_the_copy_of_a_bag_holds_all_that_was_recorded_and_all_that_was_answered(small_scene, small_world, tmp_path):
    bag, out = small_world / "later.bag", tmp_path / "out"
    replaying = ["replay", "--scene", small_scene, "--base-frame", "base_link", "--odom", "/odom"]
    replaying += ["--reference", small_world / "later.tum"]
    done = campose(*replaying, bag, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "times real time" in done.stdout
    assert "pose_raw" in done.stdout
    with Reader(bag) as recorded, Reader(out / "bag") as copied:
        before, after, ours = messages_of(recorded), messages_of(copied), {}
        appended = [message for message in after["/tf"] if message not in set(before["/tf"])]
        for topic, messages in before.items():
            assert [message for message in after[topic] if message not in appended] == messages
        for connection, _, data in copied.messages():
            ours.setdefault(connection.topic, []).append(STORE.deserialize_cdr(data, connection.msgtype))
    raw = read_estimates(out / "pose_raw.tum")
    assert set(ours) == set(before) | WRITTEN | {"/diagnostics"}
    assert stamps(ours["/localizer/pose_raw"]) == raw.trajectory.stamps_ns.tolist()
    assert stamps(ours["/localizer/status"]) == [outcome.stamp_ns for outcome in raw.outcomes]
    for message, (_, pose) in zip(ours["/localizer/pose_raw"], raw.trajectory, strict=True):
        p = message.pose.position
        np.testing.assert_allclose([p.x, p.y, p.z], pose.translation, atol=1e-8)
    # map -> odom -> base_link -> camera is where the reference says, as near as the errors say.
    links = [STORE.deserialize_cdr(data, "tf2_msgs/msg/TFMessage").transforms[0] for _, data in appended]
    assert {(link.header.frame_id, link.child_frame_id) for link in links} == {("map", "odom")}
    errors = [float(message.status[0].values[0].value) for message in ours["/error"]]
    assert np.median(errors) < 0.05

    answered, truth = read_tum(small_world / "later.tum").interpolate(read_reference(out / "bag").stamps_ns)
    assert answered.all()
    for (_, pose), (_, true) in zip(read_reference(out / "bag"), truth, strict=True):  # by /reference, not by /tf
        assert max(pose_error(pose, true)) < 1e-6

    again = campose(*replaying, out / "bag", "--out", tmp_path / "again")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "again" / "pose_raw.tum").read_bytes() == (out / "pose_raw.tum").read_bytes()
    with Reader(tmp_path / "again" / "bag") as copied:
        assert {topic: len(messages) for topic, messages in messages_of(copied).items()} == {
            topic: len(messages) for topic, messages in ours.items()
        }
    itself = campose(*replaying, out / "bag", "--out", out)
    assert itself.returncode == 2
    assert "would replace the recording" in itself.stderr


def test_a_video_becomes_a_bag_with_its_pictures_and_the_answers(small_scene, small_world, tmp_path):
    done = campose("replay", small_world / "later.mp4", "--scene", small_scene, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    copied = open_recording(tmp_path / "bag")
    raw = read_estimates(tmp_path / "pose_raw.tum")
    assert [frame.stamp_ns for frame in copied.frames()] == [outcome.stamp_ns for outcome in raw.outcomes]
    assert copied.camera is not None
    refused = campose("replay", small_world / "later.mp4", "--scene", small_scene, "--out", tmp_path, "--odom", "/odom")
    assert refused.returncode == 2
    assert "is not a bag: leave out --odom" in refused.stderr


@pytest.mark.parametrize(("name", "warned"), [("later.mp4", 0), ("later.bag", 1)])
def test_a_reference_of_another_time_is_named_and_the_answers_stay(small_scene, small_world, tmp_path, name, warned):
    later = read_tum(small_world / "later.tum")
    write_tum(tmp_path / "yesterday.tum", replace(later, stamps_ns=later.stamps_ns - 86_400_000_000_000))
    done = campose(
        "replay", small_world / name, "--scene", small_scene, "--out", tmp_path / "run",
        "--poses-only", "--reference", tmp_path / "yesterday.tum",
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()[-1:]
    assert "do not overlap in time" in line
    assert "report" not in line
    assert done.stderr.count("replay: WARNING: the images (") == warned  # of a bag before it begins
    assert len(read_tum(tmp_path / "run" / "pose.tum")) > 10


def test_an_unknown_estimator_names_those_there_are(small_scene, small_world, tmp_path):
    done = campose(
        "localize", small_scene, small_world / "later.bag", "--estimator", "magic", "--out", tmp_path / "e.tum"
    )
    assert done.returncode == 1
    assert "structure, retrieval" in done.stderr
    assert not (tmp_path / "e.tum").exists()


def test_retrieval_answers_with_a_mapped_pose(small_scene, small_world, tmp_path):
    done = campose(
        "localize", small_scene, small_world / "later.bag", "--estimator", "retrieval", "--out", tmp_path / "r.tum"
    )
    assert done.returncode == 0, done.stderr
    mapped = np.array([frame.map_from_cam.translation for frame in Scene.open(small_scene).posed_frames()])
    for _, pose in read_tum(tmp_path / "r.tum"):
        assert np.linalg.norm(mapped - pose.translation, axis=1).min() < 1e-6


def test_one_keyframe_alone_is_not_retrieved(small_scene):
    """Its covariance would be zero: there is no other from which to tell how far retrieval is off."""
    scene = Scene.open(small_scene)
    first, *others = scene.frames
    frames = (replace(first, split="one"), *(replace(frame, split="others") for frame in others))
    scene = replace(scene, frames=frames)
    with pytest.raises(LocalizationError, match="1 keyframes to retrieve in the split 'one', two are needed"):
        RetrievalEstimator.load(scene, split="one")
    assert RetrievalEstimator.load(scene, split="others")
