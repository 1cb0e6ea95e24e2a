"""The localizer: what a robot may believe of what an estimator says.

One image in, one result out. Decisions depend on the images and their stamps alone, so that the node and a replay of
its bag agree; `latency_s` is measured, and decides nothing.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np

from campose_core.camera import Camera
from campose_core.capture.frame import Frame
from campose_core.errors import GeometryError, LocalizationError
from campose_core.geometry import Array, Pose, covariance_at_lever, pose_error
from campose_core.localization.estimator import PoseEstimate, PoseEstimator
from campose_core.walkable import WalkableMap


class Status(str, Enum):
    """INITIALIZING: nothing confirmed since the start or a reset. LOST: it was confirmed once, and is no longer."""

    INITIALIZING = "INITIALIZING"
    TRACKING = "TRACKING"
    LOST = "LOST"


@dataclass(frozen=True)
class LocalizerOptions:
    """How far a body moves between two images, and how much silence or confirmation decides.

    max_speed_mps, max_turn_rate_radps: bounds on the motion; a pose beyond them, and beyond three standard deviations
    of the two estimates plus tolerance_m, tolerance_rad (for what their covariance leaves out), is a jump.
    confirmations: so many consecutive estimates must agree before a jump, or the first pose of all, is believed.
    lost_after_misses, lost_after_s: so many images in a row, or so long, without a believed pose is LOST.

    Raises:
        LocalizationError: a value that is not positive.
    """

    max_speed_mps: float = 2.0
    max_turn_rate_radps: float = math.pi
    tolerance_m: float = 0.1
    tolerance_rad: float = math.radians(3)
    confirmations: int = 3
    lost_after_misses: int = 15
    lost_after_s: float = 2.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise LocalizationError(f"{name} must be positive, got {value!r}")


class LocalizationResult(NamedTuple):
    """What is known of one image. Poses are None unless they are believed (status TRACKING).

    map_from_base is the pose as estimated; snapped_map_from_base the same moved to the walkable floor, None without a
    floor map or when `off_map`: too far from walkable floor to move it there. covariance: (6, 6) of map_from_base,
    (x, y, z, rx, ry, rz) about the map's axes. reason: why there is no pose, else empty.
    """

    stamp_ns: int
    status: Status
    map_from_cam: Pose | None = None
    map_from_base: Pose | None = None
    snapped_map_from_base: Pose | None = None
    covariance: Array | None = None
    snap_distance_m: float | None = None
    off_map: bool = False
    support: int = 0
    latency_s: float = 0.0
    reason: str = ""

    @property
    def on_floor(self) -> Pose | None:
        """The pose to drive by: snapped, or as estimated where there is no floor map; None when off the map."""
        return None if self.off_map else self.snapped_map_from_base or self.map_from_base


class Localizer:
    """Estimator, place of the camera on the body, walkable floor and the memory that gating needs."""

    def __init__(
        self,
        estimator: PoseEstimator,
        base_from_cam: Pose | None = None,
        walkable: WalkableMap | None = None,
        options: LocalizerOptions | None = None,
    ) -> None:
        self.estimator = estimator
        self.walkable = walkable
        self.options = options or LocalizerOptions()
        self._cam_from_base = (base_from_cam or Pose.identity()).inverse()
        self.reset()

    def reset(self) -> None:
        """Forget where the body was; the next poses must confirm each other, as at the start."""
        self._status = Status.INITIALIZING
        self._believed: PoseEstimate | None = None
        self._unconfirmed: list[PoseEstimate] = []
        self._misses = 0
        self._newest_stamp_ns: int | None = None
        self._floor_xy: tuple[float, float] | None = None

    @property
    def status(self) -> Status:
        return self._status

    def localize(self, frame: Frame, camera: Camera, base_from_cam: Pose | None = None) -> LocalizationResult:
        """The result for `frame`, taken with intrinsics `camera`; `base_from_cam` replaces a place that moved.

        A stamp before the last one (a bag that starts over) resets. Intrinsics of another image size of the same shape
        are scaled.

        Raises:
            LocalizationError: the image has another shape than the camera.
        """
        camera = camera_of_image(frame, camera)
        if base_from_cam is not None:
            self._cam_from_base = base_from_cam.inverse()
        if self._newest_stamp_ns is not None and frame.stamp_ns < self._newest_stamp_ns:
            self.reset()
        self._newest_stamp_ns = frame.stamp_ns
        started = time.perf_counter()
        estimates = self.estimator.estimate(frame, camera)
        result = self._judge(frame.stamp_ns, estimates[0] if len(estimates) == 1 else None)
        return result._replace(latency_s=time.perf_counter() - started)

    def _judge(self, stamp_ns: int, estimate: PoseEstimate | None) -> LocalizationResult:
        if self._believed is not None and self._silence_s(stamp_ns) > self.options.lost_after_s:
            self._lose()
        if estimate is None or not np.isfinite(estimate.covariance).all():
            self._unconfirmed = []
            return self._missed(stamp_ns, 0, "no pose found in the image")
        if self._believed is not None and self._reachable(self._believed, estimate):
            return self._believe(estimate)
        if self._unconfirmed and not self._reachable(self._unconfirmed[-1], estimate):
            self._unconfirmed = []
        self._unconfirmed.append(estimate)
        if len(self._unconfirmed) < self.options.confirmations:
            agreeing = f"{len(self._unconfirmed)} of {self.options.confirmations} agreeing estimates"
            what = "a jump" if self._believed is not None else "a first pose"
            return self._missed(stamp_ns, estimate.support, f"{what}: {agreeing}")
        self._floor_xy = None  # carried there or mistaken before: the old place says nothing about this side of a wall
        return self._believe(estimate)

    def _missed(self, stamp_ns: int, support: int, reason: str) -> LocalizationResult:
        self._misses += 1
        if self._misses >= self.options.lost_after_misses and self._believed is not None:
            self._lose()
        return LocalizationResult(stamp_ns, self._status, support=support, reason=reason)

    def _lose(self) -> None:
        self._status = Status.LOST
        self._believed = None
        self._floor_xy = None

    def _silence_s(self, stamp_ns: int) -> float:
        assert self._believed is not None
        return (stamp_ns - self._believed.stamp_ns) * 1e-9

    def _reachable(self, before: PoseEstimate, after: PoseEstimate) -> bool:
        """Whether a body within the speed limits, seen with these uncertainties (3 sigma), explains both."""
        elapsed_s = (after.stamp_ns - before.stamp_ns) * 1e-9
        distance_m, angle = pose_error(after.map_from_cam, before.map_from_cam)
        variances = np.diagonal(before.covariance) + np.diagonal(after.covariance)
        distance_noise, angle_noise = 3.0 * np.sqrt(variances[:3].sum()), 3.0 * np.sqrt(variances[3:].sum())
        return bool(
            distance_m <= self.options.max_speed_mps * elapsed_s + distance_noise + self.options.tolerance_m
            and angle <= self.options.max_turn_rate_radps * elapsed_s + angle_noise + self.options.tolerance_rad
        )

    def _believe(self, estimate: PoseEstimate) -> LocalizationResult:
        self._status, self._believed, self._unconfirmed, self._misses = Status.TRACKING, estimate, [], 0
        map_from_base = estimate.map_from_cam * self._cam_from_base
        lever_in_map = map_from_base.translation - estimate.map_from_cam.translation
        result = LocalizationResult(
            stamp_ns=estimate.stamp_ns,
            status=self._status,
            map_from_cam=estimate.map_from_cam,
            map_from_base=map_from_base,
            covariance=covariance_at_lever(estimate.covariance, lever_in_map),
            support=estimate.support,
        )
        return result if self.walkable is None else self._snap(result, map_from_base, self.walkable)

    def _snap(self, result: LocalizationResult, map_from_base: Pose, walkable: WalkableMap) -> LocalizationResult:
        x, y, z = (float(v) for v in map_from_base.translation)
        snap = walkable.snap(x, y, came_from=self._floor_xy)
        if not snap.snapped:
            return result._replace(off_map=True, snap_distance_m=snap.distance_m)
        self._floor_xy = (snap.x, snap.y)
        snapped = Pose(map_from_base.rotation, np.array([snap.x, snap.y, z]))
        return result._replace(snapped_map_from_base=snapped, snap_distance_m=snap.distance_m)


def camera_of_image(frame: Frame, camera: Camera) -> Camera:
    """`camera` at the size of the image.

    Raises:
        LocalizationError: the image is not a scaled version of what the camera takes.
    """
    height, width = frame.image.shape[:2]
    if (width, height) == (camera.width, camera.height):
        return camera
    mismatch = f"the image is {width}x{height}, its camera {camera.width}x{camera.height}"
    if abs(width * camera.height / (height * camera.width) - 1) > 0.01:
        raise LocalizationError(f"{mismatch}: give the intrinsics of these images")
    try:
        return camera.resized(width, height)
    except GeometryError as error:
        raise LocalizationError(f"{mismatch}: {error}") from error
