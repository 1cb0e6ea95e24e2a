"""What an active node does: messages in on the executor's thread, one image at a time on the worker's."""

from __future__ import annotations

import threading
import time
import traceback
from typing import Any, NamedTuple

from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from campose_core.camera import Camera
from campose_core.capture.bag import camera_from_info
from campose_core.capture.frame import Frame
from campose_core.capture.image_codec import decode_compressed, decode_image
from campose_core.errors import CamposeError, LocalizationError
from campose_core.geometry import Pose
from campose_core.localization.localizer import Localizer
from campose_ros.conversions import pose_of, stamp_ns_of
from campose_ros.diagnostics import Tally
from campose_ros.loading import LoadedScene
from campose_ros.odometry import OdometryBuffer
from campose_ros.outputs import Outputs
from campose_ros.parameters import LocalizerParameters
from campose_ros.transforms import Transforms
from campose_ros.worker import LatestWorker

NEWEST = 1  # depth of the image queue: older images are of no use


class Configured(NamedTuple):
    """All that exists from configure to cleanup."""

    parameters: LocalizerParameters
    loaded: LoadedScene
    localizer: Localizer
    transforms: Transforms
    outputs: Outputs


class ReceivedImage(NamedTuple):
    """`arrived` is the reading of time.perf_counter."""

    message: Any
    arrived: float


class LiveLocalization:
    """The subscriptions and the worker of an active node, from activate to deactivate."""

    def __init__(self, node: LifecycleNode, configured: Configured) -> None:
        self.tally = Tally()
        self._node = node
        self._configured = configured
        self._camera: Camera | None = configured.loaded.camera
        self._odometry = OdometryBuffer()
        self._forget = threading.Event()
        self._forget.set()
        self._worker = LatestWorker(self._localize, "localize")
        self._inputs = self._subscribe(configured.parameters)
        self.image_topic: str = self._inputs[0].topic_name
        node.get_logger().info(f"listening to {self.image_topic}")

    def _subscribe(self, parameters: LocalizerParameters) -> list[Any]:
        subscribe = self._node.create_subscription
        reliability = ReliabilityPolicy.RELIABLE if parameters.reliable_images else ReliabilityPolicy.BEST_EFFORT
        newest = QoSProfile(depth=NEWEST, reliability=reliability)
        events = SubscriptionEventCallbacks(incompatible_qos=self._on_incompatible_qos)
        kind, topic = Image, parameters.image_topic
        if parameters.image_transport == "compressed":
            kind, topic = CompressedImage, f"{parameters.image_topic}/compressed"
        inputs = [
            subscribe(kind, topic, self._on_image, newest, event_callbacks=events),
            subscribe(PoseWithCovarianceStamped, parameters.initialpose_topic, self._on_initialpose, 1),
        ]
        if parameters.camera_source == "camera_info":
            best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
            inputs.append(subscribe(CameraInfo, parameters.camera_info_topic, self._on_camera_info, best_effort))
        if parameters.use_odometry:
            inputs.append(subscribe(Odometry, parameters.odom_topic, self._on_odometry, 50))
        return inputs

    def close(self) -> None:
        for subscription in self._inputs:
            self._node.destroy_subscription(subscription)
        self._worker.stop()

    def forget(self) -> None:
        """Start over with the next image."""
        self._forget.set()

    def replace(self, configured: Configured) -> None:
        """Go on in another scene."""
        self._configured = configured
        if configured.loaded.camera is not None:
            self._camera = configured.loaded.camera

    def _on_image(self, message: Image | CompressedImage) -> None:
        self.tally.arrived(self._worker.submit(ReceivedImage(message, time.perf_counter())))

    def _on_camera_info(self, message: CameraInfo) -> None:
        try:
            self._camera = camera_from_info(message, self._configured.parameters.rectified)
        except CamposeError as error:
            self._camera = None
            self.tally.refuse_input(str(error))

    def _on_odometry(self, message: Odometry) -> None:
        try:
            self._odometry.add(stamp_ns_of(message.header.stamp), pose_of(message.pose.pose))
        except CamposeError as error:
            self._node.get_logger().warning(f"odometry refused: {error}", throttle_duration_sec=5.0)

    def _on_initialpose(self, message: PoseWithCovarianceStamped) -> None:
        self._node.get_logger().info("initialpose: forgetting where the robot was")
        self.forget()

    def _on_incompatible_qos(self, event: Any) -> None:
        topic = self._configured.parameters.image_topic
        self.tally.refuse_input(
            f"a camera publishes {topic} best effort and reliable_images is true: these never connect; set it to false"
        )

    def _localize(self, image: ReceivedImage) -> None:
        try:
            self._localize_in(self._configured, image)
        except CamposeError as error:
            self.tally.refuse(str(error))
            self._node.get_logger().warning(f"image refused: {error}", throttle_duration_sec=5.0)
        except Exception as error:
            if self._node.context.ok():
                self.tally.refuse(f"internal fault: {error!r}")
                self._node.get_logger().error(traceback.format_exc(), throttle_duration_sec=5.0)

    def _localize_in(self, configured: Configured, image: ReceivedImage) -> None:
        parameters, localizer, camera = configured.parameters, configured.localizer, self._camera
        if camera is None:
            raise LocalizationError(
                f"no intrinsics: nothing usable came on {parameters.camera_info_topic}; "
                "with camera_source:=scene those of the scene are used"
            )
        stamp_ns, camera_frame = stamp_ns_of(image.message.header.stamp), image.message.header.frame_id
        base_from_cam = self._base_from_cam(configured, camera_frame, stamp_ns)
        decode = decode_compressed if parameters.image_transport == "compressed" else decode_image
        pixels = decode(image.message)
        if self._forget.is_set():
            self._forget.clear()
            localizer.reset()
        result = localizer.localize(Frame(stamp_ns, pixels, camera_frame, ""), camera, base_from_cam)
        latency_s = time.perf_counter() - image.arrived
        configured.outputs.publish(result, latency_s, self._odometry.at(stamp_ns))
        self.tally.done(result, latency_s)

    def _base_from_cam(self, configured: Configured, camera_frame: str, stamp_ns: int) -> Pose | None:
        """The camera's place out of tf where that is asked for; None keeps the one of the parameters."""
        if not configured.parameters.base_from_camera_tf:
            return None
        base_frame = configured.parameters.base_frame
        base_from_cam = configured.transforms.lookup(base_frame, camera_frame, stamp_ns)
        if base_from_cam is None:
            raise LocalizationError(f"tf does not know {base_frame} <- {camera_frame!r} at the image's stamp")
        return base_from_cam
