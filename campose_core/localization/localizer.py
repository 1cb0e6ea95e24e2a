"""The localizer: what a robot may believe of what an estimator says.

One image in, one result out. Decisions depend on the images and their stamps alone, so that the node and a replay of
its bag agree; `latency_s` is measured, and decides nothing.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from campose_core.camera import Camera
from campose_core.errors import LocalizationError
from campose_core.frame import Frame
from campose_core.geometry import Array, Pose, covariance_at_lever, pose_error
from campose_core.landmark_map.intrinsics import camera_of_image
from campose_core.localization.estimators.base import PoseEstimate, PoseEstimator, PosePrior
from campose_core.localization.fusion import Fusion
from campose_core.localization.hypotheses import Hypotheses
from campose_core.localization.result import LocalizationResult, Status
from campose_core.map_scale import MEASURED, MapScale
from campose_core.motion.model import MotionModel, MotionOptions, UncertainPose
from campose_core.statistics import is_covariance, require_positive
from campose_core.walkable import WalkableMap

MISSED_INTERVALS = 2.5  # between images, and the camera is silent


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
    lost_after_s: float = 0.8

    def __post_init__(self) -> None:
        require_positive(LocalizationError, **vars(self))


class _Clock(NamedTuple):
    """When a camera's last image was taken, and how long after the one before."""

    stamp_ns: int
    interval_s: float = 0.0


class _Seen(NamedTuple):
    """An estimate, and what it says of the base: (6, 6) covariance about the map's axes."""

    map_from_base: Pose
    covariance: Array
    estimate: PoseEstimate

    @property
    def stamp_ns(self) -> int:
        return self.estimate.stamp_ns


