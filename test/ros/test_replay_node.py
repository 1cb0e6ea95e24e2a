"""A bag of a drive along the wall, played to the localizer node and scored."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("pycolmap", reason="the structure estimator needs pycolmap: pip install 'campose_ros[map]'")
pytest.importorskip("rosbags", reason="replay needs rosbags: pip install 'campose_ros[bag]'")

from node_process import StartNode
from wall import CAMERA, picture, standing_at

from campose_core.capture.bag_file import open_bag
from campose_core.capture.bag_writer import IMAGE_TOPIC, INFO_TOPIC, write_bag
from campose_core.capture.frame import Frame
from campose_core.evaluation.estimates import read_estimates
from campose_core.geometry import pose_error
from campose_core.trajectory import Trajectory, read_tum, write_tum
from campose_ros.player import stamp_ns_of_cdr

START_NS, PERIOD_NS, COUNT = 1_700_000_000_500_000_000, 200_000_000, 20
TRUTH = {START_NS + i * PERIOD_NS: standing_at(2.0 + 0.05 * i) for i in range(COUNT)}


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bags") / "drive"
    frames = (Frame(stamp_ns, picture(pose), "camera", str(stamp_ns)) for stamp_ns, pose in TRUTH.items())
    write_bag(path, frames, CAMERA)
    return path


def replay(bag: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "campose_ros.replay_node", str(bag), "--out", str(out), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def test_a_drive_is_played_recorded_and_near_the_truth(
    start_node: StartNode, wall_scene: Path, bag: Path, tmp_path: Path
) -> None:
    node = start_node(
        "localizer", scene=wall_scene, image_topic=IMAGE_TOPIC.removesuffix("/compressed"),
        camera_info_topic=INFO_TOPIC, image_transport="compressed",
    )  # fmt: skip
    truth = tmp_path / "truth.tum"
    write_tum(truth, Trajectory.from_poses(list(TRUTH), list(TRUTH.values())))
    done = replay(bag, tmp_path / "out", f"--reference={truth}")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^pose_raw +\d", done.stdout, flags=re.MULTILINE)
    summary = json.loads((tmp_path / "out" / "replay.json").read_text())
    assert summary["published_stamps_ns"] == list(TRUTH)
    assert summary["frames"] == COUNT
    accepted = summary["accepted_stamps_ns"]
    assert set(accepted) <= set(TRUTH)
    assert len(accepted) >= COUNT // 2
    for name in ("pose", "pose_raw"):
        trajectory = read_tum(tmp_path / "out" / f"{name}.tum")
        assert set(trajectory.stamps_ns.tolist()) <= set(accepted)
        assert len(trajectory) >= len(accepted) - 2
        assert all(pose_error(pose, TRUTH[stamp])[0] < 0.01 for stamp, pose in trajectory)
    assert summary["answered"] == len(read_tum(tmp_path / "out" / "pose_raw.tum"))
    raw = read_estimates(tmp_path / "out" / "pose_raw.tum")
    assert all(outcome.covariance is not None for outcome in raw.outcomes if outcome.map_from_cam is not None)
    assert sum(summary["status"].values()) == len(accepted)
    assert 0 < summary["latency_s"]["p50"] <= summary["latency_s"]["p95"] <= summary["latency_s"]["max"]
    assert summary["estimate_s"]["p50"] <= summary["latency_s"]["max"]
    assert node.stop() == 0


def test_without_a_localizer_it_says_what_to_check(ros_environment: dict[str, str], bag: Path, tmp_path: Path) -> None:
    done = replay(bag, tmp_path / "out", "--wait", "1")
    assert done.returncode == 1
    assert f"nobody subscribed to {IMAGE_TOPIC}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_a_waiting_replay_in_one_line(
    ros_environment: dict[str, str], bag: Path, tmp_path: Path, number: int
) -> None:
    command = [sys.executable, "-m", "campose_ros.replay_node", str(bag), "--out", str(tmp_path / "out")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline().startswith("waiting for a subscriber")
        process.send_signal(number)
        assert process.stderr.read() == "campose_replay: interrupted\n"
        assert process.wait(20) == 130


def test_a_reference_that_cannot_be_read_is_told_before_the_bag_plays(
    ros_environment: dict[str, str], bag: Path, tmp_path: Path
) -> None:
    done = replay(bag, tmp_path / "out", "--reference", str(tmp_path / "missing.tum"))
    assert done.returncode == 1
    assert done.stderr.startswith(f"campose_replay: {tmp_path / 'missing.tum'}")
    assert "waiting" not in done.stderr


def test_a_file_that_is_no_bag_is_one_line(ros_environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "no.mcap").write_bytes(b"no bag at all")
    done = replay(tmp_path / "no.mcap", tmp_path / "out")
    assert done.returncode == 1
    assert f"{tmp_path / 'no.mcap'}: cannot be read as a bag" in done.stderr
    assert "Traceback" not in done.stderr


def test_messages_come_in_recorded_order_with_their_header_stamps(bag: Path) -> None:
    with open_bag(bag) as opened:
        assert [(t.name, t.messages) for t in opened.topics] == [(INFO_TOPIC, COUNT), (IMAGE_TOPIC, COUNT)]
        everything = list(opened.serialized({IMAGE_TOPIC, INFO_TOPIC}))
        images = list(opened.serialized({IMAGE_TOPIC}))
        assert list(opened.serialized(set())) == []
    assert np.all(np.diff([message.log_ns for message in everything]) >= 0)
    assert [stamp_ns_of_cdr(message.data) for message in images] == list(TRUTH)
