"""A bag played image by image, to a localizer that answers some of its images alone, while others listen."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")
pytest.importorskip("rosbags", reason="replay needs rosbags: pip install 'campose_ros[bag]'")

import rclpy
from client import ALL, BEST_EFFORT, Client, stamps
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from node_process import StartNode
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from wall import CAMERA, picture, standing_at

from campose_core.bag.cdr import Cdr
from campose_core.bag.file import open_bag
from campose_core.bag.writer import IMAGE_TOPIC, INFO_TOPIC, new_bag
from campose_core.errors import LocalizationError
from campose_core.pixels.image_codec import encode_jpeg
from campose_core.trajectory import Trajectory, write_tum
from campose_ros.asked_localizer import AskedLocalizer
from campose_ros.conversions import key_values
from campose_ros.diagnostics import ERROR
from campose_ros.player import Player

START_NS, PERIOD_NS, COUNT = 1_700_000_000_500_000_000, 100_000_000, 9
STAMPS_NS = [START_NS + i * PERIOD_NS for i in range(COUNT)]
DEPTH_TOPIC = "/camera/depth/image"


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Of a camera for colour and depth. whole: the first image comes before its camera_info. bare: none comes."""
    folder, cdr = tmp_path_factory.mktemp("bags"), Cdr()
    ros, depth = cdr.messages, np.full((6, 8), 1500, np.uint16)
    for name in ("whole", "bare"):
        with new_bag(folder / name, cdr, ()) as output:
            for i, stamp_ns in enumerate(STAMPS_NS):
                if i and name == "whole":
                    output.write(INFO_TOPIC, stamp_ns, ros.camera_info("camera", stamp_ns, CAMERA))
                seen = encode_jpeg(picture(standing_at(2.5 + 0.02 * i)), 92)
                output.write(IMAGE_TOPIC, stamp_ns + 20_000_000, ros.compressed_image("camera", stamp_ns, seen))
                measured = ros.make(
                    "sensor_msgs/msg/Image", header=ros.header("camera", stamp_ns), height=6, width=8,
                    encoding="16UC1", is_bigendian=0, step=16, data=depth.view(np.uint8).ravel(),
                )  # fmt: skip
                output.write(DEPTH_TOPIC, stamp_ns + 40_000_000, measured)
    return {name: folder / name for name in ("whole", "bare")}


