"""What an active node does: messages in on the executor's thread, one image at a time on the worker's."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy

from campose_core.capture.image_messages import Picture
from campose_core.errors import CamposeError, LocalizationError, TransformError
from campose_core.geometry import Pose
from campose_core.localization.localizer import LocalizationResult, Localizer, Status
from campose_core.localization.odometry import OdometryBuffer
from campose_ros.camera_parameters import CameraParameters
from campose_ros.cameras import CameraInput, ReceivedImage
from campose_ros.clock_watch import ClockWatch
from campose_ros.conversions import pose_of, stamp_ns_of
from campose_ros.diagnostics import ERROR, OK, WARN, Fault, Tally, merged, name_of
from campose_ros.input_watch import InputWatch
from campose_ros.loading import LoadedScene
from campose_ros.outputs import Outputs
from campose_ros.parameters import LocalizerParameters
from campose_ros.transforms import Transforms
from campose_ros.worker import LatestWorker

# An image so much older than the last one is of another camera that is not in step; an older one, of a bag that starts
# over.
LATE_NS = 500_000_000


class Configured(NamedTuple):
    """All that exists from configure to cleanup."""

    parameters: LocalizerParameters
    cameras: tuple[CameraParameters, ...]
    loaded: LoadedScene
    localizer: Localizer
    transforms: Transforms
    outputs: Outputs


class LiveLocalization:
    """The subscriptions and the worker of an active node, from activate to deactivate."""

    def __init__(
        self, node: LifecycleNode, configured: Configured, clock: ClockWatch, changed: Callable[[], object]
    ) -> None:
        """`changed` is called, on any thread, when the level of the diagnostics does."""
        self._tally = Tally()
        self._clock, self._changed = clock, changed
        self._level = OK
        self._odometry_fault = self._odometry_refusal = self._tf_fault = ""
        self._node = node
        self._configured = configured
        self._cameras: dict[str, CameraInput] = {}
        self._camera_of_frame: dict[str, str] = {}
        self._newest_ns = 0
        self._odometry = OdometryBuffer()
        self._start_near: list[Pose | None] = [None]  # what to start over with, before the next image; empty: go on
        self._state = Status.INITIALIZING
        self._watches: dict[str, InputWatch] = {}
        self._initialposes: Any = None
        try:
            self._subscribe(configured)
        except BaseException:
            self._unsubscribe()
            raise
        self._worker = LatestWorker(self._localize, "localize")
        for camera in self._cameras.values():
            node.get_logger().info(f"listening to {camera.images.topic}")

    def _subscribe(self, configured: Configured) -> None:
        parameters, loaded = configured.parameters, configured.loaded
        reliability = ReliabilityPolicy.RELIABLE if parameters.reliable_images else ReliabilityPolicy.BEST_EFFORT
        for camera in configured.cameras:
            known = loaded.cameras.get(camera.name)
            self._cameras[camera.name] = CameraInput(
                self._node, camera, known, self._on_image, reliability, self._watches
            )
        self._initialposes = self._node.create_subscription(
            PoseWithCovarianceStamped, parameters.initialpose_topic, self._on_initialpose, 1
        )
        if parameters.use_odometry:
            # Best effort connects to every publisher, a reliable one to reliable publishers alone.
            qos = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
            self._watches["odometry"] = InputWatch(
                self._node, Odometry, parameters.odom_topic, self._on_odometry, qos, what="odometry", sender="odometry"
            )

    def _unsubscribe(self) -> None:
        for watch in self._watches.values():
            watch.close()
        if self._initialposes is not None:
            self._node.destroy_subscription(self._initialposes)

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
        for name, camera in self._cameras.items():
            camera.take_intrinsics(configured.loaded.cameras.get(name))
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

    def statuses(self, values: dict[str, object]) -> list[DiagnosticStatus]:
        """Localization, with `values` appended, and the inputs."""
        name, patience_s = name_of(self._node), self._configured.parameters.lost_after_s
        silent = {what: watch.silence(patience_s) for what, watch in self._watches.items()}
        images = [camera.images for camera in self._cameras.values()]
        silences = [watch.silence(patience_s) for watch in images]
        rate_hz = sum(watch.rate_hz for watch in images)
        localization = self._tally.status(
            f"{name}: localization",
            "; ".join(silences) if all(silences) else "",  # one camera can do without the others
            {"input_rate_hz": f"{rate_hz:.1f}", **values},
        )
        for what, watch in self._watches.items():
            if what.endswith("camera_info") and watch.received:
                silent[what] = ""  # intrinsics that came once may stay
        self._level = localization.level
        uses_tf = any(camera.base_from_camera_tf for camera in self._configured.cameras)
        facts: dict[str, object] = {
            "odometry": (self._odometry_fault or "ok") if self._configured.parameters.use_odometry else "not used",
            "tf": (self._tf_fault or "ok") if uses_tf else "not used",
            "clock_jumps_back": self._clock.jumps_back,
        }
        for what, watch in self._watches.items():
            facts |= {f"{what}_{key}": value for key, value in watch.facts().items()}
        faults = [
            Fault(ERROR, self._clock.fault()),
            *(Fault(ERROR, text) for text in silent.values()),
            *(Fault(WARN, watch.fault()) for watch in self._watches.values()),
            Fault(WARN, self._odometry_fault),
            Fault(WARN, self._tf_fault),
        ]
        return [localization, merged(f"{name}: inputs", faults, "all inputs come", facts)]

    def _judged(self) -> None:
        """After an image: a change of level is published at once, the rest once a second."""
        level = self._tally.judgement().level
        if level != self._level:
            self._level = level
            self._changed()

    def _on_image(self, camera: str, message: Any) -> None:
        image = ReceivedImage(message, time.perf_counter())
        self._tally.drop(self._worker.submit(camera, image.stamp_ns, image, in_order=image.is_video))

    def _on_odometry(self, message: Odometry) -> None:
        parameters, parent, child = self._configured.parameters, message.header.frame_id, message.child_frame_id
        try:
            if child not in ("", parameters.base_frame):
                raise LocalizationError(f"it is of {child}, and base_frame is {parameters.base_frame}")
            if parameters.publish_tf and parent not in ("", parameters.odom_frame):
                raise LocalizationError(f"it is in {parent}, and odom_frame is {parameters.odom_frame}")
            self._odometry.add(stamp_ns_of(message.header.stamp), pose_of(message.pose.pose))
            self._odometry_refusal = ""
        except CamposeError as error:
            self._odometry_refusal = f"refused: {error}"
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

    def _localize(self, camera: str, received: Sequence[ReceivedImage]) -> None:
        try:
            self._localize_in(self._configured, self._cameras[camera], received)
        except CamposeError as error:
            self._tally.refuse(str(error))
            self._judged()
            self._node.get_logger().warning(f"image refused: {error}", throttle_duration_sec=5.0)
        except Exception as error:
            if self._node.context.ok():
                self._tally.refuse(f"internal fault: {error!r}")
                self._node.get_logger().error(traceback.format_exc(), throttle_duration_sec=5.0)

    def _localize_in(self, configured: Configured, camera: CameraInput, received: Sequence[ReceivedImage]) -> None:
        parameters, localizer = configured.parameters, configured.localizer
        picture = camera.newest(received)
        intrinsics, stamp_ns = camera.intrinsics(), picture.stamp_ns
        if stamp_ns == 0:
            raise LocalizationError("the image's stamp is zero: its driver must stamp it")
        if 0 < self._newest_ns - stamp_ns <= LATE_NS:
            self._tally.late()
            return
        self._newest_ns = stamp_ns
        base_from_cam = self._base_from_cam(configured, camera, picture)
        frame = picture.frame("")._replace(camera_frame=self._frame_of(camera, picture))
        if self._start_near:
            localizer.reset(self._start_near.pop())
            configured.outputs.start_over()
        if localizer.options != parameters.localizer_options():
            localizer.take_options(parameters.localizer_options())
        odom_from_base = self._odometry.at(stamp_ns)
        if parameters.use_odometry:
            refusal = self._odometry_refusal
            reason = "" if odom_from_base is not None else refusal or self._odometry.why_not(stamp_ns)
            self._odometry_fault = reason and f"no odometry from {parameters.odom_topic} for the last image: {reason}"
        result = localizer.localize(frame, intrinsics, base_from_cam, odom_from_base)
        latency_s = time.perf_counter() - received[-1].arrived
        configured.outputs.publish(parameters, result, latency_s, odom_from_base)
        configured.outputs.visuals.show(parameters, frame, result)
        self._tally.done(result, latency_s)
        self._judged()
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

    def _frame_of(self, camera: CameraInput, picture: Picture) -> str:
        """What the localizer tells cameras apart by: the frame, unless two drivers stamp with the same."""
        name, frame = camera.parameters.name, picture.camera_frame
        return frame if self._camera_of_frame.setdefault(frame, name) == name else name

    def _base_from_cam(self, configured: Configured, camera: CameraInput, picture: Picture) -> Pose:
        try:
            base_from_cam = camera.place(configured.transforms, configured.parameters.base_frame, picture)
        except TransformError as error:
            self._tf_fault = str(error)
            raise
        self._tf_fault = ""
        return base_from_cam
