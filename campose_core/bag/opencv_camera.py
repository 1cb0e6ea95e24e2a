"""A camera by the numbers that OpenCV, and ROS after it, write: matrix, distortion, and what drivers call its model."""

from __future__ import annotations

import re
from collections.abc import Sequence

from campose_core.camera import Camera
from campose_core.errors import GeometryError

# What drivers call OpenCV's vector of distortion terms; its length tells how many of them there are.
OPENCV_VECTORS = {"plumb_bob", "rational_polynomial", "", "radtan", "radial_tangential", "brown_conrady", "opencv"}
OPENCV_LENGTHS = (4, 5, 8, 12, 14)
EQUIDISTANT = {"equidistant", "equi", "fisheye", "opencv_fisheye", "kannala_brandt", "kannala_brandt4"}
WIDE_LENSES = ("fish", "equi", "kannala", "theta", "omni", "sphere", "mei", "ucm", "fov")


def is_fisheye_name(distortion_model: str) -> bool:
    """Whether a distortion model of this name is of lenses that are no pinhole even without any distortion."""
    return any(part in _plain_name(distortion_model) for part in WIDE_LENSES)


def _plain_name(distortion_model: str) -> str:
    return re.sub(r"[\s-]+", "_", distortion_model.strip().lower())


def camera_of_info(width: int, height: int, k: Sequence[float], d: Sequence[float], distortion_model: str) -> Camera:
    """Make a camera of sensor_msgs/CameraInfo: `k` row-major 3x3, `d` in the order of `distortion_model`.

    Of plumb_bob, rational_polynomial and a model without a name `d` is OpenCV's vector, whose length tells the
    terms: drivers write 8 or 14 numbers under either name, and fill up with zeros.

    Raises:
        GeometryError: uncalibrated (k[0] is 0), or a distortion that is not understood.
    """
    if len(k) != 9 or k[0] == 0:
        raise GeometryError("camera_info is uncalibrated (K[0] is 0): calibrate the camera, or give its intrinsics")
    pinhole, model = (k[0], k[4], k[2], k[5]), _plain_name(distortion_model)
    if model in EQUIDISTANT and (len(d) >= 4 or not len(d)) and not any(d[4:]):
        # With zeros too, or none: r = f theta, which is no pinhole.
        return Camera("OPENCV_FISHEYE", width, height, (*pinhole, *([*d[:4]] or [0.0] * 4)))
    if not any(d) and not is_fisheye_name(distortion_model):
        return Camera("PINHOLE", width, height, pinhole)
    known = max((length for length in OPENCV_LENGTHS[:4] if length <= len(d)), default=0)
    if model in OPENCV_VECTORS and known and len(d) <= OPENCV_LENGTHS[-1] and not any(d[known:]):
        terms = [*map(float, d[:known]), *[0.0] * (12 - known)]
        if any(terms[8:]):
            return Camera("OPENCV_THIN_PRISM", width, height, (*pinhole, *terms))
        if any(terms[4:8]):
            return Camera("FULL_OPENCV", width, height, (*pinhole, *terms[:8]))
        return Camera("OPENCV", width, height, (*pinhole, *terms[:4]))
    raise GeometryError(f"camera_info has an unsupported distortion: {distortion_model!r} with {len(d)} numbers")
