"""config/sros2_policy.xml allows what the nodes do, and nothing that they do not."""

import sys
from fnmatch import fnmatch
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import Client
from node_process import NodeProcess, StartNode
from rclpy.node import NodeNameNonExistentError

POLICY = Path(__file__).resolve().parents[2] / "config" / "sros2_policy.xml"
OPTIONAL = {
    "/clock", "/tf", "/tf_static", "/parameter_events", "/camera/image_raw", "/error", "/reference/*",
    "/localizer/get_type_description", "/viewer/get_type_description",
    "/bond", "/set_initial_pose",  # where bond and nav2_msgs are installed
}  # fmt: skip


def allowed(node: str, way: str) -> set[str]:
    """What the policy lets a node publish, subscribe or reply."""
    profile = next(p for p in ElementTree.parse(POLICY).iter("profile") if p.get("node") == node)
    return {str(name.text) for rule in profile if rule.get(way) == "ALLOW" for name in rule}


def used(client: Client, node: str) -> dict[str, set[str]]:
    """What a running node does of that; nothing while DDS has not discovered it."""
    ask = client.node
    try:
        return {
            "publish": {name for name, _ in ask.get_publisher_names_and_types_by_node(node, "/")},
            "subscribe": {name for name, _ in ask.get_subscriber_names_and_types_by_node(node, "/")},
            "reply": {name for name, _ in ask.get_service_names_and_types_by_node(node, "/")},
        }
    except NodeNameNonExistentError:
        return {"publish": set(), "subscribe": set(), "reply": set()}


def test_the_policy_is_that_of_the_running_nodes(start_node: StartNode, client: Client, wall_scene: Path) -> None:
    start_node(
        "localizer", scene=wall_scene, image_topic="/camera/image_raw", camera_info_topic="/camera/camera_info",
        image_transport="compressed", use_odometry=True, use_imu=True, bootstrap_amcl=True, use_sim_time=True,
        base_from_camera="[0.0, 0.0, 1.2, -0.5, 0.5, -0.5, 0.5]",
    )  # fmt: skip
    names = {way: allowed("localizer", way) for way in ("publish", "subscribe", "reply")}

    def complete() -> bool:
        return all(names[way] - OPTIONAL <= found for way, found in used(client, "localizer").items())

    client.until(complete, "all that is allowed is there", 20.0)
    for way, found in used(client, "localizer").items():
        assert found <= names[way]


def test_the_policy_is_that_of_the_viewer(client: Client, tmp_path: Path) -> None:
    pytest.importorskip("foxglove", reason="the viewer needs foxglove-sdk: pip install 'campose_ros[view]'")
    command = [sys.executable, "-m", "campose_ros.viewer_node", "--ros-args", "-p", "port:=0"]
    viewer = NodeProcess(command, tmp_path / "output.txt")
    try:
        replies = allowed("viewer", "reply")
        client.until(lambda: replies - OPTIONAL <= used(client, "viewer")["reply"], "its services are there", 20.0)
        for way, found in used(client, "viewer").items():
            assert found <= allowed("viewer", way)
    finally:
        viewer.stop()
    shown = allowed("localizer", "publish") | allowed("localizer", "subscribe")
    assert not {name for name in shown if not any(fnmatch(name, one) for one in allowed("viewer", "subscribe"))}
