"""Which topics a node takes and names: remapped ones, those of a transport, its own and those of others."""

from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import Client
from diagnostic_msgs.msg import DiagnosticStatus
from nav_msgs.msg import OccupancyGrid
from node_process import NodeProcess, StartNode
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage


@pytest.fixture(scope="module")
def node(start_node: StartNode, wall_scene: Path) -> NodeProcess:
    """Two cameras that send nothing."""
    return start_node(
        "named", "-r", "left/image:=/bow/image_raw", scene=wall_scene, estimator="retrieval", cameras="[left, right]",
        image_transport="compressed", **{"right.image_topic": "/stern/image_raw/compressed"},
        **{"left.base_from_camera": "[0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]"},
    )  # fmt: skip


def test_the_transport_stands_behind_a_remapped_name_once(node: NodeProcess) -> None:
    node.wait_for_output("listening to /bow/image_raw/compressed\n")
    node.wait_for_output("listening to /stern/image_raw/compressed\n")


def test_pictures_of_localizers_are_not_offered_as_those_of_a_camera(node: NodeProcess, client: Client) -> None:
    published = client.node.get_publishers_info_by_topic
    client.until(lambda: published("/named/matches/compressed"), "it publishes pictures itself")
    fleet = client.node.create_publisher(CompressedImage, "/robot2/localizer/matches/compressed", 1)
    camera = client.node.create_publisher(CompressedImage, "/robot2/camera/compressed", 1)
    said = client.diagnosis("named", lambda s: "/robot2/camera/compressed" in s.message, "the other camera").message
    assert "/robot2/localizer" not in said
    client.node.destroy_publisher(fleet)
    client.node.destroy_publisher(camera)
    said = client.diagnosis("named", lambda s: "no image on /bow/" in s.message, "the silence of a camera").message
    assert "nobody publishes it" in said
    assert "/named/matches" not in said


def test_another_publisher_of_the_map_is_told(node: NodeProcess, client: Client) -> None:
    first = client.diagnosis("named", lambda s: s.name == "named: setup", "its setup")
    assert first.level == DiagnosticStatus.OK, first.message
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    other = client.node.create_publisher(OccupancyGrid, "/map", latched)
    who = f"/map is published by {client.node.get_fully_qualified_name()} as well"
    status = client.diagnosis("named", lambda s: s.name == "named: setup" and who in s.message, "another map")
    assert status.level == DiagnosticStatus.WARN
    client.node.destroy_publisher(other)
    client.diagnosis("named", lambda s: s.name == "named: setup" and "/map" not in s.message, "one map again")
