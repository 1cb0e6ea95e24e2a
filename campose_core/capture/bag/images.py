"""What the image and camera_info messages of a bag say: stamps, their order, and the camera."""

from typing import Any

import numpy as np

from campose_core.camera import Camera
from campose_core.capture.bag.file import Bag
from campose_core.capture.image_messages import image_stamp_ns, stamp_field
from campose_core.clock import BagClock, UsableStamps, usable_stamps
from campose_core.errors import CaptureError
from campose_core.trajectory import Stamps


class StampOrder:
    """Gives the messages of an image topic, one after the other, the stamps they are to have.

    stamps_ns: those, by message; see `read_image_stamps`. dropped: counts the images left out, by reason.
    """

    def __init__(self, dropped: dict[str, int], stamps_ns: Stamps) -> None:
        self._dropped, self._stamps_ns = dropped, iter(stamps_ns.tolist())
        self._last_ns = 0

    def accepts(self, message: Any) -> bool:
        """message: decoded, and then given its stamp; or the CaptureError that it could not be."""
        stamp_ns = next(self._stamps_ns, 0)
        reason = "undecodable message" if isinstance(message, CaptureError) else self._fault(stamp_ns)
        if reason:
            self._dropped[reason] = self._dropped.get(reason, 0) + 1
            return False
        self._last_ns = stamp_ns
        if stamp_ns != image_stamp_ns(message):
            set_stamp(stamp_field(message), stamp_ns)
        return True

    def _fault(self, stamp_ns: int) -> str:
        if stamp_ns <= 0:
            return "zero stamp"
        if stamp_ns > self._last_ns:
            return ""
        return "repeated stamp" if stamp_ns == self._last_ns else "backward stamp"


def read_image_stamps(bag: Bag, topic: str, clock: BagClock) -> UsableStamps:
    """The stamps of all messages of an image topic. clock: what was done to those of another camera beside it."""
    header_ns: list[int] = []
    log_ns: list[int] = []
    is_copy: list[bool] = []
    last: Any = None
    for logged_ns, message in bag.messages(topic):
        is_bad = isinstance(message, CaptureError)
        stamp_ns = header_ns[-1] if is_bad and header_ns else 0 if is_bad else image_stamp_ns(message)
        again = last is not None and not is_bad and stamp_ns == image_stamp_ns(last) != 0
        is_copy.append(is_bad or (again and bool(np.array_equal(message.data, last.data))))
        header_ns.append(stamp_ns if is_bad else clock.stamp_ns(stamp_ns, logged_ns))
        log_ns.append(logged_ns)
        last = last if is_bad else message
    return usable_stamps(header_ns, log_ns, is_copy)


def set_stamp(stamp: Any, stamp_ns: int) -> None:
    """stamp: the one of a decoded message."""
    stamp.sec, stamp.nanosec = divmod(stamp_ns, 1_000_000_000)


def header_stamp_ns(message: Any) -> int:
    """The header stamp of a message in nanoseconds."""
    stamp = message.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def camera_from_info(message: Any, rectified: bool = False) -> Camera:
    """The camera of the images that a sensor_msgs/CameraInfo (ROS 1, ROS 2, rosbags) belongs to.

    K and D describe the full sensor image; region of interest and binning lead to the image that was sent. Rectified
    images (image_rect) are described by P.

    Raises:
        GeometryError: uncalibrated, or a distortion model without a COLMAP counterpart.
    """
    k, d, p = (getattr(message, name if hasattr(message, name) else name.upper()) for name in "kdp")  # ROS 1: K, D, P
    width, height = int(message.width), int(message.height)
    if rectified:
        k, d = [p[i] for i in (0, 1, 2, 4, 5, 6, 8, 9, 10)], []
    camera = Camera.from_camera_info(
        width, height, [float(v) for v in k], [float(v) for v in d], str(message.distortion_model)
    )
    region = message.roi
    if region.width and region.height:
        camera = camera.cropped(int(region.x_offset), int(region.y_offset), int(region.width), int(region.height))
    across, down = max(1, int(message.binning_x)), max(1, int(message.binning_y))
    return camera.resized(camera.width // across, camera.height // down) if across * down > 1 else camera