def replay(client: Client, bag: Path, out: Path, *options: str) -> tuple[int, str]:
    """The exit code, and what it printed on stderr; the client listens meanwhile."""
    command = [sys.executable, "-m", "campose_ros.replay_node", str(bag), "--out", str(out), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        client.until(lambda: process.poll() is not None, "the replay ends", 60.0)
        assert process.stderr is not None
        return process.returncode, process.stderr.read()


def test_images_that_get_no_status_are_not_waited_for(
    start_node: StartNode, wall_scene: Path, client: Client, bags: dict[str, Path], tmp_path: Path
) -> None:
    """All are refused; then one is, and every second one is left out by max_rate_hz."""
    node = start_node(
        "stepped", scene=wall_scene, image_topic=IMAGE_TOPIC.removesuffix("/compressed"), image_transport="compressed",
        camera_info_topic=INFO_TOPIC, reliable_images=True, max_rate_hz=5.0,
    )  # fmt: skip
    node.wait_for_output(f"listening to {IMAGE_TOPIC}")
    truth = tmp_path / "truth.tum"
    write_tum(truth, Trajectory.from_poses(STAMPS_NS, [standing_at(2.5 + 0.02 * i) for i in range(COUNT)]))
    options = ("--node=stepped", "--lockstep", "--reliable", f"--reference={truth}")
    code, said = replay(client, bags["bare"], tmp_path / "none", *options)
    assert code == 1, said
    reason = said.splitlines()[-1]
    assert f"the localizer /stepped processed none of the {COUNT} images that were played to it: no intr" in reason
    assert f"nothing came on {INFO_TOPIC}" in reason
    assert "no answer" not in said
    assert not (tmp_path / "none").exists()

    code, said = replay(client, bags["whole"], tmp_path / "out", *options)
    assert code == 0, said
    assert "no answer" not in said
    summary = json.loads((tmp_path / "out" / "replay.json").read_text())
    assert summary["published_stamps_ns"] == STAMPS_NS
    assert summary["accepted_stamps_ns"] == STAMPS_NS[2::2]
    assert node.stop() == 0


def test_images_for_a_viewer_alone_are_played_and_not_waited_for(client: Client, bags: dict[str, Path]) -> None:
    context = client.node.context
    played_by, viewer = (rclpy.create_node(name, context=context) for name in ("plays", "viewer"))
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(viewer)
    looked_at: list[Image] = []
    viewer.create_subscription(Image, DEPTH_TOPIC, looked_at.append, ALL)
    subscription = client.node.create_subscription(CompressedImage, IMAGE_TOPIC, lambda message: None, ALL)
    published: list[int] = []
    waited: list[tuple[str, int]] = []
    with open_bag(bags["whole"]) as opened:
        player = Player(played_by, opened, client.node.get_name(), reliable=True)
        player.wait_for_subscriber(10.0, lambda: None)
        player.play(10.0, published.append, lambda topic, stamp_ns: waited.append((topic, stamp_ns)))
    deadline = time.monotonic() + 10.0
    while len(looked_at) < COUNT and time.monotonic() < deadline:
        executor.spin_once(timeout_sec=0.1)
    executor.shutdown()
    client.node.destroy_subscription(subscription)
    viewer.destroy_node()
    played_by.destroy_node()
    assert published == STAMPS_NS
    assert waited == [(IMAGE_TOPIC, stamp_ns) for stamp_ns in STAMPS_NS]
    assert stamps(looked_at) == STAMPS_NS


@pytest.mark.parametrize(
    ("kind", "qos", "reason"),
    [
        (CompressedImage, ALL, "replay with --reliable, or set its reliable_images to false"),
        (Image, BEST_EFFORT, "the bag has sensor_msgs/msg/CompressedImage there, is image_transport right?"),
    ],
    ids=["reliable", "type"],
)
def test_a_subscription_that_never_connects_is_told_at_once(
    client: Client, bags: dict[str, Path], tmp_path: Path, kind: type, qos: QoSProfile, reason: str
) -> None:
    subscription = client.node.create_subscription(kind, IMAGE_TOPIC, lambda message: None, qos)
    code, said = replay(client, bags["whole"], tmp_path / "out", f"--node={client.node.get_name()}", "--wait=50")
    client.node.destroy_subscription(subscription)
    assert code == 1
    assert reason in said


def test_who_else_listens_is_no_localizer(client: Client, bags: dict[str, Path]) -> None:
    subscription = client.node.create_subscription(CompressedImage, IMAGE_TOPIC, lambda message: None, BEST_EFFORT)
    with open_bag(bags["whole"]) as opened:
        player = Player(client.node, opened, "localizer", reliable=False)
        client.until(lambda: client.node.count_subscribers(IMAGE_TOPIC), "it is known")
        who = f"only {client.node.get_fully_qualified_name()} subscribed to .* is the localizer /localizer .--node. act"
        with pytest.raises(LocalizationError, match=who):
            player.wait_for_subscriber(0.5, lambda: None)
        assert player.heard_images() == set()
    client.node.destroy_subscription(subscription)


def test_the_reason_is_that_of_the_images_and_not_the_silence_after_them(client: Client) -> None:
    """Places by tf are told of under the inputs too."""
    localizer = AskedLocalizer(client.node, "/fleet/asked")
    publisher = client.publisher(DiagnosticArray, "/diagnostics", ALL)
    no_place = "tf does not link base_link and eye"
    silence = "no image on /eye for 1 s: nobody publishes it"

    def report(said: str, refused: int) -> DiagnosticArray:
        parts = ("localization", {"images_refused": refused}), ("inputs", {})
        return DiagnosticArray(
            status=[
                DiagnosticStatus(name=f"fleet/asked: {part}", level=ERROR, message=said, values=key_values(values))
                for part, values in parts
            ]
        )

    for said, refused in ((silence, 2), (no_place, 5), (silence, 6)):
        publisher.publish(report(said, refused))
    client.until(lambda: localizer.left_out == 4, "all that was refused since the first report is counted")
    assert localizer.why_none(9).endswith(f"none of the 9 images that were played to it: {no_place}")
