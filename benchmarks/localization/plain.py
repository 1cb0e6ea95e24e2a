"""The plain way, which everything is compared with: all features against all landmarks, PnP, no prior, no memory."""

from __future__ import annotations

from campose_core.camera import Camera
from campose_core.features.sift import SiftExtractor
from campose_core.frame import Frame
from campose_core.landmark_map.aligned import aligned_landmarks
from campose_core.landmark_map.intrinsics import RefinedCameras
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.pnp import LandmarkMatcher, solve_pnp
from campose_core.localization.estimators.base import Kind, PoseEstimate, PosePrior
from campose_core.scene import Scene


class PlainEstimator:
    """An image by itself against the whole map."""

    name = "plain"

    def __init__(self, landmarks: Landmarks, refined: RefinedCameras) -> None:
        self.landmarks = landmarks
        self._extract = SiftExtractor()
        self._match = LandmarkMatcher(landmarks)
        self._refined = refined

    @classmethod
    def load(cls, scene: Scene) -> PlainEstimator:
        return cls(aligned_landmarks(scene), RefinedCameras(scene))

    def estimate(self, frame: Frame, camera: Camera, prior: PosePrior | None = None) -> list[PoseEstimate]:
        features = self._extract(frame.image)
        seen, shown = self._match(features)
        found = solve_pnp(features.pixels[seen], self.landmarks.xyz[shown], self._refined(camera))
        if found is None:
            return []
        support = len(found.inliers)
        return [PoseEstimate(frame.stamp_ns, found.world_from_cam, found.covariance, support, Kind.RELOCALIZED)]

    def refresh(self) -> None:
        """Nothing: each image is by itself."""
