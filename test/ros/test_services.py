"""What an operator and other nodes ask of a running node: start over, stop, other bounds, a start for AMCL."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import ALL, Client, values
from diagnostic_msgs.msg import DiagnosticStatus
from drives import Drive
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Path as PathMessage
from node_process import NodeProcess, StartNode
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue, SetParametersResult
from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParametersAtomically
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_srvs.srv import SetBool, Trigger

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
# The base is on the floor below the camera, and the camera looks forward.
ON_A_ROBOT = "[0.0, 0.0, 1.2, -0.5, 0.5, -0.5, 0.5]"


@pytest.fixture(scope="module")
def served(start_node: StartNode, wall_scene: Path) -> NodeProcess:
    node = start_node(
        "served", scene=wall_scene, image_topic="/served_cam", camera_info_topic="/served_cam_info",
        bootstrap_amcl=True, base_from_camera=ON_A_ROBOT, initialpose_topic="/start", amcl_initialpose_topic="/start",
    )  # fmt: skip
    node.wait_for_output("listening to /served_cam")
    return node


@pytest.fixture(scope="module")
def drive(served: NodeProcess, client: Client) -> Drive:
    return Drive(client, "served", "/served_cam", "raw")


def trigger(client: Client, service: str) -> Any:
    return client.call(Trigger, f"/served/{service}", Trigger.Request())


def enable(client: Client, enabled: bool) -> Any:
    return client.call(SetBool, "/served/set_enabled", SetBool.Request(data=enabled))


def processed(client: Client) -> int:
    status = client.diagnosis("served", lambda s: "images_processed" in values(s), "counts")
    return int(values(status)["images_processed"])


def number(name: str, value: int | float) -> Parameter:
    if isinstance(value, int):
        return Parameter(name=name, value=ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=value))
    return Parameter(name=name, value=ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value))


def set_together(client: Client, **numbers: int | float) -> SetParametersResult:
    request = SetParametersAtomically.Request(parameters=[number(*item) for item in numbers.items()])
    return client.call(SetParametersAtomically, "/served/set_parameters_atomically", request).result


def test_relocalize_forgets_the_place_and_reset_the_path_and_the_counts_as_well(drive: Drive) -> None:
    client = drive.client
    paths = client.collect(PathMessage, "/served/path", LATCHED)
    drive.settle(2.8)
    for x in (2.9, 3.0, 3.1):
        drive.show(x)
    client.until(lambda: paths and len(paths[-1].poses) >= 3, "a path of three poses")
    assert trigger(client, "relocalize").success
    assert drive.show(3.1)["state"] == "INITIALIZING"
    assert processed(client) >= 5
    drive.settle(3.1)
    assert trigger(client, "reset").success
    client.until(lambda: not paths[-1].poses, "the path is empty")
    assert drive.show(3.1)["state"] == "INITIALIZING"
    drive.settle(3.1)
    client.until(lambda: paths[-1].poses, "a new path")
    assert len(paths[-1].poses) == 1
    assert processed(client) <= 4


def test_a_disabled_node_takes_no_images_and_starts_over_when_it_is_enabled(drive: Drive) -> None:
    client = drive.client
    drive.settle(3.0)
    assert enable(client, False).success
    client.until(lambda: drive.images.get_subscription_count() == 0, "it unsubscribes")
    status = client.diagnosis("served", lambda s: s.message.startswith("disabled"), "it is disabled")
    assert status.level == DiagnosticStatus.WARN
    assert client.state("served") == "active"
    refused = trigger(client, "relocalize")
    assert (refused.success, refused.message) == (False, "disabled: call set_enabled with true")
    assert enable(client, False).success
    for _ in range(2):
        assert enable(client, True).success
    client.until(lambda: drive.images.get_subscription_count() == 1, "it subscribes again")
    assert drive.show(3.0)["state"] == "INITIALIZING"
    drive.settle(3.0)


def test_amcl_is_told_once_where_a_robot_stands_that_was_found(drive: Drive) -> None:
    client = drive.client
    drive.settle(3.0)
    for _ in range(15):  # AMCL is not there yet
        drive.show(3.0)
    assert trigger(client, "relocalize").success
    told = client.collect(PoseWithCovarianceStamped, "/start")
    for x in np.arange(2.5, 3.5, 0.1):  # on its way
        drive.show(float(x))
    assert not told
    for _ in range(25):  # twice as long as it takes to be believed
        drive.show(3.5)
    client.until(lambda: told, "AMCL is told")
    (start,) = told
    assert start.header.frame_id == "map"
    pose = start.pose.pose
    assert (pose.position.x, pose.position.y) == pytest.approx((3.5, 1.5), abs=0.01)
    upright_and_turned_left = (0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5))
    q = pose.orientation
    assert pose.position.z == 0.0
    assert (q.x, q.y, q.z, q.w) == pytest.approx(upright_and_turned_left, abs=0.01)
    matrix = np.array(start.pose.covariance).reshape(6, 6)
    rows = [0, 1, 5]
    assert np.linalg.eigvalsh(matrix[np.ix_(rows, rows)]).min() > 0
    assert np.count_nonzero(matrix) <= 9
    # We listen to the topic as well: what AMCL is told is no instruction to us, what others say is.
    assert drive.show(3.5)["state"] == "TRACKING"
    client.publisher(PoseWithCovarianceStamped, "/start", ALL).publish(PoseWithCovarianceStamped())
    client.until(lambda: drive.show(3.5)["state"] == "INITIALIZING", "the word of another")
    for _ in range(16):
        drive.show(3.5)
    client.until(lambda: len(told) == 3, "AMCL is told again")


def stand(drive: Drive, x: float) -> None:
    """Show one place until it is believed, though it was a jump."""
    assert any(drive.show(x)["answered"] == "True" for _ in range(6))


def test_bounds_change_while_it_runs_all_or_none(drive: Drive) -> None:
    client = drive.client
    stand(drive, 2.0)
    assert drive.show(4.0)["answered"] == "False"
    mixed = set_together(client, max_speed_mps=50.0, confirmations=0)
    assert not mixed.successful
    assert "confirmations" in mixed.reason
    fixed = client.call(
        SetParametersAtomically,
        "/served/set_parameters_atomically",
        SetParametersAtomically.Request(
            parameters=[
                number("max_speed_mps", 50.0),
                Parameter(name="map_frame", value=ParameterValue(type=4, string_value="world")),
            ]
        ),
    ).result
    assert fixed.reason == "map_frame is read when the node is configured: `cleanup` it first"
    request = GetParameters.Request(names=["max_speed_mps", "map_frame"])
    speed, frame = client.call(GetParameters, "/served/get_parameters", request).values
    assert (speed.double_value, frame.string_value) == (2.0, "map")
    assert drive.show(4.0)["answered"] == "False"
    stand(drive, 2.0)
    together = set_together(client, max_speed_mps=50.0, lost_after_s=2.0, path_length=2)
    assert together.successful, together.reason
    assert drive.show(4.0)["answered"] == "True"
    assert set_together(client, max_speed_mps=2.0, lost_after_s=0.8, path_length=2000).successful


def test_a_description_says_whether_a_parameter_may_change(drive: Drive) -> None:
    request = DescribeParameters.Request(names=["max_speed_mps", "scene", "autostart"])
    live, fixed, read_only = drive.client.call(DescribeParameters, "/served/describe_parameters", request).descriptors
    assert live.description.endswith("[may change while the node runs]")
    assert fixed.description.endswith("[read at configure]")
    assert read_only.read_only


def test_an_inactive_node_says_so(drive: Drive) -> None:
    assert drive.client.change("served", "deactivate")
    for answer in (trigger(drive.client, "reset"), enable(drive.client, True)):
        assert (answer.success, answer.message) == (False, "the node is not active")
    assert drive.client.change("served", "activate")
    drive.settle(3.0)
