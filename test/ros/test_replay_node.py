"""A bag of a drive along the wall, played to the localizer node and scored."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")
pytest.importorskip("rosbags", reason="replay needs rosbags: pip install 'campose_ros[bag]'")

import rclpy
from client import Client
from node_process import StartNode
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage
from wall import CAMERA, picture, standing_at

from campose_core.bag.cdr import Cdr
from campose_core.bag.file import open_bag
from campose_core.bag.writer import IMAGE_TOPIC, INFO_TOPIC, new_bag, write_bag
from campose_core.cli.main import main as campose
from campose_core.errors import LocalizationError
from campose_core.evaluation.estimates import read_estimates
from campose_core.frame import Frame
from campose_core.geometry import Pose, pose_error
from campose_core.pixels.image_codec import encode_jpeg
from campose_core.trajectory import Trajectory, read_tum, write_tum
from campose_ros.player import Player, stamp_ns_of_cdr
from campose_ros.replay_node import of_another_time

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
        camera_info_topic=INFO_TOPIC, image_transport="compressed", reliable_images=True,
    )  # fmt: skip
    truth = tmp_path / "truth.tum"
    write_tum(truth, Trajectory.from_poses(list(TRUTH), list(TRUTH.values())))
    done = replay(bag, tmp_path / "out", f"--reference={truth}", "--reliable", "--lockstep")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^pose_raw +\d", done.stdout, flags=re.MULTILINE)
    summary = json.loads((tmp_path / "out" / "replay.json").read_text())
    assert summary["published_stamps_ns"] == list(TRUTH)
    assert summary["frames"] == COUNT
    accepted = summary["accepted_stamps_ns"]
    assert accepted == list(TRUTH)
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


def test_replay_asks_tf_for_a_camera_that_turns_on_the_robot(wall_scene: Path, tmp_path: Path) -> None:
    cdr = Cdr()
    ros, messages, seconds = cdr.messages, [], 1_000_000_000
    optical = Pose(standing_at(0.0).rotation, np.array([0.0, 0.0, 1.2]))

    def pan(stamp_ns: int) -> Pose:
        return Pose(Rotation.from_euler("z", 0.1 * np.sin(3e-9 * (stamp_ns - START_NS))), np.zeros(3))

    for i in range(12):
        stamp_ns = START_NS + i * PERIOD_NS
        jpeg = encode_jpeg(picture(Pose(Rotation.identity(), np.array([3.0, 1.5, 0.0])) * pan(stamp_ns) * optical), 92)
        messages.append((stamp_ns, INFO_TOPIC, ros.camera_info("camera", stamp_ns, CAMERA)))
        messages.append((stamp_ns + 30_000_000, IMAGE_TOPIC, ros.compressed_image("camera", stamp_ns, jpeg)))
    for i in range(-2, 80):  # tf comes later than the image that needs it
        stamp_ns = START_NS + i * 33_000_000
        link = ros.tf(ros.transform_stamped("base_link", "pan", stamp_ns, pan(stamp_ns)))
        messages.append((stamp_ns + 60_000_000, "/tf", link))
    mounting = ros.tf(ros.transform_stamped("pan", "camera", START_NS, optical))
    messages.append((START_NS + seconds, "/tf_static", mounting))
    start_over = ros.pose_with_covariance("map", START_NS, Pose.identity(), np.eye(6))
    messages.append((START_NS + 7 * PERIOD_NS - 1, "/initialpose", start_over))
    with new_bag(tmp_path / "pan", cdr, ()) as output:
        for log_ns, topic, message in sorted(messages, key=lambda entry: entry[0]):
            output.write(topic, log_ns, message)

    arguments = ["replay", str(tmp_path / "pan"), "--scene", str(wall_scene), "--out", str(tmp_path / "out")]
    assert campose([*arguments, "--base-frame", "base_link", "--initialpose", "/initialpose"]) == 0
    raw = read_estimates(tmp_path / "out" / "pose_raw.tum")
    assert [outcome.status == "TRACKING" for outcome in raw.outcomes] == [
        i in (2, 3, 4, 5, 6, 9, 10, 11) for i in range(12)
    ]
    for _, map_from_base in raw.trajectory:
        distance_m, angle = pose_error(map_from_base, Pose(Rotation.identity(), np.array([3.0, 1.5, 0.0])))
        assert distance_m < 0.02
        assert angle < 0.01


@pytest.mark.long
def test_a_localizer_that_goes_away_ends_it_and_one_that_comes_back_does_not(client: Client, bag: Path) -> None:
    """A listener of the localizer's name stands in for it, since what is asked is who hears the images."""

    def listen() -> Node:
        listener = rclpy.create_node("leaver", context=client.node.context)
        listener.create_subscription(CompressedImage, IMAGE_TOPIC, lambda message: None, 10)
        return listener

    leaver = [listen()]
    with open_bag(bag) as opened:
        player = Player(client.node, opened, "leaver", reliable=True)
        player.wait_for_subscriber(20.0, lambda: None)
        published: list[int] = []

        def count(stamp_ns: int) -> None:
            published.append(stamp_ns)
            if len(published) == 3:  # for a second, as one that is started again
                leaver.pop().destroy_node()
            elif len(published) == 6:
                leaver.append(listen())
            elif len(published) == 10:
                leaver.pop().destroy_node()

        with pytest.raises(LocalizationError, match="the localizer /leaver has gone, or is no longer active"):
            player.play(0.2, count)
    assert 13 <= len(published) < COUNT


