"""The retrieval estimator: the pose of the most similar mapped frame.

The plain baseline: an estimator that does not beat it has learned nothing (Sattler et al., "Understanding the
limitations of CNN-based absolute camera pose regression", CVPR 2019).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from campose_core.camera import Camera
from campose_core.errors import LocalizationError
from campose_core.features.vlad import Vlad
from campose_core.frame import Frame
from campose_core.geometry import Array, Pose, pose_error
from campose_core.landmark_map.aligned import aligned_landmarks
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.localization.estimators.base import SCENE_ALONE, EstimatorRequest, Kind, PoseEstimate, PosePrior
from campose_core.localization.threads import one_blas_thread
from campose_core.scene.scene import Scene

# Keyframes that all look the same way err by nothing in rotation, which proves nothing: 1 cm and 0.1 degrees.
MIN_VARIANCE = np.square([0.01, np.radians(0.1)])


class RetrievalEstimator:
    """Nearest keyframe by global descriptor. It always answers, wherever the camera is."""

    name, of_train_split = "retrieval", False

    def __init__(self, landmarks: Landmarks, among: NDArray[np.intp]) -> None:
        self._extract = landmarks.extractor()
        self._vlad = Vlad(landmarks.vlad_words)
        self._table = landmarks.frame_globals[among].astype(np.float32)
        self._poses = [landmarks.world_from_cam(i) for i in among]
        self._covariance = _left_out_covariance(self._poses, self._table)

    @classmethod
    def load(
        cls, scene: Scene, request: EstimatorRequest = SCENE_ALONE, split: str | None = None
    ) -> RetrievalEstimator:
        """Load a mapped and aligned scene, with the keyframes of one split or with all.

        Raises:
            MappingError: the scene has no landmarks. LocalizationError: it is not aligned, or fewer than two keyframes
                are left: how far retrieval is off shows between two.
        """
        landmarks = aligned_landmarks(scene)
        allowed = {frame.name for frame in scene.posed_frames(split)}
        among = np.flatnonzero([name in allowed for name in landmarks.frame_names])
        if len(among) < 2:
            where = f" in the split {split!r}" if split else ""
            raise LocalizationError(f"{scene.path} has {len(among)} keyframes to retrieve{where}, two are needed")
        return cls(landmarks, among)

    @classmethod
    def offered(cls, scene: Scene, request: EstimatorRequest) -> list[str]:
        return [cls.name] if scene.posed_frames() else []

    @one_blas_thread
    def estimate(self, frame: Frame, camera: Camera, prior: PosePrior | None = None) -> list[PoseEstimate]:
        features = self._extract(frame.image)
        if len(features.descriptors) == 0:
            return []
        best = int(np.argmax(self._table @ self._vlad.describe(features.descriptors)))
        return [PoseEstimate(frame.stamp_ns, self._poses[best], self._covariance, 1, Kind.RETRIEVED)]

    def refresh(self) -> None:
        """Do nothing: each image is by itself."""


def _left_out_covariance(poses: list[Pose], table: NDArray[np.float32]) -> Array:
    """From the errors of retrieving each keyframe among the others, alike in all directions."""
    similarity = table @ table.T
    np.fill_diagonal(similarity, -1.0)
    errors = np.array([pose_error(poses[i], poses[int(best)]) for i, best in enumerate(similarity.argmax(axis=1))])
    per_axis = np.maximum(np.mean(errors**2, axis=0) / 3.0, MIN_VARIANCE)
    return np.diag(np.repeat(per_axis, 3))
