"""What an active node does: messages in on the executor's thread, one image at a time on the worker's."""

from __future__ import annotations

import time
import traceback
from functools import partial
from typing import Any, NamedTuple

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from campose_core.camera import Camera
from campose_core.capture.bag import camera_from_info
from campose_core.capture.frame import Frame
from campose_core.capture.image_codec import decode_compressed, decode_image
from campose_core.errors import CamposeError, LocalizationError
from campose_core.geometry import Pose
from campose_core.localization.localizer import LocalizationResult, Localizer, Status
from campose_core.localization.odometry import OdometryBuffer
from campose_ros.conversions import pose_of, stamp_ns_of
from campose_ros.diagnostics import Tally
from campose_ros.loading import LoadedScene
from campose_ros.outputs import Outputs
from campose_ros.parameters import LocalizerParameters
from campose_ros.transforms import Transforms
from campose_ros.worker import LatestWorker

NEWEST = 1  # depth of the image queue: older images are of no use
IMAGE_TYPES = {"raw": "sensor_msgs/msg/Image", "compressed": "sensor_msgs/msg/CompressedImage"}


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
        self._tally = Tally()
        self._node = node
        self._configured = configured
        self._camera: Camera | None = configured.loaded.camera
        self._no_camera = f"nothing came on {configured.parameters.camera_info_topic}"
        self._odometry = OdometryBuffer()
        self._start_near: list[Pose | None] = [None]  # what to start over with, before the next image; empty: go on
        self._state = Status.INITIALIZING
        self._inputs: list[Any] = []
        try:
            self._subscribe(configured.parameters)
        except BaseException:
            self._unsubscribe()
            raise
        self._worker = LatestWorker(self._localize, "localize")
        node.get_logger().info(f"listening to {self._inputs[0].topic_name}")

    def _subscribe(self, parameters: LocalizerParameters) -> None:
        def subscribe(*arguments: Any) -> None:
            self._inputs.append(self._node.create_subscription(*arguments))

        reliability = ReliabilityPolicy.RELIABLE if parameters.reliable_images else ReliabilityPolicy.BEST_EFFORT
        newest = QoSProfile(depth=NEWEST, reliability=reliability)
        # Best effort connects to every publisher, a reliable one to reliable publishers alone.
        best_effort = partial(QoSProfile, reliability=ReliabilityPolicy.BEST_EFFORT)
        kind, topic = Image, parameters.image_topic
        if parameters.image_transport == "compressed":
            kind, topic = CompressedImage, f"{parameters.image_topic}/compressed"
        subscribe(kind, topic, self._on_image, newest)
        subscribe(PoseWithCovarianceStamped, parameters.initialpose_topic, self._on_initialpose, 1)
        if parameters.camera_source == "camera_info":
            info_topic = parameters.camera_info_topic
            subscribe(CameraInfo, info_topic, self._on_camera_info, best_effort(depth=1))
        if parameters.use_odometry:
            subscribe(Odometry, parameters.odom_topic, self._on_odometry, best_effort(depth=50))

    def _unsubscribe(self) -> None:
        for subscription in self._inputs:
            self._node.destroy_subscription(subscription)

    def close(self) -> None:
        self._unsubscribe()
        self._worker.stop()

    def forget(self, near: Pose | None = None) -> None:
        """Start over with the next image; `near`: about where the base is."""
        self._start_near = [near]

    def replace(self, configured: Configured) -> None:
        """Go on in another scene, when the image at work is done; nothing of the old scene comes after this."""
        self._worker.stop()
        self._configured = configured
        if configured.loaded.camera is not None:
            self._camera = configured.loaded.camera
        self._worker = LatestWorker(self._localize, "localize")

    def take(self, configured: Configured) -> None:
        """Go on with other parameters, from the next image."""
        self._configured = configured

    def reset(self) -> None:
        """Start over, with a new path and new counts; nothing of the old ones comes after this."""
        self._worker.stop()
        self._configured.outputs.clear_path()
        self._tally = Tally()
        self.forget()
        self._worker = LatestWorker(self._localize, "localize")

    def status(self, name: str, values: dict[str, object]) -> DiagnosticStatus:
        """The diagnostic line, with `values` appended."""
        silence_s, silence = self._tally.silence_s(self._configured.parameters.lost_after_s), ""
        if silence_s > 0:
            silence = f"no image on {self._inputs[0].topic_name} for {silence_s:.0f} s: {self._why_silent()}"
        return self._tally.status(name, silence, values)

    def _why_silent(self) -> str:
        images, graph = self._inputs[0], self._node
        if images.get_publisher_count():
            return "is the camera running?"
        types = [publisher.topic_type for publisher in graph.get_publishers_info_by_topic(images.topic_name)]
        if IMAGE_TYPES[self._configured.parameters.image_transport] in types:
            return "its publisher is best effort and reliable_images is true: these never connect, set it to false"
        if types:
            return f"what is published there is {types[0]}: is image_transport right?"
        topics = [name for name, kinds in graph.get_topic_names_and_types() if {*kinds} & {*IMAGE_TYPES.values()}]
        published = ", ".join(name for name in sorted(topics) if graph.count_publishers(name))
        return f"nobody publishes it; there are images on {published}" if published else "nobody publishes any images"

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._tally.arrived(self._worker.submit(ReceivedImage(message, time.perf_counter())))

    def _on_camera_info(self, message: CameraInfo) -> None:
        try:
            self._camera = camera_from_info(message, self._configured.parameters.rectified)
        except CamposeError as error:
            self._camera, self._no_camera = None, f"{self._configured.parameters.camera_info_topic}: {error}"

    def _on_odometry(self, message: Odometry) -> None:
        base_frame = self._configured.parameters.base_frame
        try:
            if message.child_frame_id not in ("", base_frame):
                raise LocalizationError(f"it is of {message.child_frame_id}, and base_frame is {base_frame}")
            self._odometry.add(stamp_ns_of(message.header.stamp), pose_of(message.pose.pose))
        except CamposeError as error:
            self._node.get_logger().warning(f"odometry refused: {error}", throttle_duration_sec=5.0)

    def _on_initialpose(self, message: PoseWithCovarianceStamped) -> None:
        parameters, log = self._configured.parameters, self._node.get_logger()
        if self._configured.outputs.is_ours(message):
            return
        try:
            if message.header.frame_id not in ("", parameters.map_frame):
                raise LocalizationError(f"it is in {message.header.frame_id}, and map_frame is {parameters.map_frame}")
            near = pose_of(message.pose.pose)
        except CamposeError as error:
            log.warning(f"initialpose refused: {error}")
            return
        log.info("initialpose: forgetting where the robot was")
        self.forget(near)

    def _localize(self, image: ReceivedImage) -> None:
        try:
            self._localize_in(self._configured, image)
        except CamposeError as error:
            self._tally.refuse(str(error))
            self._node.get_logger().warning(f"image refused: {error}", throttle_duration_sec=5.0)
        except Exception as error:
            if self._node.context.ok():
                self._tally.refuse(f"internal fault: {error!r}")
                self._node.get_logger().error(traceback.format_exc(), throttle_duration_sec=5.0)

    def _localize_in(self, configured: Configured, image: ReceivedImage) -> None:
        parameters, localizer, camera = configured.parameters, configured.localizer, self._camera
        if camera is None:
            raise LocalizationError(
                f"no intrinsics: {self._no_camera}; with camera_source:=scene those of the scene are used"
            )
        stamp_ns, camera_frame = stamp_ns_of(image.message.header.stamp), image.message.header.frame_id
        base_from_cam = self._base_from_cam(configured, camera_frame, stamp_ns)
        decode = decode_compressed if parameters.image_transport == "compressed" else decode_image
        pixels = decode(image.message)
        if self._start_near:
            localizer.reset(self._start_near.pop())
            configured.outputs.start_over()
        if localizer.options != parameters.localizer_options():
            localizer.take_options(parameters.localizer_options())
        frame = Frame(stamp_ns, pixels, camera_frame, "")
        odom_from_base = self._odometry.at(stamp_ns)
        result = localizer.localize(frame, camera, base_from_cam, odom_from_base)
        latency_s = time.perf_counter() - image.arrived
        configured.outputs.publish(parameters, result, latency_s, odom_from_base)
        self._tally.done(result, latency_s)
        self._log_change(result)
        localizer.refresh()

    def _log_change(self, result: LocalizationResult) -> None:
        if result.status is self._state:
            return
        self._state = result.status
        if result.status is Status.LOST:
            self._node.get_logger().warning(f"LOST: {result.reason}")
        else:
            self._node.get_logger().info(result.status.value)

    def _base_from_cam(self, configured: Configured, camera_frame: str, stamp_ns: int) -> Pose | None:
        """The camera's place out of tf where that is asked for; None keeps the one of the parameters."""
        if not configured.parameters.base_from_camera_tf:
            return None
        return configured.transforms.lookup(configured.parameters.base_frame, camera_frame, stamp_ns)
