"""Inputs that one other clock stamps are told of in one sentence."""

import time

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")

from client import Client
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Imu
from wall import stamp_message

from campose_ros.input_watch import InputWatch
from campose_ros.wrong_clocks import wrong_clocks

QOS = QoSProfile(depth=100)
DAYS_NS, LATE_NS = 3 * 86_400 * 10**9, 2 * 10**9


def test_those_of_one_clock_are_told_of_together_and_a_late_one_as_late(client: Client) -> None:
    behind_ns = {"/clock_a": DAYS_NS, "/clock_b": 0, "/clock_c": DAYS_NS + 30_000_000, "/clock_d": LATE_NS}
    watches = [InputWatch(client.node, Imu, topic, lambda message: None, QOS) for topic in behind_ns]
    publishers = [client.publisher(Imu, topic, QOS) for topic in behind_ns]
    client.until(lambda: all(watch.subscription.get_publisher_count() for watch in watches), "connected")
    assert wrong_clocks(client.node, watches) == []
    for publisher, ns in zip(publishers, behind_ns.values(), strict=True):
        message = Imu()
        message.header.stamp = stamp_message(time.time_ns() - ns)
        publisher.publish(message)
    client.until(lambda: all(watch.received for watch in watches), "all came")
    another, late = wrong_clocks(client.node, [watch for watch in watches if watch.topic != "/clock_b"])
    assert another.startswith("/clock_a and /clock_c are stamped 3 days before the node's clock: synchronise the")
    assert late.startswith("/clock_d is stamped ")
    assert "they come so late" in late
    for watch in watches:
        watch.close()
    for publisher in publishers:
        client.node.destroy_publisher(publisher)
