"""How far a camera turned between two of its images, by what is seen in both, whatever that is."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.extras import load_extra
from campose_core.frame import Frame, Image
from campose_core.geometry import Array, Pose
from campose_core.localization.klt import to_image
from campose_core.motion.model import UncertainPose

MAX_POINTS, MIN_POINTS = 200, 20
ROUNDS = 5  # of reweighting
TURN_RAD = 0.01  # a ray farther off moved by itself, or is near: people, and the way
MAX_DIFFERENCE = 25.0  # grey levels between a window and where it was found
LONGEST_S = 1.0
SIGMA_RAD = 0.02  # of the turns of a second together
MIN_SHARE = 0.4  # of the points that must have turned alike


def turned(before: Image, now: Image, camera: Camera) -> Rotation | None:
    """Return the rotation before_from_now of a camera between two grey images; None where too little says so."""
    cv2 = load_extra("cv2", "map")
    if before.shape != now.shape:
        return None
    points = cv2.goodFeaturesToTrack(before, MAX_POINTS, 0.01, 10)
    if points is None or len(points) < MIN_POINTS:
        return None
    found, status, difference = cv2.calcOpticalFlowPyrLK(before, now, points, None, winSize=(15, 15), maxLevel=4)
    good = (status.ravel() == 1) & (difference.ravel() < MAX_DIFFERENCE)
    if good.sum() < MIN_POINTS:
        return None
    scale = camera.width / now.shape[1]
    rays = [_rays(camera, (place.reshape(-1, 2)[good] + 0.5) * scale - 0.5) for place in (points, found)]
    return _rotation(*rays)


class ImageCarry:
    """Carries a pose on for LONGEST_S by the images of one camera: they say how it turned, the motion before how it
    moved on.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Carry nothing until a pose was seen."""
        self._last: tuple[Frame, Rotation] | None = None
        self._seen_ns = 0

    def seen(self, frame: Frame, map_from_cam: Pose) -> None:
        """Begin where the camera was seen."""
        self._last, self._seen_ns = (frame, map_from_cam.rotation), frame.stamp_ns

    def carried(self, frame: Frame, camera: Camera, coasted: UncertainPose) -> UncertainPose | None:
        """Return map_from_cam at the next image; None where it says nothing, or it is too long.

        coasted: map_from_cam as the motion before foresees it, of which the position is taken.
        """
        last = self._last
        if last is None or last[0].camera_frame != frame.camera_frame:
            return None
        self._last = None
        if (frame.stamp_ns - self._seen_ns) * 1e-9 > LONGEST_S:
            return None
        turn = turned(to_image(last[0].image), to_image(frame.image), camera)
        if turn is None:
            return None
        rotation = last[1] * turn
        self._last = frame, rotation
        covariance = coasted.covariance.copy()
        covariance[:3, 3:] = covariance[3:, :3] = 0.0
        covariance[3:, 3:] = SIGMA_RAD**2 * np.eye(3)
        return UncertainPose(Pose(rotation, coasted.pose.translation), covariance)


def _rays(camera: Camera, pixels: Array) -> Array:
    rays = np.column_stack([camera.rays(pixels), np.ones(len(pixels))])[:, :3]
    return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))


def _rotation(before: Array, now: Array) -> Rotation | None:
    """Find the rotation that most unit rays (N, 3) agree on: Wahba's problem, with Cauchy's weights."""
    weights = np.ones(len(before))
    for _ in range(ROUNDS):
        turn = Rotation.align_vectors(before, now, weights)[0]
        off = np.linalg.norm(before - turn.apply(now), axis=1)
        weights = 1.0 / (1.0 + (off / TURN_RAD) ** 2)
    return turn if np.mean(off < TURN_RAD) >= MIN_SHARE else None
