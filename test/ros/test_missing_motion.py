"""Odometry and IMU that say nothing to the images are named, steadily, with the reason."""

import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import BEST_EFFORT, Client, values
from diagnostic_msgs.msg import DiagnosticStatus
from drives import Drive
from node_process import StartNode
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Imu
from wall import stamp_message

from campose_ros.input_watch import InputWatch
from campose_ros.missing_motion import MissingMotion

QOS = QoSProfile(depth=2000)


def imu(stamp_ns: int, up: float) -> Imu:
    message = Imu()
    message.header.stamp, message.header.frame_id = stamp_message(stamp_ns), "imu"
    message.linear_acceleration.y = -up  # the camera is the base: its y axis points down
    return message


def test_an_imu_in_another_unit_and_one_that_is_late_are_named_and_a_right_one_is_well(
    start_node: StartNode, wall_scene: Path, client: Client
) -> None:
    node = start_node("imu", scene=wall_scene, image_topic="/seen", camera_info_topic="/seen_info", use_imu=True)
    node.wait_for_output("listening to /seen")
    drive = Drive(client, "imu", "/seen", "raw")
    publisher = client.publisher(Imu, "/imu", BEST_EFFORT)

    def show(up: float, late_ns: int = 0) -> None:
        first_ns = drive.next_ns - 100_000_000 - late_ns
        for i in range(10):
            publisher.publish(imu(first_ns + 10_000_000 * (i + 1), up))
        client.within(0.05, lambda: False)
        drive.show(3.0)

    status = client.diagnosis("imu", lambda s: "it is in g" in s.message, "in g", lambda: show(1.0))
    assert status.level == DiagnosticStatus.WARN
    assert "no IMU from /imu for the last image: refused:" in status.message
    client.diagnosis("imu", lambda s: values(s).get("imu") == "ok", "a right one", lambda: show(9.81))
    late = "newer than the newest"
    client.diagnosis("imu", lambda s: late in values(s).get("imu", ""), late, lambda: show(9.81, late_ns=400_000_000))


def test_single_images_without_odometry_are_no_fault_and_many_are_one_fault(client: Client) -> None:
    watch = InputWatch(client.node, Imu, "/wheels_or_so", lambda message: None, QOS, what="odometry")
    missing = MissingMotion("odometry", watch)
    assert missing.fault() == ""
    for i in range(40):
        missing.take("", "it is late" if i % 10 == 0 else "")
    assert missing.fault() == ""
    faults = set()
    for i in range(40):
        missing.take("front", "" if i % 3 == 0 else "it is late")
        if i >= 20:
            faults.add(missing.fault())
    assert "no odometry from /wheels_or_so for 13 of 20 images of front: it is late" in faults
    assert all("images of front: it is late" in fault for fault in faults)
    watch.close()


def test_a_slow_sender_is_named_by_its_rate(client: Client) -> None:
    publisher = client.node.create_publisher(Imu, "/slow_wheels", QOS)
    watch = InputWatch(client.node, Imu, "/slow_wheels", lambda message: None, QOS, what="odometry")
    client.until(lambda: publisher.get_subscription_count() and watch.subscription.get_publisher_count(), "connected")
    missing = MissingMotion("odometry", watch)
    for _ in range(20):
        missing.take("", "it is late")
    for _ in range(3):
        publisher.publish(imu(time.time_ns(), 9.81))
        client.within(0.4, lambda: False)
    client.until(lambda: watch.received == 3, "all came")
    assert watch.interval_s > 0.2
    assert f"it comes {1.0 / watch.interval_s:.1f} times a second, 10 are needed" in missing.fault()
    missing.take("", "refused: it is of base_link, and base_frame is robot1/base_link")
    assert missing.fault().endswith(
        "for the last image: refused: it is of base_link, and base_frame is robot1/base_link"
    )
    watch.close()
    client.node.destroy_publisher(publisher)
