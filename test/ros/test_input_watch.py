"""What a subscription under watch counts."""

import time

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")

from client import Client
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Imu
from wall import stamp_message

from campose_ros.input_watch import WINDOW_S, InputWatch

QOS = QoSProfile(depth=2000)


def test_the_rate_of_a_fast_sensor_is_what_came(client: Client) -> None:
    """An IMU of 400 Hz sends 2000 messages in the window."""
    publisher = client.node.create_publisher(Imu, "/fast", QOS)
    began = time.monotonic()
    watch = InputWatch(client.node, Imu, "/fast", lambda message: None, QOS, what="imu", sender="IMU")
    client.until(lambda: publisher.get_subscription_count() and watch.subscription.get_publisher_count(), "connected")
    for number in range(1, 1501):
        message = Imu()
        message.header.stamp = stamp_message(number)
        publisher.publish(message)
    client.until(lambda: watch.received == 1500, "all came", timeout_s=60)
    if time.monotonic() - began > WINDOW_S:
        pytest.skip("this machine is too busy to hear 1500 messages within the window")
    assert watch.rate_hz * (time.monotonic() - began) > 1400
    watch.close()
    client.node.destroy_publisher(publisher)
