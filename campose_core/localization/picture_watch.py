"""Whether the picture agrees with wheels that stand: whole, gone, or of somewhere else.

A robot that stands sees what it saw a moment ago, but for what moves before it. When nearly nothing of that is where it
was, the robot was carried; when there is nothing to see (dark, covered), it may have been.
"""

from __future__ import annotations

from enum import Enum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from campose_core.extras import load_extra
from campose_core.frame import Image
from campose_core.geometry import Pose, pose_error
from campose_core.localization.klt import to_image

WIDTH = 320  # of the images that are compared, pixels
STANDS_M, STANDS_RAD = 0.005, 0.004  # of the odometry, since the image compared with; 0.004 rad are about a pixel
RENEWED_S = 0.3  # age at which the image compared with is another: what comes slowly before the camera is no change
MAX_POINTS, MIN_POINTS = 150, 12
MIN_TEXTURE = 6e-4  # smaller eigenvalue of the structure tensor, of an image of contrast 1; noise has a tenth
MAX_MOVE = 2.0  # pixels
SURROUNDINGS = 8.0  # pixels
# Of the points, where the robot stands: a person over half of the image leaves a third and more. Of two images from
# different places 2 % fall together by chance.
MIN_STILL = 0.15


class Picture(Enum):
    """GONE: it shows too little to tell, or did when the wheels stopped. CHANGED: the robot stands and little is where
    it was."""

    AS_BEFORE = "as before"
    CHANGED = "changed"
    GONE = "gone"


class _Look:
    """An image that others are compared with, and the odometry there; its small image is made when it is asked for."""

    def __init__(self, stamp_ns: int, image: Image, odom_from_base: Pose) -> None:
        self.stamp_ns, self.odom_from_base, self._image = stamp_ns, odom_from_base, image

    @cached_property
    def small(self) -> Image:
        """Grey, of WIDTH."""
        return _small(self._image)

    @cached_property
    def points(self) -> NDArray[np.float32]:
        """Corners (N, 2) of the small image."""
        return _points(self.small)


class PictureWatch:
    """Of one camera: `look` at each of its images."""

    def __init__(self) -> None:
        self._before: _Look | None = None

    def look(self, stamp_ns: int, image: Image, odom_from_base: Pose, recognized: bool) -> Picture:
        """Compare an image with one of before; AS_BEFORE where the wheels turned in between, or it is the first.

        image: (H, W, 3). recognized: landmarks are seen in it, which says more than a comparison.
        """
        before, now = self._before, _Look(stamp_ns, image, odom_from_base)
        if before is None or recognized or not _stands(before.odom_from_base, odom_from_base):
            self._before = now
            return Picture.AS_BEFORE
        if len(before.points) < MIN_POINTS or len(now.points) < MIN_POINTS:
            return Picture.GONE
        if _share_still(before.small, now.small, before.points) < MIN_STILL:
            return Picture.CHANGED
        if stamp_ns - before.stamp_ns > RENEWED_S * 1e9:
            self._before = now
        return Picture.AS_BEFORE


def _stands(odom_from_before: Pose, odom_from_now: Pose) -> bool:
    moved_m, turned = pose_error(odom_from_now, odom_from_before)
    return moved_m < STANDS_M and turned < STANDS_RAD


def _small(image: Image) -> Image:
    """Make the grey image, of WIDTH, in which the same place looks alike when the light is another."""
    cv2 = load_extra("cv2", "map")
    grey = to_image(image)
    height, width = grey.shape
    size = (WIDTH, max(1, round(height * WIDTH / width)))
    return np.asarray(cv2.GaussianBlur(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), (0, 0), 1.0))


def _points(image: Image) -> NDArray[np.float32]:
    """Find corners (N, 2) that stand out of the noise."""
    cv2 = load_extra("cv2", "map")
    texture = cv2.cornerMinEigenVal(image.astype(np.float32) / 255.0, 5)
    found = cv2.goodFeaturesToTrack(
        image, MAX_POINTS, 1e-3, 8, mask=(texture > MIN_TEXTURE).astype(np.uint8), blockSize=5
    )
    return np.zeros((0, 2), np.float32) if found is None else np.asarray(found.reshape(-1, 2))


def _share_still(before: Image, now: Image, points: NDArray[np.float32]) -> float:
    cv2 = load_extra("cv2", "map")
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        _of_one_light(before), _of_one_light(now), points, None, winSize=(13, 13), maxLevel=2
    )
    moved = np.linalg.norm(found.reshape(-1, 2) - points, axis=1)
    return float(np.mean((status.ravel() == 1) & (moved < MAX_MOVE)))


def _of_one_light(image: Image) -> Image:
    """Take out brightness and contrast of the surroundings of each pixel: a lamp, or a dark coat beside it."""
    cv2 = load_extra("cv2", "map")
    values = image.astype(np.float32)
    mean = cv2.GaussianBlur(values, (0, 0), SURROUNDINGS)
    spread = np.sqrt(cv2.GaussianBlur((values - mean) ** 2, (0, 0), SURROUNDINGS))
    return np.clip((values - mean) * (40.0 / np.maximum(spread, 2.0)) + 128.0, 0, 255).astype(np.uint8)
