"""The structure estimator: landmarks in the image, and PnP. With a prior they are followed, without one searched.

They are SIFT's. A scene that has a second kind (`localization.second_kind`) is asked by that where SIFT finds nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import chain

from campose_core.camera import Camera
from campose_core.features.base import ImageFeatures
from campose_core.frame import Frame
from campose_core.geometry import Pose
from campose_core.landmark_map.aligned import aligned_landmarks
from campose_core.landmark_map.covisibility import Keyframes
from campose_core.landmark_map.focal_length import WideMatches, lens_covariance
from campose_core.landmark_map.intrinsics import RefinedCameras
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.pnp import CameraPose
from campose_core.localization.calibration import CovarianceCalibration
from campose_core.localization.estimators.base import (
    SCENE_ALONE,
    EstimatorRequest,
    Kind,
    Matches,
    PoseEstimate,
    PosePrior,
    is_sure,
    most_sigma,
)
from campose_core.localization.guided_matching import GuidedMatcher
from campose_core.localization.relocalizer import Relocalizer
from campose_core.localization.second_kind import SecondKind
from campose_core.localization.threads import one_blas_thread
from campose_core.localization.tracker import Tracker
from campose_core.map_scale import MEASURED, MapScale
from campose_core.scene.scene import Scene

# Landmarks that agree. Of 126 images of other floors of a tower SIFT answered three, with 20, 26 and 32 landmarks; a
# map that has a second kind is of such a place. Other maps keep these answers: of a desk all right ones have so few.
DOUBTFUL = 40
# Of a place that SIFT has lost and the second kind follows: in each image SIFT's time would be lost, and for good its
# poses, which are the better ones (a kitchen: at most 1.2 cm off, against 12.5 cm).
SIFT_AGAIN_S = 1.0
MAX_CAMERAS = 32  # that are followed: a tracker takes 0.4 MB


log = logging.getLogger(__name__)


class StructureEstimator:
    """Pose from landmarks; none where too few landmarks agree, several where places look alike."""

    name, of_train_split = "structure", False

    def __init__(
        self,
        landmarks: Landmarks,
        refined: RefinedCameras,
        calibration: CovarianceCalibration,
        second: SecondKind | None = None,
        scale: MapScale = MEASURED,
    ) -> None:
        self.landmarks = landmarks
        self._second = second
        self._refined = refined
        self._calibrate = calibration
        self._extract = landmarks.extractor()
        self._keyframes = Keyframes(landmarks)
        self._most_sigma = most_sigma(scale, self._keyframes.depth)
        self._relocalize = Relocalizer(landmarks, self._keyframes)
        self._guided = GuidedMatcher(landmarks, self._keyframes)
        # By the camera's frame, since each camera follows its own last image: SIFT's tracker, then the second kind's.
        self._trackers: dict[str, list[Tracker]] = {}
        self._lost_ns: dict[str, int] = {}  # when SIFT's had no pose

    @classmethod
    def load(cls, scene: Scene, request: EstimatorRequest = SCENE_ALONE) -> StructureEstimator:
        """Load a mapped and aligned scene.

        Raises:
            MappingError: the scene has no landmarks. LocalizationError: it is not aligned.
        """
        calibration = CovarianceCalibration.load(scene)
        estimator = cls(
            aligned_landmarks(scene), RefinedCameras(scene), calibration, SecondKind.load(scene), scene.scale
        )
        if calibration.floor_m > estimator._most_sigma:
            log.warning(_why_all_are_lost(scene, calibration.floor_m, estimator._most_sigma))
        return estimator

    @classmethod
    def offered(cls, scene: Scene, request: EstimatorRequest) -> list[str]:
        return [cls.name] if scene.posed_frames() else []

    def estimate(self, frame: Frame, camera: Camera, prior: PosePrior | None = None) -> list[PoseEstimate]:
        """Look near the prior, where there is one and it is right; else wherever the image alone says."""
        return self.track(frame, camera, prior) or self.find(frame, self.features(frame), camera)

    @one_blas_thread
    def track(self, frame: Frame, camera: Camera, prior: PosePrior | None) -> list[PoseEstimate]:
        """Look near the prior or not at all; without one the last images are forgotten."""
        if prior is None:
            self._trackers.clear()
            self._lost_ns.clear()
            return []
        if frame.camera_frame not in self._trackers:
            seconds = [] if self._second is None else [self._second.tracker()]
            if len(self._trackers) >= MAX_CAMERAS:
                oldest = next(iter(self._trackers))
                del self._trackers[oldest]
                self._lost_ns.pop(oldest, None)
            self._trackers[frame.camera_frame] = [Tracker(self.landmarks, self._keyframes), *seconds]
        camera = self._refined.in_the_map(camera)
        sift, *seconds = self._trackers[frame.camera_frame]
        lost_ns = self._lost_ns.get(frame.camera_frame)
        lately = lost_ns is not None and 0 <= frame.stamp_ns - lost_ns < SIFT_AGAIN_S * 1e9
        for tracker in [*seconds, sift] if lately else [sift, *seconds]:
            pose = tracker.track(frame, camera, prior)
            found = self._sure(frame, camera, [pose], Kind.TRACKED, tracker.wide)
            if found:
                return found
            if tracker is sift:
                self._lost_ns[frame.camera_frame] = frame.stamp_ns
        return []

    def features(self, frame: Frame) -> ImageFeatures:
        """Extract what `find` looks with."""
        return self._extract(frame.image)

    @one_blas_thread
    def find(
        self, frame: Frame, features: ImageFeatures, camera: Camera, hints: Sequence[Pose] = ()
    ) -> list[PoseEstimate]:
        """Search by the image alone; `hints` (map_from_cam) are places to look at first."""
        camera = self._refined.in_the_map(camera)
        found, wide = self._relocalize(features, camera, hints), None
        if found and camera.focal_sigma > 0.0:
            wide = self._guided.widely(frame.stamp_ns, features, camera, found[0].world_from_cam)
        if self._second is not None and not found:
            found = self._second.find(frame.image, camera, hints)
        elif self._second is not None and len(found[0].inliers) < DOUBTFUL:
            found = self._second.confirmed(frame.image, camera, found)
        return self._sure(frame, camera, found, Kind.RELOCALIZED, wide)

    @one_blas_thread
    def refresh(self) -> None:
        for tracker in chain.from_iterable(self._trackers.values()):
            tracker.refresh()

    def _sure(
        self,
        frame: Frame,
        camera: Camera,
        found: Sequence[CameraPose | None],
        kind: Kind,
        wide: WideMatches | None,
    ) -> list[PoseEstimate]:
        """With calibrated covariances, and without those that may as well be elsewhere."""
        estimates = [
            PoseEstimate(
                frame.stamp_ns,
                pose.world_from_cam,
                self._calibrate(pose.covariance) + lens_covariance(pose, camera),
                len(pose.inliers),
                kind,
                Matches(camera, pose.pixels, pose.xyz, wide),
            )
            for pose in found
            if pose is not None
        ]
        return [estimate for estimate in estimates if is_sure(estimate.covariance, self._most_sigma)]


def _why_all_are_lost(scene: Scene, floor_m: float, most_m: float) -> str:
    residual = None if scene.alignment is None else scene.alignment.residual
    if residual is not None and residual.frames is not None and (residual.median_m or 0.0) > floor_m:
        found = f"{scene.path} is as its reference has it only to {floor_m:.2g} m"
        cure = "Map it with the calibration of its camera (--camera), or on the poses of the reference (`map --poses`)"
    else:
        found = f"poses in {scene.path} are sure to {floor_m:.2g} m at best, by keyframes that were left out of it"
        cure = "The map is bent, or a loop of the walk stayed open: `campose doctor` says where to record more"
    return f"{found}, and no pose is given out that is less sure than {most_m:.2g} m: all frames will be LOST. {cure}"
