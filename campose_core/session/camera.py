"""A camera as a localization session knows it: its images decoded, its place, and its intrinsics as they come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from campose_core.bag.camera_info import EmptyCameraInfo, InfoCamera
from campose_core.bag.image_messages import ImageDecoder, StampedImage, image_stamp_ns, video_name
from campose_core.camera import Camera
from campose_core.errors import CamposeError, CaptureError, GeometryError, LocalizationError
from campose_core.frame import Frame
from campose_core.geometry import Pose
from campose_core.landmark_map.camera_estimate import GUESS_SIGMA
from campose_core.session.rate_limit import RateLimit


class InfoTopic(NamedTuple):
    """Where a camera's sensor_msgs/CameraInfo come, and how they are read; `read` raises CamposeError."""

    name: str
    read: Callable[[Any], InfoCamera]


class Known(NamedTuple):
    """Intrinsics that a camera has; `is_guess` as of SessionCamera."""

    intrinsics: Camera
    is_guess: bool = False


class SessionCamera:
    """One camera of the robot.

    name: what the adapter calls it; empty for the only one. base_from_cam: where it sits, None where tf tells it at
    each image. intrinsics: those until `info` brings others. of_frame: the intrinsics of a frame, where nothing else
    tells them; raises LocalizationError. is_guess: whether the intrinsics are those of a camera_info that is understood
    in part.
    """

    def __init__(
        self,
        name: str,
        base_from_cam: Pose | None,
        intrinsics: Camera | None = None,
        info: InfoTopic | None = None,
        of_frame: Callable[[Frame], Camera] | None = None,
        is_guess: bool = False,
    ) -> None:
        self.name, self.base_from_cam = name, base_from_cam
        self._info, self._of_frame = info, of_frame
        no_intrinsics = f"nothing came on {info.name}" if info else "no topic tells them"
        self._intrinsics: Camera | str = intrinsics or no_intrinsics  # or why there are none
        self.is_guess = is_guess
        self.rate = RateLimit()
        self._decoder = ImageDecoder()

    @property
    def known(self) -> Known | None:
        """Return what is known without a frame."""
        return Known(self._intrinsics, self.is_guess) if isinstance(self._intrinsics, Camera) else None

    def take_intrinsics(self, intrinsics: Camera | None) -> None:
        """Those of another scene; None leaves what is known."""
        if intrinsics is not None:
            self._intrinsics, self.is_guess = intrinsics, False

    def take_info(self, message: Any) -> None:
        """Take in a sensor_msgs/CameraInfo; one that describes no camera leaves images without intrinsics: refused.

        An empty one, of a driver that is starting, leaves what is known.

        Raises:
            CamposeError: why it describes none, or but a first guess, which is taken where nothing better is known.
        """
        assert self._info is not None, "made with its topic"
        try:
            camera, doubt = self._info.read(message)
        except CamposeError as error:
            if not (isinstance(error, EmptyCameraInfo) and isinstance(self._intrinsics, Camera)):
                self._intrinsics = f"{self._info.name}: {error}"
            raise
        if not doubt or self.is_guess or not isinstance(self._intrinsics, Camera):
            sigma = GUESS_SIGMA if doubt else camera.focal_sigma
            self._intrinsics, self.is_guess = replace(camera, focal_sigma=sigma), bool(doubt)
        if doubt:
            raise GeometryError(doubt)

    def intrinsics(self, frame: Frame) -> Camera:
        """Return those of the camera that took the frame.

        Raises:
            LocalizationError: none are known.
        """
        if isinstance(self._intrinsics, Camera):
            return self._intrinsics
        if self._of_frame is not None:
            return self._of_frame(frame)
        parameter = f"{self.name}.camera_source" if self.name else "camera_source"
        raise LocalizationError(
            f"no intrinsics: {self._intrinsics}; the node takes those of the scene with {parameter}:=scene, `campose "
            "replay` those of --camera FILE"
        )

    def newest(self, messages: Sequence[Any]) -> StampedImage | None:
        """Decode the last of image messages in order; the packets of a video are all decoded, for those that follow.

        None where packets do not complete an image yet, or the image is one too many for the rate.

        Raises:
            CaptureError: there is none, because a message is damaged or waits for a key image.
        """
        newest, fault = None, None
        is_wanted = self.rate.accepts(image_stamp_ns(messages[-1]))
        if not is_wanted and video_name(messages[-1]) is None:
            return None
        for message in messages:
            try:
                for image in self._decoder.feed(message):
                    newest = image
            except CaptureError as error:
                fault = error
        if newest is None and fault is not None:
            raise fault
        return newest if is_wanted else None
