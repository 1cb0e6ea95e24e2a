"""Two robots in one domain: the same node name and the same relative topics, each in a namespace of its own."""

import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import ALL, Client, values
from diagnostic_msgs.msg import DiagnosticArray
from drives import Drive
from node_process import StartNode
from std_srvs.srv import Trigger

# What ROS itself shares between all nodes of a domain, and the diagnostics.
SHARED = {"/diagnostics", "/rosout", "/parameter_events", "/clock", "/tf", "/tf_static"}
ROBOTS = ("a", "b")


@pytest.fixture(scope="module")
def scenes(wall_scene: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("fleet")
    return {robot: Path(shutil.copytree(wall_scene, folder / f"scene_{robot}")) for robot in ROBOTS}


@pytest.fixture(scope="module")
def drives(start_node: StartNode, client: Client, scenes: dict[str, Path]) -> dict[str, Drive]:
    """Both robots, TRACKING at different places of the wall."""
    for robot in ROBOTS:
        frames = {f"{frame}_frame": f"{robot}/{frame}" for frame in ("map", "odom")}
        node = start_node(
            "localizer", "-r", f"__ns:=/{robot}", scene=scenes[robot], image_transport="compressed",
            camera_info_topic="image_info", base_frame=f"{robot}/base_link", **frames,
        )  # fmt: skip
        node.wait_for_output(f"listening to /{robot}/image/compressed")
    drives = {robot: Drive(client, f"{robot}/localizer", f"/{robot}/image", "compressed") for robot in ROBOTS}
    for robot, x in {"a": 2.0, "b": 4.0}.items():
        drives[robot].settle(x)
    return drives


def test_an_image_moves_only_the_robot_it_was_taken_by(drives: dict[str, Drive]) -> None:
    for robot, other, x in (("a", "b", 2.1), ("b", "a", 3.9)):
        drives[other].client.within(0.5, lambda: False)  # a pose of its own may still be on its way
        heard = len(drives[other].status), len(drives[other].raw_poses)
        stamp_ns = drives[robot].next_ns
        assert drives[robot].show(x)["state"] == "TRACKING"
        pose = drives[robot].pose_of(stamp_ns, drives[robot].raw_poses)
        assert pose.pose.position.x == pytest.approx(x, abs=0.02)
        assert pose.header.frame_id == f"{robot}/map"
        drives[other].client.within(0.5, lambda: False)
        assert (len(drives[other].status), len(drives[other].raw_poses)) == heard


def test_a_service_is_of_one_robot(drives: dict[str, Drive], client: Client) -> None:
    assert client.call(Trigger, "/a/localizer/relocalize", Trigger.Request()).success
    assert drives["b"].show(3.9)["state"] == "TRACKING"
    assert drives["a"].show(2.1)["state"] != "TRACKING"
    drives["a"].settle(2.1)


def test_diagnostics_are_told_apart_by_their_names(
    drives: dict[str, Drive], client: Client, scenes: dict[str, Path]
) -> None:
    """One topic for all, and tools show one line for each name."""
    received = client.collect(DiagnosticArray, "/diagnostics", ALL)

    def scenes_told() -> dict[str, set[str]]:
        told: dict[str, set[str]] = {}
        for status in (status for message in received for status in message.status):
            told.setdefault(status.name, set()).add(values(status).get("scene", ""))
        return told

    wanted = {f"{robot}/localizer: localization" for robot in ROBOTS}
    client.until(lambda: wanted <= set(scenes_told()), "both robots report")
    for robot in ROBOTS:
        assert scenes_told()[f"{robot}/localizer: localization"] == {str(scenes[robot])}


def test_every_topic_and_service_lies_in_the_namespace(drives: dict[str, Drive], client: Client) -> None:
    for robot in ROBOTS:
        for of_node in (
            client.node.get_publisher_names_and_types_by_node,
            client.node.get_subscriber_names_and_types_by_node,
            client.node.get_service_names_and_types_by_node,
        ):
            names: list[tuple[str, Any]] = of_node("localizer", f"/{robot}")
            assert names
            assert {name for name, _ in names if not name.startswith(f"/{robot}/")} <= SHARED
