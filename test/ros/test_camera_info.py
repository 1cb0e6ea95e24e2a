"""Intrinsics that a driver tells but once: latched before the node is there, or heard before it was disabled."""

from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import ALL, Client, stamps
from diagnostic_msgs.msg import DiagnosticArray
from node_process import StartNode
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import SetBool
from wall import CAMERA, camera_info, picture, raw_message, standing_at

from campose_core.camera import Camera

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
START_NS, PERIOD_NS = 1_700_000_000_000_000_000, 100_000_000
OTHER_CAMERA = Camera("PINHOLE", 400, 300, (300.0, 300.0, 199.5, 149.5))


class Eye:
    """Publishes images alone, each until it is answered."""

    def __init__(self, client: Client) -> None:
        self.client, self.next_ns = client, START_NS
        self.status = client.collect(DiagnosticArray, "/told/status")
        self.diagnostics = client.collect(DiagnosticArray, "/diagnostics")
        self.publisher = client.publisher(Image, "/told_eye")

    def show(self, camera: Camera = CAMERA) -> None:
        """An image before the wall; some status tells that it was taken with intrinsics of its size."""
        self.next_ns += PERIOD_NS
        message = raw_message(self.next_ns, picture(standing_at(3.0), camera))
        for _ in range(10):
            self.publisher.publish(message)
            if self.client.within(1.0, lambda: self.next_ns in stamps(self.status)):
                return
        raise AssertionError(f"no status for {self.next_ns}")

    def no_fault_of_intrinsics(self) -> None:
        """After longer than the localizer's patience with what is silent."""
        for _ in range(12):
            self.show()
            self.client.within(0.2, lambda: False)
        said = [s.message for m in self.diagnostics for s in m.status if s.name == "told: inputs"]
        assert "camera_info" not in said[-1]


def test_intrinsics_that_were_told_once_are_known_and_stay_known(
    start_node: StartNode, wall_scene: Path, client: Client
) -> None:
    latched = client.node.create_publisher(CameraInfo, "/told_eye_info", LATCHED)
    latched.publish(camera_info(START_NS))
    node = start_node("told", scene=wall_scene, image_topic="/told_eye", camera_info_topic="/told_eye_info")
    node.wait_for_output("listening to /told_eye")
    eye = Eye(client)
    eye.show()
    eye.no_fault_of_intrinsics()

    client.node.destroy_publisher(latched)  # from here on, nobody tells them
    for enabled in (False, True):
        assert client.call(SetBool, "/told/set_enabled", SetBool.Request(data=enabled)).success
    eye.show()
    for transition in ("deactivate", "activate"):
        assert client.change("told", transition)
    eye.show()
    eye.no_fault_of_intrinsics()

    often = client.publisher(CameraInfo, "/told_eye_info", ALL)  # as most drivers: not latched
    often.publish(camera_info(eye.next_ns, OTHER_CAMERA))
    eye.show(OTHER_CAMERA)
    assert node.stop() == 0
