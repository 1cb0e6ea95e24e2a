"""What is not used is in the log, and a flood of it fills neither memory nor disk."""

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")

from client import Client

from campose_core.session.message_reading import Refusal
from campose_ros.refusal_log import MAX_KINDS, RefusalLog


def test_each_kind_is_told_once_and_a_flood_of_kinds_ends(client: Client, capfd: pytest.CaptureFixture[str]) -> None:
    refuse = RefusalLog(client.node)
    for _ in range(3):
        refuse(Refusal("odometry", "its stamp is zero"))
    assert capfd.readouterr().err.count("odometry refused: its stamp is zero") == 1
    for i in range(10 * MAX_KINDS):
        refuse(Refusal(f"tf a -> {i}", "its stamp is zero"))
    assert capfd.readouterr().err.count("refused") == MAX_KINDS - 1
