"""What an active node does: messages in on the executor's thread, one image at a time on the worker's."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Imu

from campose_core.bag.transforms import WAIT_S
from campose_core.errors import CamposeError, TransformError
from campose_core.geometry import Pose
from campose_core.localization.localizer import Localizer
from campose_core.localization.result import LocalizationResult, Status
from campose_core.session.camera import Known
from campose_core.session.message_reading import Refusal
from campose_core.session.session import ImageTooLate, LocalizationSession, SessionFrames
from campose_ros.camera_parameters import CameraParameters
from campose_ros.cameras import CameraInput, ReceivedImage, session_camera
from campose_ros.clock_watch import ClockWatch
from campose_ros.complaint_log import ComplaintLog
from campose_ros.diagnostics import ERROR, OK, WARN, Fault, Tally, merged, name_of
from campose_ros.input_watch import InputWatch
from campose_ros.loading import LoadedScene
from campose_ros.missing_motion import MissingMotion
from campose_ros.outputs import Outputs
from campose_ros.parameters import LocalizerParameters
from campose_ros.plain_log import fault_line
from campose_ros.pose_memory import PoseMemory
from campose_ros.refusal_log import RefusalLog
from campose_ros.transforms import Transforms
from campose_ros.worker import LatestWorker
from campose_ros.wrong_clocks import wrong_clocks

REFUSALS_S = 0.1  # between two reports of refused images, at least


class Configured(NamedTuple):
    """All that exists from configure to cleanup. heard: intrinsics out of camera_info that came in earlier activity."""

    parameters: LocalizerParameters
    cameras: tuple[CameraParameters, ...]
    loaded: LoadedScene
    localizer: Localizer
    transforms: Transforms
    outputs: Outputs
    heard: dict[str, Known]


class LiveLocalization:
    """The session, the subscriptions and the worker of an active node, from activate to deactivate."""

    def __init__(
        self,
        node: LifecycleNode,
        configured: Configured,
        clock: ClockWatch,
        complaints: ComplaintLog,
        changed: Callable[[], object],
    ) -> None:
        """Begin to localize. `changed` is called, on any thread, when the level of the diagnostics does."""
        self._clock, self._complaints, self._changed = clock, complaints, changed
        self._level, self._refusal_told = OK, 0.0
        self._missing: dict[str, MissingMotion] = {}  # of what is used: odometry, imu
        self._node = node
        self._configured = configured
        self._cameras: dict[str, CameraInput] = {}
        self._session = _session(configured, RefusalLog(node))
        self._tally = Tally(focal=self._session.focal)
        self._image_refusals = RefusalLog(node)  # on the worker's thread
        self._state = Status.INITIALIZING
        self._watches: dict[str, InputWatch] = {}
        self._initialposes: Any = None
        try:
            self._subscribe(configured)
        except BaseException:
            self._unsubscribe()
            raise
        self._memory = self._remembering(configured)
        self._look_first_where_it_was()
        self._worker = LatestWorker(self._localize, "localize")
        for camera in self._cameras.values():
            node.get_logger().info(f"listening to {camera.images.topic}")

    def _subscribe(self, configured: Configured) -> None:
        parameters = configured.parameters
        reliability = ReliabilityPolicy.RELIABLE if parameters.reliable_images else ReliabilityPolicy.BEST_EFFORT
        for camera in configured.cameras:
            self._cameras[camera.name] = CameraInput(
                self._node, camera, self._session, self._on_image, reliability, self._watches
            )
        self._initialposes = self._node.create_subscription(
            PoseWithCovarianceStamped, parameters.initialpose_topic, self.start_at, 1
        )
        if parameters.use_odometry:
            # Best effort connects to every publisher, a reliable one to reliable publishers alone.
            qos = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
            self._watches["odometry"] = InputWatch(
                self._node, Odometry, parameters.odom_topic, self._session.take_odometry, qos,
                what="odometry", sender="odometry",
            )  # fmt: skip
            self._missing["odometry"] = MissingMotion("odometry", self._watches["odometry"])
        if parameters.use_imu:
            qos = QoSProfile(depth=400, reliability=ReliabilityPolicy.BEST_EFFORT)
            self._watches["imu"] = InputWatch(
                self._node, Imu, parameters.imu_topic, self._session.take_imu, qos, what="imu", sender="IMU"
            )
            self._missing["imu"] = MissingMotion("IMU", self._watches["imu"])

    def _unsubscribe(self) -> None:
        for watch in self._watches.values():
            watch.close()
        if self._initialposes is not None:
            self._node.destroy_subscription(self._initialposes)

    def close(self) -> None:
        """Unsubscribe, and end the threads; of a camera that tells its intrinsics once, they stay known."""
        self._unsubscribe()
        self._configured.heard.update({name: known for name in self._cameras if (known := self._session.known(name))})
        self._worker.stop()
        self._memory.close()

    def remember(self) -> None:
        """Have the last sure pose kept over a restart, where that is wanted."""
        self._memory.keep()

    def _remembering(self, configured: Configured) -> PoseMemory:
        return PoseMemory(self._node, configured.parameters.remembered_pose_file, configured.loaded.digest)

    def _look_first_where_it_was(self) -> None:
        offered = self._memory.recall()
        if offered is not None:
            self._session.start_over(offered=offered)
            x, y, _ = offered.pose.translation
            self._node.get_logger().info(f"looking first where the robot was, at {x:.2f} {y:.2f}")

    def forget(self, near: Pose | None = None) -> None:
        """Start over with the next image; near: about where the base is (map_from_base)."""
        self._session.start_over(near)

    def replace(self, configured: Configured) -> None:
        """Go on in another scene, when the image at work is done; nothing of the old scene comes after this."""
        self._worker.stop()
        self._memory.close()
        self._configured, self._memory = configured, self._remembering(configured)
        configured.outputs.leave_scene()
        self._session.localizer = configured.localizer
        self._session.start_over()  # not near a place of the old map
        self._session.focal.forget()
        self._tally.forget()
        for name in self._cameras:
            self._session.take_intrinsics(name, configured.loaded.cameras.get(name))
        self._worker = LatestWorker(self._localize, "localize")

    def take(self, configured: Configured) -> None:
        """Go on with other parameters, from the next image."""
        self._configured = configured

    def reset(self) -> None:
        """Start over, with a new path and new counts; nothing of the old ones comes after this."""
        self._worker.stop()
        self._configured.outputs.clear_path()
        self._session.focal.forget()
        self._tally = Tally(focal=self._session.focal)
        self.forget()
        self._worker = LatestWorker(self._localize, "localize")

    def statuses(self, values: dict[str, object]) -> list[DiagnosticStatus]:
        """Write the lines of localization, with `values` appended, and of the inputs."""
        name, patience_s = name_of(self._node), self._configured.parameters.lost_after_s
        silent = {what: watch.silence(patience_s) for what, watch in self._watches.items()}
        silences = {camera: input.images.silence(patience_s) for camera, input in self._cameras.items()}
        self._tally.silent = frozenset(camera for camera, silence in silences.items() if silence)
        rate_hz = sum(input.images.rate_hz for input in self._cameras.values())
        localization = self._tally.status(
            f"{name}: localization",
            "; ".join(silences.values()) if all(silences.values()) else "",  # one camera can do without the others
            {"input_rate_hz": f"{rate_hz:.1f}", **values},
        )
        for camera_name, camera in self._cameras.items():
            infos = self._watches.get(camera.infos)
            if infos is not None and (infos.received or self._session.known(camera_name)):
                silent[camera.infos] = ""  # intrinsics that came once may stay
        self._level = localization.level
        uses_tf = any(camera.base_from_camera_tf for camera in self._configured.cameras)
        missing = {what: motion.fault() for what, motion in self._missing.items()}
        facts: dict[str, object] = {
            **{what: (missing[what] or "ok") if what in missing else "not used" for what in ("odometry", "imu")},
            "tf": ("; ".join(self._tally.tf_faults()) or "ok") if uses_tf else "not used",
            "clock_jumps_back": self._clock.jumps_back,
        }
        for what, watch in self._watches.items():
            facts |= {f"{what}_{key}": value for key, value in watch.facts().items()}
        faults = [
            Fault(ERROR, self._clock.fault()),
            *(Fault(ERROR, text) for text in silent.values()),
            *(Fault(WARN, watch.fault()) for watch in self._watches.values()),
            *(Fault(WARN, text) for text in wrong_clocks(self._node, self._watches.values())),
            *(Fault(WARN, text) for text in missing.values()),
            *(Fault(WARN, text) for text in self._tally.input_faults()),
            Fault(WARN, self._session.localizer.contradiction),
            Fault(WARN, self._session.localizer.motion_fault),
        ]
        return [localization, merged(f"{name}: inputs", faults, "all inputs come", facts)]

    def _judged(self) -> None:
        """After an image: a change of level is published at once, the rest once a second."""
        level = self._tally.judgement().level
        if level != self._level:
            self._level = level
            self._changed()

    def _tell_refusal(self) -> None:
        """At once: of such an image there is no status, and who plays a bag in lockstep waits for the count."""
        now = time.monotonic()
        if now - self._refusal_told > REFUSALS_S:
            self._refusal_told = now
            self._changed()

    def _on_image(self, camera: str, message: Any) -> None:
        image = ReceivedImage(message, time.perf_counter())
        self._tally.drop(self._worker.submit(camera, image.stamp_ns, image, in_order=image.is_video))

    def start_at(self, message: PoseWithCovarianceStamped) -> None:
        """Start over near the pose of a message, with the next image."""
        if not self._configured.outputs.is_ours(message) and self._session.take_initialpose(message):
            self._node.get_logger().info("initialpose: forgetting where the robot was")

    def _localize(self, camera: str, received: Sequence[ReceivedImage]) -> None:
        try:
            self._localize_in(self._configured, camera, received)
        except ImageTooLate:
            self._tally.late()
        except CamposeError as error:
            self._tally.refuse(camera, str(error), of_tf=isinstance(error, TransformError))
            self._tell_refusal()
            self._image_refusals(Refusal(f"{camera} image".lstrip(), str(error)))
        except Exception as error:
            if self._node.context.ok():
                self._tally.refuse(camera, f"internal fault: {error!r}")
                self._node.get_logger().error(fault_line(error), throttle_duration_sec=5.0)

    def _localize_in(self, configured: Configured, camera: str, received: Sequence[ReceivedImage]) -> None:
        parameters, outputs = configured.parameters, configured.outputs
        if self._session.localizer.options != parameters.localizer_options():
            self._session.localizer.take_options(parameters.localizer_options())
        self._session.limit_rate(parameters.max_rate_hz)
        answer = self._session.see(camera, [image.message for image in received], received[-1].arrived)
        if answer is None:
            return
        if answer.started_over:
            outputs.start_over()
        for what, reason in (("odometry", answer.no_odometry), ("imu", answer.no_imu)):
            if what in self._missing:
                self._missing[what].take(camera, reason)
        outputs.publish(parameters, answer.result, answer.latency_s, answer.odom_from_base)
        if not self._cameras[camera].parameters.base_from_camera_tf:
            outputs.broadcast_camera(
                parameters, answer.frame.camera_frame, answer.result.stamp_ns, answer.base_from_cam
            )
        outputs.visuals.show(parameters, answer.frame, answer.result)
        self._tally.done(camera, answer.result, answer.latency_s)
        if answer.result.status is Status.TRACKING and answer.result.map_from_base is not None:
            self._memory.take(answer.result)
        self._judged()
        self._log_change(answer.result)
        self._session.refresh()

    def _log_change(self, result: LocalizationResult) -> None:
        if result.status is self._state:
            return
        self._state = result.status
        if result.status is Status.LOST:
            self._node.get_logger().warning(f"LOST: {result.reason}")
            self._complaints.told(result.reason)
        else:
            self._node.get_logger().info(result.status.value)


def _session(configured: Configured, refuse: RefusalLog) -> LocalizationSession:
    parameters, loaded = configured.parameters, configured.loaded
    frames = SessionFrames(
        map_frame=parameters.map_frame,
        base_frame=parameters.base_frame,
        odom_frame=parameters.odom_frame if parameters.publish_tf else None,
    )
    known = {**configured.heard, **{name: Known(camera) for name, camera in loaded.cameras.items()}}
    cameras = [session_camera(camera, known.get(camera.name)) for camera in configured.cameras]
    return LocalizationSession(configured.localizer, cameras, frames, configured.transforms.heard, refuse, WAIT_S)