@pytest.mark.parametrize("activation", ["unconfigured", "inactive"])
def test_a_localizer_that_is_not_active_ends_it_soon_with_the_reason(
    start_node: StartNode, wall_scene: Path, client: Client, bag: Path, tmp_path: Path, activation: str
) -> None:
    name = f"idle_{activation}"
    if activation == "unconfigured":
        node = start_node(name, scene=tmp_path / "nowhere")
    else:
        node = start_node(name, scene=wall_scene, autostart=False, estimator="retrieval")
        assert client.change(name, "configure")
    started = time.monotonic()
    done = replay(bag, tmp_path / "out", "--node", name, "--wait", "60")
    assert time.monotonic() - started < 45
    assert done.returncode == 1
    assert f"the node /{name} is {activation}" in done.stderr
    assert f"ros2 lifecycle set /{name} " in done.stderr
    if activation == "unconfigured":
        assert "configure failed" in done.stderr
        assert str(tmp_path / "nowhere") in done.stderr
    assert node.stop() == 0


def test_a_localizer_that_listens_to_other_images_ends_it_soon(client: Client, bag: Path) -> None:
    elsewhere = rclpy.create_node("elsewhere", context=client.node.context)
    elsewhere.create_subscription(CompressedImage, "/front/compressed", lambda message: None, 10)
    said = f"listens to /front/compressed, and the bag has images on {IMAGE_TOPIC} alone"
    with open_bag(bag) as opened, pytest.raises(LocalizationError, match=said):
        Player(client.node, opened, "elsewhere", reliable=True).wait_for_subscriber(30.0, lambda: None)
    elsewhere.destroy_node()


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
        # Fast DDS 3 (Kilted) first warns of the older name of the variable with the profile.
        assert any(line.startswith("waiting for a subscriber") for line in process.stderr)
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


@pytest.mark.parametrize(("later_s", "told"), [(-60.0, True), (-1.0, False), (1.0, False), (60.0, True)])
def test_a_reference_of_another_clock_is_told_by_both_times(bag: Path, later_s: float, told: bool) -> None:
    stamps_ns = [stamp_ns + round(later_s * 1e9) for stamp_ns in TRUTH]
    with open_bag(bag) as opened:
        said = of_another_time(opened, [IMAGE_TOPIC], Trajectory.from_poses(stamps_ns, list(TRUTH.values())))
    assert bool(said) is told
    if told:
        assert said.startswith("the images (1700000000.500 .. 1700000004.300 s) and the reference (")


def test_a_reference_of_another_clock_is_told_before_the_bag_plays(
    start_node: StartNode, wall_scene: Path, bag: Path, tmp_path: Path
) -> None:
    start_node(
        "localizer", scene=wall_scene, image_topic=IMAGE_TOPIC.removesuffix("/compressed"),
        camera_info_topic=INFO_TOPIC, image_transport="compressed", reliable_images=True,
    )  # fmt: skip
    yesterday = tmp_path / "yesterday.tum"
    stamps_ns = [stamp_ns - 86_400 * 10**9 for stamp_ns in TRUTH]
    write_tum(yesterday, Trajectory.from_poses(stamps_ns, list(TRUTH.values())))
    done = replay(bag, tmp_path / "out", f"--reference={yesterday}", "--reliable", "--lockstep")
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if "do not overlap in time" in line]
    assert len(said) == 2
    assert said[0].startswith("WARNING: the images (")
    assert len(read_tum(tmp_path / "out" / "pose.tum")) > COUNT / 2


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
