"""A localization session that hears the messages of a bag."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from campose_core.bag.bag import SerializedMessage
from campose_core.bag.decoding import decoded
from campose_core.bag.images import StampOrder, header_stamp_ns, set_stamp
from campose_core.camera import Camera
from campose_core.capture.sources.bag import BagRecording
from campose_core.errors import CamposeError, CaptureError, TransformError
from campose_core.geometry import Pose
from campose_core.landmark_map.recording_cameras import cameras_when_asked
from campose_core.localization.localizer import Localizer
from campose_core.scene.scene import Scene
from campose_core.session.camera import InfoTopic, SessionCamera
from campose_core.session.heard_transforms import HeardTransforms
from campose_core.session.message_reading import Refusal, frame_name
from campose_core.session.session import ONLY_CAMERA, Answer, LocalizationSession, SessionFrames

MAP_FRAME = "map"
TF, TF_STATIC = "/tf", "/tf_static"
ODOMETRY, INITIALPOSE = "nav_msgs/msg/Odometry", "geometry_msgs/msg/PoseWithCovarianceStamped"


class TfRoot(NamedTuple):
    """The frame at the top of the camera's tf tree, its own frame where there is no tf; root_from_cam is None where
    tf does not know it at the image's stamp."""

    frame: str
    root_from_cam: Pose | None


class BagSession:
    """The localization of one image topic of a bag, message by message.

    Images are those of the topic of `recording`, whose `dropped` counts those that get no answer. base_from_cam: where
    the camera sits on the base, unless base_frame asks tf for it at each image. camera: instead of the topic of
    intrinsics; where neither is, they are estimated. odometry, initialpose, imu: topics of odom_from_base, of poses to
    start over at, and of the IMU that the localizer moves by. max_rate_hz: of the images that are localized; 0: all.
    """

    def __init__(
        self,
        scene: Scene,
        recording: BagRecording,
        localizer: Localizer,
        base_from_cam: Pose,
        base_frame: str | None = None,
        camera: Camera | None = None,
        odometry: str | None = None,
        initialpose: str | None = None,
        imu: str | None = None,
        max_rate_hz: float = 0.0,
    ) -> None:
        intrinsics = camera or (recording.camera if recording.calibrated else None)
        # Of a bag whose camera_info describes no camera, it is estimated: then that topic tells nothing.
        info_topic = recording.info_topic if camera is None and intrinsics is not None else None
        seen_by = SessionCamera(
            ONLY_CAMERA,
            None if base_frame else base_from_cam,
            intrinsics,
            InfoTopic(info_topic, recording.camera_of) if info_topic else None,
            of_frame=cameras_when_asked(scene, recording) if intrinsics is None else None,
        )
        self._heard = HeardTransforms(self._refuse)
        frames = SessionFrames(map_frame=MAP_FRAME, base_frame=base_frame)
        self._session = session = LocalizationSession(localizer, [seen_by], frames, self._heard, self._refuse)
        session.limit_rate(max_rate_hz)
        self._recording, self._order = recording, StampOrder(recording.dropped, recording.stamps.stamps_ns)
        self._listeners: dict[str, tuple[str, Callable[[Any], object]]] = {
            TF: ("tf", self._heard.take_moving),
            TF_STATIC: ("tf", self._heard.take_static),
        }
        if info_topic:
            self._listeners[info_topic] = "camera_info", partial(session.take_camera_info, ONLY_CAMERA)
        if odometry is not None:
            self._listeners[odometry] = "odometry", session.take_odometry
        if initialpose is not None:
            self._listeners[initialpose] = "initialpose", session.take_initialpose
        if imu is not None:
            self._listeners[imu] = "imu", session.take_imu
        self.refusals: dict[str, tuple[int, Refusal]] = {}  # by what was refused: how often, and the last one

    def hear(self, message: SerializedMessage) -> Answer | None:
        """Take in a message; returns the answer where it is an image."""
        arrived, topic = time.perf_counter(), message.topic
        if topic == self._recording.topic:
            return self._see(decoded(message.data, message.msgtype), arrived)
        if topic in self._listeners:
            what, take = self._listeners[topic]
            content = decoded(message.data, message.msgtype)
            if isinstance(content, CaptureError):
                self._refuse(Refusal(what, str(content)))
            else:
                self._on_clock(content, message.log_ns)
                take(content)
        return None

    def _on_clock(self, message: Any, log_ns: int) -> None:
        """Bring the stamps of a message to the clock of the images."""
        for stamped in getattr(message, "transforms", [message]):
            stamp_ns = header_stamp_ns(stamped)
            set_stamp(stamped.header.stamp, self._recording.clock.stamp_ns(stamp_ns, log_ns))

    def root_of(self, answer: Answer) -> TfRoot:
        """Find where the camera of an answer hangs in tf, at the stamp of its image."""
        optical = frame_name(answer.frame.camera_frame)
        root = self._heard.root(optical)
        try:
            return TfRoot(root, self._heard.lookup(root, optical, answer.frame.stamp_ns))
        except TransformError:
            return TfRoot(root, None)

    def _see(self, message: Any, arrived: float) -> Answer | None:
        """message: decoded, or the CaptureError that it could not be."""
        try:
            if isinstance(message, CaptureError):
                raise message
            answer = self._session.see(ONLY_CAMERA, [message], arrived) if self._order.accepts(message) else None
        except CamposeError as error:
            reason = "undecodable image" if isinstance(error, CaptureError) else "refused image"
            self._recording.dropped[reason] = self._recording.dropped.get(reason, 0) + 1
            self._refuse(Refusal("image", str(error)))
            return None
        self._session.refresh()
        return answer

    def _refuse(self, refusal: Refusal) -> None:
        count, _ = self.refusals.get(refusal.what, (0, refusal))
        self.refusals[refusal.what] = count + 1, refusal
