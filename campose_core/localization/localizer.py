"""The localizer: what a robot may believe of what an estimator says.

One image in, one result out. Decisions depend on the images and their stamps alone, so that the node and a replay of
its bag agree; `latency_s` is measured, and decides nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from campose_core.bag.imu import ImuSamples
from campose_core.camera import Camera
from campose_core.frame import Frame
from campose_core.geometry import Pose, covariance_at_lever, pose_error
from campose_core.landmark_map.intrinsics import camera_of_image
from campose_core.localization.camera_clocks import CameraClocks
from campose_core.localization.disagreements import Disagreements
from campose_core.localization.estimators.base import Kind, PoseEstimate, PoseEstimator, PosePrior
from campose_core.localization.fusion import Fusion
from campose_core.localization.hypotheses import Hypotheses
from campose_core.localization.image_carry import ImageCarry
from campose_core.localization.image_seen import ImageSeen, Seen
from campose_core.localization.options import LocalizerOptions
from campose_core.localization.prediction_watch import PredictionWatch
from campose_core.localization.result import LocalizationResult, Status
from campose_core.map_scale import MEASURED, MapScale
from campose_core.motion.model import MotionModel, UncertainPose
from campose_core.statistics import is_covariance
from campose_core.walkable import WalkableMap

SECOND_AGREES = 2  # images that must agree where landmarks contradict a prediction that could err so


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
        self._fusion = Fusion(self.options.motion, motion)
        self._hypotheses = Hypotheses(self._reachable, self.options.confirmations)
        self._watch, self._carry = PredictionWatch(), ImageCarry()
        self.reset()

    def reset(self, near: Pose | None = None, offered: UncertainPose | None = None) -> None:
        """Forget where the body was; the next poses must confirm each other, as at the start.

        near: about where the base is (map_from_base), as somebody says. Of places that look alike the nearest is
        taken; it is no pose, and what the images say wins. offered: where it was before a restart; it is looked for
        there first, and what is found must be confirmed as any other place.
        """
        self._near, self._offered = near, offered
        self._status = Status.INITIALIZING
        self._misses = 0  # images in a row without a place, seen or measured
        self._clocks = CameraClocks()
        self._hypotheses.clear()
        self._forget_place()

    def take_options(self, options: LocalizerOptions) -> None:
        """Go on with other options from the next image; what is believed stays."""
        self.options = options
        self._fusion.take_options(options.motion)
        self._hypotheses.confirmations = options.confirmations

    def _forget_place(self) -> None:
        self._believed: Seen | None = None
        self._is_seen = False  # in the last image
        self._known_ns = 0  # when the place was last seen, or measured
        self._believed_by = ""
        self._floor_xy: tuple[float, float] | None = None
        self._fusion.forget()
        self._watch.reset()
        self._carry.forget()
        self._disagreements = Disagreements()

    @property
    def status(self) -> Status:
        """Return what the last image, or a reset since, left known."""
        return self._status

    @property
    def contradiction(self) -> str:
        """Say which cameras go on to contradict each other, and the cure; empty while none do."""
        return self._disagreements.fault

    @property
    def motion_fault(self) -> str:
        """Say why odometry or IMU, which contradict the images, are not used, and the cure; empty where they do not."""
        return self._fusion.fault

    def localize(
        self,
        frame: Frame,
        camera: Camera,
        base_from_cam: Pose | None = None,
        odom_from_base: Pose | None = None,
        imu: ImuSamples | None = None,
        way: Sequence[tuple[int, Pose]] = (),
    ) -> LocalizationResult:
        """Return the result for `frame`, taken with intrinsics `camera`.

        base_from_cam replaces a place that moved. odom_from_base: the odometry at the frame's stamp, where there is
        any; it predicts where to look, and steadies the poses. imu, way: what was measured, and the odometry by stamp,
        since the last image; the way is of use where that is long ago. A stamp before the last one (a bag that starts
        over) resets. Intrinsics of another image size of the same shape are scaled.

        Raises:
            LocalizationError: the image has another shape than the camera.
        """
        camera = camera_of_image(frame, camera)
        if base_from_cam is not None:
            self._base_from_cam = base_from_cam
        if not self._scale.is_known:
            odom_from_base, way = None, ()
        patience_s = self._take_stamp(frame.stamp_ns, frame.camera_frame)
        started = time.perf_counter()
        if imu is not None:
            self._fusion.take_imu(imu)
        expected = self._fusion.step(frame.stamp_ns, odom_from_base, way)
        image = ImageSeen(frame, camera, odom_from_base, expected, self._fusion.predicted)
        if image.predicted is not None:
            self._known_ns, self._misses = frame.stamp_ns, 0
        elif self._believed is not None and (frame.stamp_ns - self._known_ns) * 1e-9 > patience_s:
            self._lose()
        estimates = self.estimator.estimate(frame, camera, self._prior(expected, image.predicted))
        usable = [estimate for estimate in estimates if is_covariance(estimate.covariance)]
        result = self._judge(image, [self._seen(estimate) for estimate in usable])
        matches = usable[0].matches if usable else None
        return result._replace(latency_s=time.perf_counter() - started, matches=matches).in_map_of(self._scale)

    def refresh(self) -> None:
        """Do now what the next image would wait for: a node calls it when the pose is published."""
        self.estimator.refresh()

    def _take_stamp(self, stamp_ns: int, camera_frame: str) -> float:
        """Return how long a belief lasts, in seconds, while nothing is seen and nothing measures the motion."""
        if self._clocks.goes_back(stamp_ns):
            self.reset()
        pause_s, patience_s = self._clocks.take(stamp_ns, camera_frame, self.options.lost_after_s)
        if pause_s > patience_s:
            # After a pause any place is in reach: what was seen before confirms none, and one image proves none.
            self._hypotheses.clear()
            self._is_seen = False
        return patience_s

    def _prior(self, expected: UncertainPose | None, predicted: UncertainPose | None) -> PosePrior | None:
        """Only of a place that is believed or offered: what confirms a place must not have looked for it there."""
        if self._believed is None and self._offered is not None:
            return PosePrior(*self._at_camera(self._offered))
        if self._believed is None or expected is None:
            return None
        return PosePrior(*self._at_camera(predicted if predicted is not None and not self._is_seen else expected))

    def _at_camera(self, base: UncertainPose) -> UncertainPose:
        map_from_cam = base.pose * self._base_from_cam
        lever_in_map = map_from_cam.translation - base.pose.translation
        return UncertainPose(map_from_cam, covariance_at_lever(base.covariance, lever_in_map))

    def _seen(self, estimate: PoseEstimate) -> Seen:
        return Seen(self._to_base(UncertainPose(estimate.map_from_cam, estimate.covariance)), estimate)

    def _to_base(self, cam: UncertainPose) -> UncertainPose:
        map_from_base = cam.pose * self._base_from_cam.inverse()
        lever_in_map = map_from_base.translation - cam.pose.translation
        return UncertainPose(map_from_base, covariance_at_lever(cam.covariance, lever_in_map))

    def _judge(self, image: ImageSeen, places: list[Seen]) -> LocalizationResult:
        if self._near is not None and len(places) > 1:
            near_m = [pose_error(place.base.pose, self._near)[0] for place in places]
            places = [places[int(np.argmin(near_m))]]
        near = [] if self._believed is None else [p for p in places if self._reachable(self._believed, p)]
        agreeing = near
        if image.predicted is not None:
            # Against what measured the way one image is not believed: it may be of elsewhere.
            agreeing = [place for place in near if self.options.in_reach(image.predicted, place.base, 0.0)]
        if len(agreeing) == 1:
            return self._believe(agreeing[0], image)
        could_err_so = near and image.predicted is not None
        enough = min(SECOND_AGREES, self.options.confirmations) if could_err_so else self.options.confirmations
        winner = self._hypotheses.add(places, image.frame.camera_frame, enough)
        if winner is not None:
            # Carried there, or mistaken before: the old place says nothing about this side of a wall.
            if not any(winner is place for place in near):
                self._forget_place()
            return self._believe(winner, image)
        return self._missed(image, [place.estimate for place in places])

    def _missed(self, image: ImageSeen, estimates: list[PoseEstimate]) -> LocalizationResult:
        self._misses += 1
        self._is_seen = False
        stamp_ns, reason = image.frame.stamp_ns, "no pose found in the image"
        if len(estimates) > 1:
            reason = f"{len(estimates)} places look alike"
        elif estimates:
            what = "a first pose"
            if self._believed is not None:
                what = "a jump"
                self._disagreements.differs(image.frame.camera_frame, self._believed_by)
            reason = self.contradiction or f"{what}: {self._hypotheses.why_none}"
        if self._believed is not None:
            self._fusion.unseen(stamp_ns)
            by_images = self._by_images(image) if image.predicted is None and not estimates else None
            if image.predicted is None and self._misses >= self.options.lost_after_misses:
                self._lose()
            elif by_images is not None:
                return self._carried_on(stamp_ns, by_images)
            elif image.predicted is not None and not self._another_sees(image.frame):
                judged = self._watch.judge(
                    image.frame, image.odom_from_base, image.predicted, bool(estimates), self.options.bounds
                )
                if isinstance(judged, UncertainPose):
                    return self._carried_on(stamp_ns, judged)
                reason = judged.reason
                if judged.is_lost:
                    self._lose()
        support = estimates[0].support if estimates else 0
        return LocalizationResult(stamp_ns, self._status, support=support, reason=reason)

    def _by_images(self, image: ImageSeen) -> UncertainPose | None:
        """Return map_from_base as the images carry it on, where that is known well enough."""
        if image.expected is None:
            return None
        carried = self._carry.carried(image.frame, image.camera, self._at_camera(image.expected))
        base = None if carried is None else self._to_base(carried)
        return base if base is not None and self.options.bounds.hold(base.covariance) else None

    def _another_sees(self, frame: Frame) -> bool:
        """Whether another camera has seen the place since this one's last image, which then adds nothing."""
        assert self._believed is not None, "asked of a place that is believed"
        since_ns = frame.stamp_ns - self._believed.stamp_ns
        return self._believed_by != frame.camera_frame and since_ns * 1e-9 <= self._clocks.interval_s(
            frame.camera_frame
        )

    def _carried_on(self, stamp_ns: int, base: UncertainPose) -> LocalizationResult:
        """Answer as predicted."""
        self._status = Status.PREDICTED
        return self._answer(stamp_ns, base, self._at_camera(base).pose, 0, Kind.PREDICTED)

    def _lose(self) -> None:
        """Hypotheses stay: they were confirmed without a belief to lean on."""
        self._status = Status.LOST
        self._forget_place()

    def _reachable(self, before: Seen, after: Seen) -> bool:
        """Whether a body within the speed limits explains both."""
        elapsed_s = (after.stamp_ns - before.stamp_ns) * 1e-9
        return self.options.in_reach(before.base, after.base, elapsed_s)

    def _believe(self, place: Seen, image: ImageSeen) -> LocalizationResult:
        self._status, self._misses, self._is_seen = Status.TRACKING, 0, True
        self._known_ns = image.frame.stamp_ns
        self._hypotheses.clear()
        self._near = self._offered = None
        seen, estimate = place
        base = self._fusion.seen(estimate.stamp_ns, seen, estimate.kind, image.frame.camera_frame)
        self._watch.recognized(image.frame, image.odom_from_base)
        self._disagreements.agrees(image.frame.camera_frame)
        self._believed, self._believed_by = Seen(base, estimate), image.frame.camera_frame
        map_from_cam = estimate.map_from_cam if base is seen else self._at_camera(base).pose
        self._carry.seen(image.frame, map_from_cam)
        return self._answer(estimate.stamp_ns, base, map_from_cam, estimate.support, estimate.kind)

    def _answer(
        self, stamp_ns: int, base: UncertainPose, map_from_cam: Pose, support: int, kind: Kind
    ) -> LocalizationResult:
        result = LocalizationResult(
            stamp_ns=stamp_ns,
            status=self._status,
            map_from_cam=map_from_cam,
            map_from_base=base.pose,
            covariance=base.covariance,
            support=support,
            kind=kind,
        )
        if self.walkable is None:
            return result
        result = result.snapped(self.walkable, self._floor_xy)
        if result.snapped_map_from_base is not None:
            x, y, _ = result.snapped_map_from_base.translation
            self._floor_xy = float(x), float(y)
        return result
