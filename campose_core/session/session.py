"""A localization session: decoded messages in, results out.

A running node and a replay of its bag are adapters around it: they bring the messages that they hear, and what is done
with a message, what is refused and in which words is decided here. Messages are those of rclpy or of rosbags, read by
attribute. Decisions depend on messages alone, never on the clock.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from campose_core.bag.ros_messages import pose_of
from campose_core.camera import Camera
from campose_core.errors import CamposeError, LocalizationError
from campose_core.frame import Frame
from campose_core.geometry import Pose
from campose_core.localization.localizer import Localizer
from campose_core.localization.result import LocalizationResult
from campose_core.motion.model import UncertainPose
from campose_core.motion.odometry import OdometryBuffer
from campose_core.session.camera import Known, SessionCamera
from campose_core.session.focal_watch import FocalWatch
from campose_core.session.heard_transforms import HeardTransforms
from campose_core.session.imu_buffer import ImuBuffer
from campose_core.session.message_reading import Refusal, Refuse, frame_name, stamp_of

log = logging.getLogger(__name__)
ONLY_CAMERA = ""  # the name of a robot's single camera
# An image so much older than the last one is of another camera that is not in step; an older one, of a bag that starts
# over.
LATE_NS = 500_000_000
PAUSE_NS = 500_000_000  # between two images, from which on the way between is told by more than its ends
# A driver that names each image differently names no camera, and each name costs memory.
MAX_FRAMES = 16


class ImageTooLate(LocalizationError):
    """A later image of another camera was localized before, or one with this stamp of the same camera."""


@dataclass(frozen=True, kw_only=True)
class SessionFrames:
    """What the robot's frames are called. base_frame, odom_frame: None where any name will do."""

    map_frame: str = "map"
    base_frame: str | None = None
    odom_frame: str | None = None


class Answer(NamedTuple):
    """What became of one image.

    camera, base_from_cam, odom_from_base: as known at its stamp. no_odometry: why odom_from_base is None, else empty.
    no_imu: why no IMU tells the motion up to the image, else empty.
    latency_s: from the arrival of the image to its result, decoding included. started_over: what was known of the
    robot's place before was forgotten.
    """

    frame: Frame
    camera: Camera
    base_from_cam: Pose
    odom_from_base: Pose | None
    no_odometry: str
    no_imu: str
    result: LocalizationResult
    latency_s: float
    started_over: bool


