"""What Nav2 expects of a localizer, of a real node in a building of two places that look alike."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import Client, stamps
from drives import PERIOD_NS, Drive
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from node_process import NodeProcess, StartNode
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Empty
from tf_messages import nav2_messages, tf2_msgs  # noqa: F401
from twin_walls import APART_M, build_twins

from campose_core.bag.ros_messages import pose_of, pose_of_transform

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture(scope="module")
def node(
    nav2_messages: None,  # noqa: F811
    tf2_msgs: None,  # noqa: F811
    start_node: StartNode,
    tmp_path_factory: pytest.TempPathFactory,
) -> NodeProcess:
    """Told by its parameters to start before the second wall."""
    scene = build_twins(tmp_path_factory.mktemp("scenes") / "twins")
    start = {"initial_pose.x": APART_M + 3.0, "initial_pose.y": 1.0, "initial_pose.yaw": 0.1}
    node = start_node(
        "nav", scene=scene.path, image_topic="/nav_cam", camera_info_topic="/nav_cam_info", set_initial_pose=True,
        publish_tf=True, planar_tf=True, **start,
    )  # fmt: skip
    node.wait_for_output("listening to /nav_cam")
    return node


@pytest.fixture(scope="module")
def drive(node: NodeProcess, client: Client) -> Drive:
    return Drive(client, "nav", "/nav_cam", "raw")


def found_at(drive: Drive) -> float:
    """The x of the pose of the next image before a wall that is believed."""
    drive.settle(3.0)
    stamp_ns = drive.next_ns
    drive.show(3.0)
    return float(drive.pose_of(stamp_ns, drive.raw_poses).pose.position.x)


def start_at(client: Client, x: float) -> None:
    from nav2_msgs.srv import SetInitialPose

    pose = PoseWithCovarianceStamped()
    pose.header.frame_id = "map"
    pose.pose.pose.position.x = x
    pose.pose.pose.orientation.w = 1.0
    client.call(SetInitialPose, "/set_initial_pose", SetInitialPose.Request(pose=pose), "nav")


def test_it_starts_where_its_parameters_say(drive: Drive) -> None:
    assert found_at(drive) == pytest.approx(APART_M + 3.0, abs=0.02)


def test_reinitialize_global_localization_forgets_the_place(drive: Drive) -> None:
    drive.settle(3.0)
    drive.client.call(Empty, "/reinitialize_global_localization", Empty.Request(), "nav")
    for _ in range(5):
        assert drive.show(3.0)["state"] == "INITIALIZING"  # both walls look alike


@pytest.mark.parametrize("x", [2.0, APART_M + 2.0])
def test_set_initial_pose_says_which_of_two_places(drive: Drive, x: float) -> None:
    start_at(drive.client, x)
    assert found_at(drive) == pytest.approx(x + 1.0, abs=0.02)


def test_who_comes_late_gets_the_last_pose_with_its_own_stamp(drive: Drive) -> None:
    start_at(drive.client, 3.0)
    found_at(drive)
    last_ns = drive.next_ns - PERIOD_NS
    assert drive.show(-20.0)["answered"] == "False"
    late = drive.client.collect(PoseWithCovarianceStamped, "/nav/pose_with_covariance", LATCHED)
    drive.client.until(lambda: late, "the latched pose")
    assert stamps(late) == [last_ns]


def test_odometry_tells_the_speed_of_the_base(drive: Drive) -> None:
    start_at(drive.client, 3.0)
    said = drive.client.collect(Odometry, "/nav/odometry")
    drive.settle(3.0)
    for x in (3.0, 3.02, 3.04):
        stamp_ns = drive.next_ns
        drive.show(x)
    message = drive.client.until(lambda: [m for m in said if stamps([m]) == [stamp_ns]], "its odometry")[0]
    assert (message.header.frame_id, message.child_frame_id) == ("map", "base_link")
    assert pose_of(message.pose.pose).translation == pytest.approx([3.04, 1.5, 1.2], abs=0.01)
    speed = message.twist.twist
    # The base is the camera: its x axis goes along the wall.
    assert (speed.linear.x, speed.linear.y, speed.linear.z) == pytest.approx((0.2, 0.0, 0.0), abs=0.05)
    assert (speed.angular.x, speed.angular.y, speed.angular.z) == pytest.approx((0.0, 0.0, 0.0), abs=0.05)
    assert np.linalg.eigvalsh(np.array(message.twist.covariance).reshape(6, 6)).min() > 0


def test_the_transform_is_held_to_the_plane(drive: Drive) -> None:
    from tf2_msgs.msg import TFMessage

    said = drive.client.collect(TFMessage, "/tf")
    drive.settle(3.0)
    stamp_ns = drive.next_ns
    drive.show(3.0)
    links: list[Any] = drive.client.until(
        lambda: [link for m in said for link in m.transforms if stamps([link]) == [stamp_ns]], "the transform"
    )
    pose = pose_of_transform(links[0])
    assert pose.translation == pytest.approx([3.0, 1.5, 0.0], abs=0.02)
    assert pose.rotation.apply([0, 0, 1]) == pytest.approx([0, 0, 1], abs=1e-9)


def test_the_floor_of_the_covariance_holds_from_the_next_image(drive: Drive) -> None:
    said = drive.client.collect(PoseWithCovarianceStamped, "/nav/pose_with_covariance")
    deviations = []
    for floor_m in (0.0, 0.3):
        assert drive.client.set_parameter("nav", "covariance_floor_m", floor_m) == ""
        drive.settle(3.0)
        stamp_ns = drive.next_ns
        drive.show(3.0)
        found = drive.client.until(lambda ns=stamp_ns: [m for m in said if stamps([m]) == [ns]], "its covariance")
        matrix = np.array(found[0].pose.covariance).reshape(6, 6)
        deviations.append(np.sqrt(np.linalg.eigvalsh(matrix[:3, :3])))
    assert deviations[0].max() < 0.1
    assert deviations[1].min() == pytest.approx(0.3)


def test_the_status_comes_as_numbers_as_well(drive: Drive) -> None:
    said = drive.client.collect(Float64MultiArray, "/nav/status_numbers")
    drive.settle(3.0)

    def numbers_of(x: float) -> dict[str, float]:
        told, stamp_s = drive.show(x), (drive.next_ns - PERIOD_NS) * 1e-9
        message = drive.client.until(lambda: [m for m in said if m.data[0] == stamp_s], "its numbers")[0]
        numbers = dict(zip(message.layout.dim[0].label.split(), message.data, strict=True))
        assert numbers["support"] == float(told["support"])
        assert numbers["answered"] == float(told["answered"] == "True")
        return numbers

    tracking, lost = numbers_of(3.0), numbers_of(-20.0)
    assert (tracking["state"], tracking["answered"]) == (1.0, 1.0)
    assert 0.0 < tracking["deviation_rad"] < 0.1
    assert lost["answered"] == 0.0
    assert np.isnan(lost["deviation_m"])


def test_the_bond_lives_while_it_is_active_and_a_start_is_kept_until_then(drive: Drive) -> None:
    from bond.msg import Status

    client = drive.client
    said = client.collect(Status, "/bond")
    client.until(lambda: len(said) >= 3, "signs of life")
    assert all(sign.id == "nav" and sign.active for sign in said)
    assert client.change("nav", "deactivate")
    client.until(lambda: not said[-1].active, "it breaks its bond")
    broken = said[-1].instance_id
    count = len(said)
    start_at(client, 3.0)
    assert len(said) == count
    assert client.change("nav", "activate")
    client.until(lambda: said[-1].active, "another bond")
    assert said[-1].instance_id != broken
    assert found_at(drive) == pytest.approx(3.0, abs=0.02)  # and not where its parameters say
