"""What monitors of /diagnostics rely on, and images that get lost on their way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import Client, values
from diagnostic_msgs.msg import DiagnosticStatus
from drives import Drive
from node_process import StartNode

from campose_core.localization.result import LocalizationResult, Status
from campose_ros.diagnostics import Fault, Tally, merged

PROFILE = Path(__file__).parents[2] / "config" / "fastdds_large_shm.xml"
CAMERA = """
import time
from array import array
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

rclpy.init()
node = rclpy.create_node("camera")
images = node.create_publisher(Image, "/big", QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT))
message = Image(height=480, width=640, encoding="rgb8", step=1920, data=array("B", bytes(480 * 1920)))
while True:
    seconds, message.header.stamp.nanosec = divmod(time.time_ns(), 10**9)
    message.header.stamp.sec = seconds
    images.publish(message)
    time.sleep(1 / 30)
"""


def test_texts_and_levels_are_merged() -> None:
    faults = [
        Fault(DiagnosticStatus.WARN, "late"),
        Fault(DiagnosticStatus.ERROR, ""),
        Fault(DiagnosticStatus.WARN, "few"),
    ]
    status = merged("n: inputs", faults, "fine", {"key": 3})
    assert (status.level, status.message) == (DiagnosticStatus.WARN, "late; few")
    assert values(status) == {"key": "3"}
    assert merged("n: inputs", faults[1:2], "fine", {}).message == "fine"


def test_a_silence_of_what_was_tracked_is_lost() -> None:
    tally = Tally()
    assert values(tally.status("n: localization", "no image", {}))["state"] == "INITIALIZING"
    tally.done("", LocalizationResult(5, Status.TRACKING, support=40), 0.02)
    status = tally.status("n: localization", "", {"scene_digest": "abc"})
    assert (status.level, status.message) == (DiagnosticStatus.OK, "localized")
    assert values(status)["scene_digest"] == "abc"
    status = tally.status("n: localization", "no image", {})
    assert (status.level, status.message, values(status)["state"]) == (DiagnosticStatus.ERROR, "no image", "LOST")


def test_one_camera_of_two_whose_images_are_refused_is_a_warning_of_the_inputs_while_the_other_serves() -> None:
    tally, levels = Tally(), []
    for _ in range(3):
        tally.done("front", LocalizationResult(5, Status.TRACKING, support=40), 0.02)
        levels.append(tally.judgement().level)
        tally.refuse("rear", "no transform", of_tf=True)
        levels.append(tally.judgement().level)
        assert tally.input_faults() == tally.tf_faults() == ["rear: no transform"]
    tally.refuse("rear", "another size")
    assert (tally.input_faults(), tally.tf_faults()) == (["rear: another size"], [])
    assert levels == [DiagnosticStatus.OK] * 6
    tally.silent = frozenset({"front"})  # then nothing is localized
    assert tally.judgement() == Fault(DiagnosticStatus.ERROR, "rear: another size")
    assert tally.input_faults() == []
    tally.silent = frozenset()
    tally.refuse("front", "no intrinsics")
    assert tally.judgement().text == "front: no intrinsics; rear: another size"
    tally.done("rear", LocalizationResult(6, Status.TRACKING, support=40), 0.02)
    assert (tally.judgement().level, tally.input_faults()) == (DiagnosticStatus.OK, ["front: no intrinsics"])


def test_two_statuses_with_the_keys_that_monitors_plot(start_node: StartNode, wall_scene: Path, client: Client) -> None:
    node = start_node("told", scene=wall_scene, image_topic="/told_eye", camera_info_topic="/told_eye_info")
    drive = Drive(client, "told", "/told_eye", "raw")
    drive.settle(3.0)
    # A camera that stops is silent before the next report.
    status = client.diagnosis(
        "told", lambda s: s.name == "told: localization" and s.message == "localized", "it", lambda: drive.show(3.0)
    )
    assert status.level == DiagnosticStatus.OK
    assert status.hardware_id == "/told"
    keys = {"state", "input_rate_hz", "latency_median_ms", "images_dropped_for_newer", "support", "snap_distance_m"}
    assert keys <= set(values(status))
    drive.show(3.0)
    facts = values(client.diagnosis("told", lambda s: s.name == "told: inputs", "inputs"))
    assert (facts["image_publishers"], facts["odometry"], facts["tf"]) == ("1", "not used", "not used")
    assert int(facts["image_received"]) >= 2
    assert node.stop() == 0


@pytest.mark.slow
def test_raw_images_that_dds_loses_are_told_with_the_cure_and_the_cure_cures(
    start_node: StartNode, wall_scene: Path, client: Client
) -> None:
    node = start_node("lossy", scene=wall_scene, image_topic="/big", camera_source="scene", estimator="retrieval")
    node.wait_for_output("listening to /big")
    inputs = "lossy: inputs"

    def camera(**variables: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", CAMERA], env={**os.environ, **variables})

    process = camera()
    try:
        status = client.diagnosis("lossy", lambda s: s.name == inputs and "is lost on the way" in s.message, "loss")
    finally:
        process.kill()
        process.wait()
    assert "images of more than 0.5 MB do not fit the shared memory of Fast DDS" in status.message
    assert "config/fastdds_large_shm.xml" in status.message
    assert status.level > DiagnosticStatus.OK

    lost = int(values(status)["image_lost"])
    process = camera(FASTRTPS_DEFAULT_PROFILES_FILE=str(PROFILE), FASTDDS_DEFAULT_PROFILES_FILE=str(PROFILE))
    try:
        status = client.diagnosis(
            "lossy",
            lambda s: s.name == inputs and s.level == DiagnosticStatus.OK and float(values(s)["image_rate_hz"]) > 10,
            "images come",
        )
    finally:
        process.kill()
        process.wait()
    assert int(values(status)["image_lost"]) >= lost
    assert node.stop() == 0
