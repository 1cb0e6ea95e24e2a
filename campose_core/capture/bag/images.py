"""What the image and camera_info messages of a bag say: stamps, their order, and the camera."""

from typing import Any

from campose_core.camera import Camera
from campose_core.capture.image_messages import image_stamp_ns
from campose_core.errors import CaptureError


class StampOrder:
    """Which images come in time order; `dropped` counts the others by reason."""

    def __init__(self, dropped: dict[str, int]) -> None:
        self._dropped = dropped
        self._last_ns: int | None = None

    def accepts(self, message: Any) -> bool:
        """Tell whether an image comes after all accepted ones; counts it by reason where it does not.

        message: decoded, or the CaptureError that it could not be.
        """
        reason = self._fault(message)
        if reason:
            self._dropped[reason] = self._dropped.get(reason, 0) + 1
            return False
        self._last_ns = image_stamp_ns(message)
        return True

    def _fault(self, message: Any) -> str:
        if isinstance(message, CaptureError):
            return "undecodable message"
        stamp_ns = image_stamp_ns(message)
        if stamp_ns == 0:
            return "zero stamp"
        if self._last_ns is None or stamp_ns > self._last_ns:
            return ""
        return "repeated stamp" if stamp_ns == self._last_ns else "backward stamp"


def header_stamp_ns(message: Any) -> int:
    """Return the header stamp of a message in nanoseconds."""
    stamp = message.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def camera_from_info(message: Any, rectified: bool = False) -> Camera:
    """Return the camera of the images that a sensor_msgs/CameraInfo (ROS 1, ROS 2, rosbags) belongs to.

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
