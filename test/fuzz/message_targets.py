"""What comes over DDS or out of a bag, as bytes of one message: a session hears it, and the image after it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scripted_estimator import CAMERA, ScriptedEstimator, at, frame, stamp

from campose_core.bag.camera_info import read_camera_info
from campose_core.bag.decoding import decoded
from campose_core.errors import CaptureError
from campose_core.geometry import Pose
from campose_core.localization.localizer import Localizer
from campose_core.session.camera import InfoTopic, SessionCamera
from campose_core.session.heard_transforms import HeardTransforms
from campose_core.session.message_reading import Refusal
from campose_core.session.session import ONLY_CAMERA, LocalizationSession, SessionFrames

SEEN = {stamp(i): at(1.0 + 0.05 * i) for i in range(4)}
IMAGES = [frame(stamp(index)) for index in (1, 2)]


class Ears:
    """A session that hears tf and one camera. placed: whether tf has to say where that sits."""

    def __init__(self, placed: bool = False) -> None:
        self.refused: list[Refusal] = []
        self.transforms = HeardTransforms(self.refused.append)
        camera = SessionCamera(
            ONLY_CAMERA, None if placed else Pose.identity(), CAMERA, InfoTopic("/camera_info", read_camera_info)
        )
        localizer = Localizer(ScriptedEstimator(SEEN))
        self.session = LocalizationSession(
            localizer, [camera], SessionFrames(base_frame="base_link"), self.transforms, self.refused.append
        )

    def look(self) -> None:
        """Localize two images; no answer may hold what is no number."""
        for image in IMAGES:
            answer = self.session.localize(ONLY_CAMERA, image, 0.0)
            pose = answer.result.map_from_base
            assert pose is None or np.isfinite(pose.translation).all()

    def check(self) -> None:
        """Raise the first refusal."""
        if self.refused:
            raise CaptureError(str(self.refused[0]))


def _heard(msgtype: str, hear: Callable[[Ears, Any], object], placed: bool = False) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        message = decoded(path.read_bytes(), msgtype)
        if isinstance(message, CaptureError):
            raise message
        ears = Ears(placed)
        hear(ears, message)
        ears.look()
        ears.check()

    return read


def _transforms(ears: Ears, message: Any) -> None:
    ears.transforms.take_moving(message)
    ears.transforms.take_static(message)


def _image(ears: Ears, message: Any) -> None:
    ears.session.see(ONLY_CAMERA, [message], 0.0)


# By the name of the target: what reads the file at a path, and whether it decodes pictures.
READERS: dict[str, tuple[Callable[[Path], None], bool]] = {
    "camera_info": (
        _heard("sensor_msgs/msg/CameraInfo", lambda ears, message: ears.session.take_camera_info(ONLY_CAMERA, message)),
        False,
    ),
    "odometry": (_heard("nav_msgs/msg/Odometry", lambda ears, message: ears.session.take_odometry(message)), False),
    "imu": (_heard("sensor_msgs/msg/Imu", lambda ears, message: ears.session.take_imu(message)), False),
    "tf": (_heard("tf2_msgs/msg/TFMessage", _transforms, placed=True), False),
    "initialpose": (
        _heard(
            "geometry_msgs/msg/PoseWithCovarianceStamped",
            lambda ears, message: ears.session.take_initialpose(message),
        ),
        False,
    ),
    "raw_image": (_heard("sensor_msgs/msg/Image", _image), True),
    "compressed_image": (_heard("sensor_msgs/msg/CompressedImage", _image), True),
    "video_packet": (_heard("foxglove_msgs/msg/CompressedVideo", _image), True),
}
