"""The structure estimator: SIFT features against the scene's landmarks, and PnP."""

from __future__ import annotations

import numpy as np

from campose_core.camera import Camera
from campose_core.capture.frame import Frame
from campose_core.geometry import Similarity
from campose_core.localization.aligned import aligned_landmarks
from campose_core.localization.estimator import PoseEstimate
from campose_core.localization.query_camera import RefinedCameras
from campose_core.mapping.landmarks import Landmarks
from campose_core.mapping.pnp import LandmarkMatcher, SiftExtractor, solve_pnp
from campose_core.scene import Scene


class StructureEstimator:
    """Pose from landmarks, from one image and without a prior; None where too few landmarks agree."""

    name = "structure"

    def __init__(self, landmarks: Landmarks, map_from_sfm: Similarity, refined: RefinedCameras) -> None:
        self.landmarks = landmarks
        self.map_from_sfm = map_from_sfm
        self._extract = SiftExtractor()
        self._refined = refined
        self._match = LandmarkMatcher(landmarks)

    @classmethod
    def load(cls, scene: Scene) -> StructureEstimator:
        """From a mapped and aligned scene.

        Raises:
            MappingError: the scene has no landmarks. LocalizationError: it is not aligned.
        """
        landmarks, map_from_sfm = aligned_landmarks(scene)
        return cls(landmarks, map_from_sfm, RefinedCameras(scene))

    def estimate(self, frame: Frame, camera: Camera) -> PoseEstimate | None:
        features = self._extract(frame.image, self._refined(camera))
        seen, shown = self._match(features)
        found = solve_pnp(features.pixels[seen], self.landmarks.xyz[shown], features.camera)
        if found is None:
            return None
        rotation = self.map_from_sfm.rotation.as_matrix()
        into_map = np.zeros((6, 6))
        into_map[:3, :3] = self.map_from_sfm.scale * rotation
        into_map[3:, 3:] = rotation
        return PoseEstimate(
            frame.stamp_ns,
            self.map_from_sfm.transform_pose(found.sfm_from_cam),
            into_map @ found.covariance @ into_map.T,
            len(found.inliers),
        )