class Localizer:
    """Estimator, place of the camera on the body, walkable floor, and the memory that the decisions need.

    Several cameras of one body share one state: their frames come in the order of their stamps, each with the
    intrinsics and the place of its camera, which its `camera_frame` names. A camera that sees nothing known stops none
    that does.

    motion: what predicts the next pose (`ImuMotion` where there is an IMU); by default the last velocity and odometry.
    scale: of the map that the estimator answers in. What an assumed one may be wrong by is in the covariances that come
    out and decides nothing; where it is unknown, odometry, which is in metres, is left alone.
    """

    def __init__(
        self,
        estimator: PoseEstimator,
        base_from_cam: Pose | None = None,
        walkable: WalkableMap | None = None,
        options: LocalizerOptions | None = None,
        motion: MotionModel | None = None,
        scale: MapScale = MEASURED,
    ) -> None:
        self.estimator = estimator
        self._scale = scale
        self.walkable = walkable
        self.options = options or LocalizerOptions()
        self._base_from_cam = base_from_cam or Pose.identity()
        self._fusion = Fusion(_motion_options(self.options), motion)
        self._hypotheses = Hypotheses(self._reachable, self.options.confirmations)
        self.reset()

    def reset(self, near: Pose | None = None) -> None:
        """Forget where the body was; the next poses must confirm each other, as at the start.

        near: about where the base is (map_from_base), as somebody says. Of places that look alike the nearest is
        taken; it is no pose, and what the images say wins.
        """
        self._near = near
        self._status = Status.INITIALIZING
        self._misses = 0
        self._newest_stamp_ns: int | None = None
        self._clocks: dict[str, _Clock] = {}  # by camera_frame
        self._hypotheses.clear()
        self._forget_place()

    def take_options(self, options: LocalizerOptions) -> None:
        """Go on with other options from the next image; what is believed stays."""
        self.options = options
        self._fusion.take_options(_motion_options(options))
        self._hypotheses.confirmations = options.confirmations

    def _forget_place(self) -> None:
        self._believed: _Seen | None = None
        self._floor_xy: tuple[float, float] | None = None
        self._fusion.forget()

    @property
    def status(self) -> Status:
        """Return what the last image, or a reset since, left known."""
        return self._status

    def localize(
        self, frame: Frame, camera: Camera, base_from_cam: Pose | None = None, odom_from_base: Pose | None = None
    ) -> LocalizationResult:
        """Return the result for `frame`, taken with intrinsics `camera`.

        base_from_cam replaces a place that moved. odom_from_base: the odometry at the frame's stamp, where there is
        any; it predicts where to look, and steadies the poses. A stamp before the last one (a bag that starts over)
        resets. Intrinsics of another image size of the same shape are scaled.

        Raises:
            LocalizationError: the image has another shape than the camera.
        """
        camera = camera_of_image(frame, camera)
        if base_from_cam is not None:
            self._base_from_cam = base_from_cam
        if not self._scale.is_known:
            odom_from_base = None
        self._take_stamp(frame.stamp_ns, frame.camera_frame)
        started = time.perf_counter()
        estimates = self.estimator.estimate(frame, camera, self._prior(frame.stamp_ns, odom_from_base))
        usable = [estimate for estimate in estimates if is_covariance(estimate.covariance)]
        result = self._judge(frame, [self._at_base(estimate) for estimate in usable])
        matches = usable[0].matches if usable else None
        return self._scaled(result._replace(latency_s=time.perf_counter() - started, matches=matches))

    def refresh(self) -> None:
        """Do now what the next image would wait for: a node calls it when the pose is published."""
        self.estimator.refresh()

    def _take_stamp(self, stamp_ns: int, camera_frame: str) -> None:
        if self._newest_stamp_ns is not None and stamp_ns < self._newest_stamp_ns:
            self.reset()
        pause_s = 0.0 if self._newest_stamp_ns is None else (stamp_ns - self._newest_stamp_ns) * 1e-9
        self._newest_stamp_ns = stamp_ns
        before = self._clocks.get(camera_frame, _Clock(stamp_ns))
        self._clocks[camera_frame] = _Clock(stamp_ns, (stamp_ns - before.stamp_ns) * 1e-9)
        # A camera of one image a second is not silent between two of them.
        patience_s = max(self.options.lost_after_s, MISSED_INTERVALS * before.interval_s)
        if pause_s > patience_s:
            self._hypotheses.clear()  # after a pause any place is in reach: what was seen before confirms none
        if self._believed is not None and (stamp_ns - self._believed.stamp_ns) * 1e-9 > patience_s:
            self._lose()

    def _prior(self, stamp_ns: int, odom_from_base: Pose | None) -> PosePrior | None:
        """Only of a place that is believed: what confirms a place must not have looked for it there."""
        expected = self._fusion.step(stamp_ns, odom_from_base)
        if self._believed is None or expected is None:
            return None
        return PosePrior(*self._at_camera(expected))

    def _at_camera(self, base: UncertainPose) -> UncertainPose:
        map_from_cam = base.pose * self._base_from_cam
        lever_in_map = map_from_cam.translation - base.pose.translation
        return UncertainPose(map_from_cam, covariance_at_lever(base.covariance, lever_in_map))

    def _at_base(self, estimate: PoseEstimate) -> _Seen:
        map_from_base = estimate.map_from_cam * self._base_from_cam.inverse()
        lever_in_map = map_from_base.translation - estimate.map_from_cam.translation
        return _Seen(map_from_base, covariance_at_lever(estimate.covariance, lever_in_map), estimate)

    def _judge(self, frame: Frame, places: list[_Seen]) -> LocalizationResult:
        if self._near is not None and len(places) > 1:
            near_m = [pose_error(place.map_from_base, self._near)[0] for place in places]
            places = [places[int(np.argmin(near_m))]]
        believed = self._believed
        if believed is not None:
            near = [place for place in places if self._reachable(believed, place)]
            if len(near) == 1:
                return self._believe(near[0], frame.camera_frame)
        winner = self._hypotheses.add(places, frame.camera_frame)
        if winner is not None:
            # Carried there, or mistaken before: the old place says nothing about this side of a wall.
            self._forget_place()
            return self._believe(winner, frame.camera_frame)
        if believed is not None:
            self._fusion.unseen(frame.stamp_ns)
        return self._missed(frame.stamp_ns, [place.estimate for place in places])

    def _scaled(self, result: LocalizationResult) -> LocalizationResult:
        """As it is given out."""
        within_map = result.covariance
        if result.map_from_base is None or within_map is None:
            return result._replace(scale=self._scale)
        covariance = self._scale.widened(within_map, result.map_from_base.translation)
        return result._replace(covariance=covariance, within_map_covariance=within_map, scale=self._scale)

    def _missed(self, stamp_ns: int, estimates: list[PoseEstimate]) -> LocalizationResult:
        self._misses += 1
        reason = "no pose found in the image"
        if len(estimates) > 1:
            reason = f"{len(estimates)} places look alike"
        elif estimates:
            what = "a jump" if self._believed is not None else "a first pose"
            reason = f"{what}: {self._hypotheses.in_a_row} of {self.options.confirmations} agreeing estimates"
        if self._misses >= self.options.lost_after_misses and self._believed is not None:
            self._lose()
        support = estimates[0].support if estimates else 0
        return LocalizationResult(stamp_ns, self._status, support=support, reason=reason)

    def _lose(self) -> None:
        """Hypotheses stay: they were confirmed without a belief to lean on."""
        self._status = Status.LOST
        self._forget_place()

    def _reachable(self, before: _Seen, after: _Seen) -> bool:
        """Whether a body within the speed limits, seen with these uncertainties (3 sigma), explains both."""
        elapsed_s = (after.stamp_ns - before.stamp_ns) * 1e-9
        distance_m, angle = pose_error(after.map_from_base, before.map_from_base)
        variances = np.diagonal(before.covariance) + np.diagonal(after.covariance)
        distance_noise, angle_noise = 3.0 * np.sqrt(variances[:3].sum()), 3.0 * np.sqrt(variances[3:].sum())
        return bool(
            distance_m <= self.options.max_speed_mps * elapsed_s + distance_noise + self.options.tolerance_m
            and angle <= self.options.max_turn_rate_radps * elapsed_s + angle_noise + self.options.tolerance_rad
        )

    def _believe(self, place: _Seen, camera_frame: str) -> LocalizationResult:
        self._status, self._misses = Status.TRACKING, 0
        self._hypotheses.clear()
        self._near = None
        estimate, seen = place.estimate, UncertainPose(place.map_from_base, place.covariance)
        base = self._fusion.seen(estimate.stamp_ns, seen, estimate.kind, camera_frame)
        self._believed = _Seen(*base, estimate)
        result = LocalizationResult(
            stamp_ns=estimate.stamp_ns,
            status=self._status,
            map_from_cam=estimate.map_from_cam if base is seen else self._at_camera(base).pose,
            map_from_base=base.pose,
            covariance=base.covariance,
            support=estimate.support,
            kind=estimate.kind,
        )
        return result if self.walkable is None else self._snap(result, base.pose, self.walkable)

    def _snap(self, result: LocalizationResult, map_from_base: Pose, walkable: WalkableMap) -> LocalizationResult:
        x, y, z = (float(v) for v in map_from_base.translation)
        snap = walkable.snap(x, y, came_from=self._floor_xy)
        if not snap.snapped:
            return result._replace(off_map=True, snap_distance_m=snap.distance_m)
        self._floor_xy = (snap.x, snap.y)
        snapped = Pose(map_from_base.rotation, np.array([snap.x, snap.y, z]))
        return result._replace(snapped_map_from_base=snapped, snap_distance_m=snap.distance_m)


def _motion_options(options: LocalizerOptions) -> MotionOptions:
    return MotionOptions(options.max_speed_mps, options.max_turn_rate_radps)
