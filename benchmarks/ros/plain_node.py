"""The plain way to write such a node, with the same localizer: images are decoded and localized in the callback of a
MultiThreadedExecutor, a queue of ten (rclpy's usual depth), conversions as cv_bridge makes them."""

from __future__ import annotations

import contextlib
import sys
import time

import cv2
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from campose_core.bag.camera_info import camera_from_info
from campose_core.bag.images import header_stamp_ns
from campose_core.camera import Camera
from campose_core.frame import Frame
from campose_core.geometry import Pose
from campose_core.localization.estimators import registry
from campose_core.localization.localizer import Localizer
from campose_core.scene.scene import Scene
from campose_core.walkable import load_walkable
from campose_ros.conversions import pose_stamped, status_message


class PlainNode(Node):
    def __init__(self) -> None:
        super().__init__("localizer")
        scene = Scene.open(str(self.declare_parameter("scene", "").value))
        topic = str(self.declare_parameter("image_topic", "image").value)
        compressed = self.declare_parameter("image_transport", "raw").value == "compressed"
        info_topic = str(self.declare_parameter("camera_info_topic", "camera_info").value)
        estimator = registry.load_estimator(scene, "structure")
        self._localizer = Localizer(estimator, Pose.identity(), load_walkable(scene.floor_yaml.parent))
        self._camera: Camera | None = None
        self._pose = self.create_publisher(PoseStamped, "~/pose", 10)
        self._status = self.create_publisher(DiagnosticArray, "~/status", 10)
        self.create_subscription(CameraInfo, info_topic, self._on_camera_info, 10)
        queue = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
        if compressed:
            self.create_subscription(CompressedImage, f"{topic}/compressed", self._on_compressed, queue)
        else:
            self.create_subscription(Image, topic, self._on_raw, queue)

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._camera = camera_from_info(message, False)

    def _on_compressed(self, message: CompressedImage) -> None:
        arrived = time.perf_counter()
        bgr = cv2.imdecode(np.asarray(message.data, dtype=np.uint8), cv2.IMREAD_COLOR)
        self._localize(message, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), arrived)

    def _on_raw(self, message: Image) -> None:
        arrived = time.perf_counter()
        pixels = np.array(message.data, dtype=np.uint8).reshape(message.height, message.width, 3)
        self._localize(message, pixels, arrived)

    def _localize(self, message: Image | CompressedImage, pixels: np.ndarray, arrived: float) -> None:
        if self._camera is None:
            return
        stamp_ns = header_stamp_ns(message)
        result = self._localizer.localize(Frame(stamp_ns, pixels, message.header.frame_id, ""), self._camera)
        latency_s = time.perf_counter() - arrived
        if result.on_floor is not None:
            self._pose.publish(pose_stamped("map", stamp_ns, result.on_floor))
        self._status.publish(status_message("localizer", result, latency_s))


def main() -> int:
    rclpy.init()
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(PlainNode())
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
