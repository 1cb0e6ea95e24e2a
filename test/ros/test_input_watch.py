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


def test_stamps_that_stand_still_are_told_as_that_and_messages_that_come_again_are_none(client: Client) -> None:
    publisher = client.node.create_publisher(Imu, "/frozen", QOS)
    watch = InputWatch(client.node, Imu, "/frozen", lambda message: None, QOS, what="imu", sender="IMU")
    client.until(lambda: publisher.get_subscription_count() and watch.subscription.get_publisher_count(), "connected")

    def send(*stamps_ns: int) -> None:
        wanted = watch.received + len(stamps_ns)
        for stamp_ns in stamps_ns:
            message = Imu()
            message.header.stamp = stamp_message(stamp_ns)
            publisher.publish(message)
        client.until(lambda: watch.received == wanted, "all came")

    now_ns = time.time_ns()
    send(*(now_ns + i for i in range(10)), now_ns + 9, now_ns + 9)
    client.within(0.2, lambda: False)
    assert watch.fault() == ""
    assert "stand still" not in watch.silence(0.1)  # two that came again
    send(now_ns + 9)
    client.within(0.2, lambda: False)
    driver = "its driver stamps wrongly"
    assert watch.silence(0.1) == f"no new imu on /frozen for 0 s: its stamps stand still: {driver}"
    assert watch.fault() == f"the stamps on /frozen stand still in 3 of 13 messages: {driver}"
    second = client.node.create_publisher(Imu, "/frozen", QOS)
    client.until(lambda: watch.subscription.get_publisher_count() == 2, "two publish")
    assert watch.fault().endswith("it is published by /robot")
    client.node.destroy_publisher(second)
    send(now_ns + 20)
    assert watch.silence(0.1) == ""
    watch.close()
    client.node.destroy_publisher(publisher)