class LocalizationSession:
    """A localizer and what it hears. It begins by forgetting where the localizer was before.

    transforms: what is heard of /tf, None where nothing is; tf_wait_s: how long an image waits for a link there.
    refuse: called with each message that is not used, but images: those raise. One thread may bring other messages
    while another one brings images.
    """

    def __init__(
        self,
        localizer: Localizer,
        cameras: Sequence[SessionCamera],
        frames: SessionFrames | None = None,
        transforms: HeardTransforms | None = None,
        refuse: Refuse = log.warning,
        tf_wait_s: float = 0.0,
    ) -> None:
        self.localizer = localizer
        self._transforms = transforms or HeardTransforms(refuse)
        self._cameras = {camera.name: camera for camera in cameras}
        self._frames, self._refuse, self._tf_wait_s = frames or SessionFrames(), refuse, tf_wait_s
        self._odometry = OdometryBuffer()
        self._odometry_refusal = ""
        self._imu = ImuBuffer()
        # What to start over with, before the next image; empty: go on.
        self._start: list[tuple[Pose | None, UncertainPose | None]] = [(None, None)]
        self._camera_of_frame: dict[str, str] = {}
        self._newest_ns = 0
        self._localized_ns: dict[str, int] = {}  # the newest, by what the localizer tells cameras apart by
        self.focal = FocalWatch()

    def start_over(self, near: Pose | None = None, offered: UncertainPose | None = None) -> None:
        """Forget with the next image where the robot was.

        near: about where the base is (map_from_base). offered: where it was before a restart (`Localizer.reset`).
        """
        self._start = [(near, offered)]

    def take_intrinsics(self, camera_name: str, intrinsics: Camera | None) -> None:
        """Take the intrinsics of another scene; None leaves what is known of the camera."""
        self._cameras[camera_name].take_intrinsics(intrinsics)

    def known(self, camera_name: str) -> Known | None:
        """Return the intrinsics of a camera, for a session that goes on with it."""
        return self._cameras[camera_name].known

    def take_camera_info(self, camera_name: str, message: Any) -> None:
        """Take in a sensor_msgs/CameraInfo, of the images from now on."""
        try:
            self._cameras[camera_name].take_info(message)
        except CamposeError as error:
            self._refuse(Refusal(f"{camera_name} camera_info".lstrip(), str(error)))

    def take_odometry(self, message: Any) -> None:
        """Take in a nav_msgs/Odometry: odom_from_base."""
        try:
            _require_frame("it is of", message.child_frame_id, "base_frame", self._frames.base_frame)
            _require_frame("it is in", message.header.frame_id, "odom_frame", self._frames.odom_frame)
            self._odometry.add(stamp_of(message), pose_of(message.pose.pose))
            self._odometry_refusal = ""
        except CamposeError as error:
            self._odometry_refusal = f"refused: {error}"
            self._refuse(Refusal("odometry", str(error)))

    def take_imu(self, message: Any) -> None:
        """Take in a sensor_msgs/Imu, for a localizer that moves by it."""
        try:
            self._imu.add(message)
        except CamposeError as error:
            self._refuse(Refusal("imu", str(error)))

    def limit_rate(self, max_rate_hz: float) -> None:
        """Take at most so many images a second of each camera; 0: all."""
        for camera in self._cameras.values():
            camera.rate.max_rate_hz = max_rate_hz

    def take_initialpose(self, message: Any) -> bool:
        """Take in a geometry_msgs/PoseWithCovarianceStamped to start over at; returns whether it is used."""
        try:
            _require_frame("it is in", message.header.frame_id, "map_frame", self._frames.map_frame)
            self.start_over(pose_of(message.pose.pose))
        except CamposeError as error:
            self._refuse(Refusal("initialpose", str(error)))
            return False
        return True

    def see(self, camera_name: str, messages: Sequence[Any], arrived: float) -> Answer | None:
        """Localize the newest image of a camera; None where packets of a video do not complete an image yet.

        messages: of its image topic, in order; all but the last are of use for a video alone. arrived: the reading of
        time.perf_counter when the last one came.

        Raises:
            CaptureError: damaged, or no image. ImageTooLate: a later image was localized, or one with its stamp.
                TransformError: tf does not tell where the camera sits. LocalizationError: a stamp of zero, or no
                intrinsics for such an image.
        """
        image = self._cameras[camera_name].newest(messages)
        if image is None:
            return None
        require_image_stamp(image.stamp_ns)
        return self.localize(camera_name, image.frame(""), arrived)

    def localize(self, camera_name: str, frame: Frame, arrived: float, intrinsics: Camera | None = None) -> Answer:
        """Do as `see`, of an image that is decoded. intrinsics: instead of those that are known of the camera."""
        camera, stamp_ns = self._cameras[camera_name], frame.stamp_ns
        intrinsics = self.focal.widened(intrinsics or camera.intrinsics(frame))
        late_ns = self._newest_ns - stamp_ns
        if 0 < late_ns <= LATE_NS:
            raise ImageTooLate(f"the image is {late_ns * 1e-9:.3f} s older than the last one that was localized")
        optical, frame = frame, frame._replace(camera_frame=self._frame_of(camera_name, frame.camera_frame))
        # By the names that parameters have: what is said of two cameras is said of these.
        named = frame._replace(camera_frame=camera_name or frame.camera_frame)
        if self._localized_ns.get(named.camera_frame) == stamp_ns:
            raise ImageTooLate("the image has the stamp of the one before: its driver must stamp each with its time")
        before_ns, self._newest_ns = self._newest_ns, stamp_ns
        base_from_cam = self._place(camera, optical)
        started_over = bool(self._start)
        if started_over:
            self.localizer.reset(*self._start.pop())
        odom_from_base = self._odometry.at(stamp_ns)
        no_odometry = ""
        if odom_from_base is None:
            no_odometry = self._odometry_refusal or self._odometry.why_not(stamp_ns)
        way = self._odometry.between(before_ns, stamp_ns) if stamp_ns - before_ns > PAUSE_NS else []
        imu, no_imu = self._imu.until(stamp_ns), self._imu.why_not(stamp_ns)
        result = self.localizer.localize(named, intrinsics, base_from_cam, odom_from_base, imu, way)
        self.focal.add(camera_name, result)
        self._localized_ns[named.camera_frame] = stamp_ns
        latency_s = time.perf_counter() - arrived
        return Answer(
            frame, intrinsics, base_from_cam, odom_from_base, no_odometry, no_imu, result, latency_s, started_over
        )

    def refresh(self) -> None:
        """Do now what the next image would wait for: called when the answer is out."""
        self.localizer.refresh()

    def _place(self, camera: SessionCamera, frame: Frame) -> Pose:
        if camera.base_from_cam is not None:
            return camera.base_from_cam
        assert self._frames.base_frame is not None, "a camera that tf places sits on a frame with a name"
        optical = frame_name(frame.camera_frame)
        return self._transforms.lookup(self._frames.base_frame, optical, frame.stamp_ns, self._tf_wait_s)

    def _frame_of(self, camera_name: str, frame: str) -> str:
        """Return what the localizer tells cameras apart by: the frame, unless two drivers stamp with the same, or there
        are more frames than a robot has cameras.
        """
        if len(self._camera_of_frame) < MAX_FRAMES:
            self._camera_of_frame.setdefault(frame, camera_name)
        return frame if self._camera_of_frame.get(frame) == camera_name else camera_name


def require_image_stamp(stamp_ns: int) -> None:
    """Refuse the stamp of an image, nanoseconds, that nobody set.

    Raises:
        LocalizationError: it is zero.
    """
    if stamp_ns == 0:
        raise LocalizationError("the image's stamp is zero: its driver must stamp it")


def _require_frame(what: str, said: Any, option: str, wanted: str | None) -> None:
    """Refuse a frame that is not the wanted one; one that a message leaves open is."""
    if wanted is not None and frame_name(said) not in ("", wanted):
        raise LocalizationError(f"{what} {frame_name(said)}, and {option} is {wanted}")
