"""What a robot does to a running node: another camera, odometry that is wrong or no number, images of another size."""

import math
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import BEST_EFFORT, Client
from drives import Drive
from nav_msgs.msg import Odometry
from node_process import NodeProcess, StartNode
from rcl_interfaces.msg import Log
from rclpy.qos import DurabilityPolicy, QoSProfile
from wall import CAMERA, camera_info, picture, raw_message, stamp_message, standing_at

from campose_core.bag.ros_messages import pose_of
from campose_core.camera import Camera
from campose_core.geometry import Pose, pose_error
from campose_ros.conversions import pose_message

OTHER_CAMERA = Camera("OPENCV", 480, 360, (330.0, 330.0, 239.5, 179.5, -0.12, 0.02, 0.0, 0.0))


@pytest.fixture(scope="module")
def localizer(start_node: StartNode, wall_scene: Path) -> NodeProcess:
    node = start_node(
        "robot", scene=wall_scene, image_topic="/eye", camera_info_topic="/eye_info", use_odometry=True,
        odom_topic="/wheels",
    )  # fmt: skip
    node.wait_for_output("listening to /eye")
    return node


@pytest.fixture(scope="module")
def drive(localizer: NodeProcess, client: Client) -> Drive:
    return Drive(client, "robot", "/eye", "raw")


@pytest.fixture(scope="module")
def wheels(localizer: NodeProcess, client: Client):
    publisher = client.publisher(Odometry, "/wheels", BEST_EFFORT)

    def publish(stamp_ns: int, odom_from_base: Pose) -> Odometry:
        message = Odometry(child_frame_id="base_link")
        message.header.stamp, message.header.frame_id = stamp_message(stamp_ns), "odom"
        message.pose.pose = pose_message(odom_from_base)
        publisher.publish(message)
        return message

    publish.publisher = publisher
    return publish


def error_m(drive: Drive, x: float) -> float:
    """Shows a place before the wall and says how far off the answer is."""
    stamp_ns = drive.next_ns
    status = drive.show(x)
    assert status["answered"] == "True", status
    return pose_error(pose_of(drive.pose_of(stamp_ns, drive.raw_poses).pose), standing_at(x))[0]


def test_the_status_says_which_kind_answered(drive: Drive) -> None:
    drive.settle(3.0)
    assert drive.show(3.0)["kind"] == "tracked"


def test_what_the_library_says_is_in_the_nodes_log_and_on_rosout(localizer: NodeProcess, client: Client) -> None:
    """As of a scene without what was held out, which this one is: once."""
    kept = QoSProfile(depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    logged = client.collect(Log, "/rosout", kept)
    said = "held_out.npz is missing"
    client.until(lambda: [m for m in logged if m.name == "robot" and said in m.msg], said)
    (line,) = [line for line in localizer.output().splitlines() if said in line]
    assert line.startswith("[INFO]")  # its level there


def test_another_camera_in_the_middle_of_the_run_is_taken_up(drive: Drive) -> None:
    drive.settle(3.0)
    try:
        for camera in (OTHER_CAMERA, CAMERA):
            drive.camera = camera
            drive.info.publish(camera_info(drive.next_ns, camera))
            time.sleep(0.5)  # images and intrinsics come by separate ways
            assert max(error_m(drive, 3.0 + 0.02 * i) for i in range(5)) < 0.02
    finally:
        drive.camera = CAMERA


def test_an_image_of_another_shape_is_refused_and_reported(drive: Drive, client: Client) -> None:
    drive.settle(3.0)
    square = raw_message(drive.next_ns, picture(standing_at(3.0))[:, 40:280].copy())

    def show() -> None:  # again and again: a camera that is silent would be the greater fault
        drive.images.publish(square)
        time.sleep(0.1)

    client.diagnosis("robot", lambda s: "the image is 240x240, its camera 320x240" in s.message, "another shape", show)
    assert error_m(drive, 3.0) < 0.01


def test_odometry_of_no_number_is_refused(drive: Drive, wheels, localizer: NodeProcess) -> None:
    drive.settle(3.0)
    broken = wheels(drive.next_ns, Pose.identity())
    broken.pose.pose.position.x = math.nan
    for _ in range(10):  # best effort: one may be lost
        wheels.publisher.publish(broken)
        time.sleep(0.1)
    localizer.wait_for_output("odometry refused: ")
    assert error_m(drive, 3.0) < 0.01


def test_odometry_of_another_frame_of_the_robot_is_named(drive: Drive, wheels, client: Client) -> None:
    drive.settle(3.0)
    other = wheels(drive.next_ns, Pose.identity())
    other.child_frame_id = "base_footprint"
    for _ in range(10):  # best effort: one may be lost
        wheels.publisher.publish(other)
        time.sleep(0.1)
    reason = "refused: it is of base_footprint, and base_frame is base_link"
    client.diagnosis("robot", lambda s: reason in s.message, reason, doing=lambda: drive.show(3.0))


def test_odometry_that_jumps_moves_no_pose(drive: Drive, wheels) -> None:
    drive.settle(3.0)
    for i in range(8):
        x = 3.0 + 0.03 * i
        offset = 50.0 if i >= 4 else 0.0
        for ahead_ns in (0, 20_000_000):
            wheels(drive.next_ns - 10_000_000 + ahead_ns, Pose(standing_at(0).rotation, [x + offset, 0.0, 0.0]))
        assert error_m(drive, x) < 0.01
