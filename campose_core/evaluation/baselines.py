"""What every estimator stands beside: the plain ways, which one that is worth its price must beat.

The nearest image is the estimator `retrieval`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.evaluation.estimates import Estimates
from campose_core.evaluation.outcomes import OutcomeTable
from campose_core.frame import Frame
from campose_core.landmark_map.aligned import aligned_landmarks
from campose_core.landmark_map.intrinsics import RefinedCameras
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.pnp import LandmarkMatcher, solve_pnp
from campose_core.localization.estimators.base import Kind, PoseEstimate, PosePrior
from campose_core.localization.result import Status
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.trajectory import Stamps, Trajectory


class PlainEstimator:
    """An image by itself against the whole map: all features against all landmarks, PnP, no prior, no memory."""

    name = "plain PnP"

    def __init__(self, landmarks: Landmarks, refined: RefinedCameras) -> None:
        self.landmarks = landmarks
        self._extract = landmarks.extractor()
        self._match = LandmarkMatcher(landmarks)
        self._refined = refined

    @classmethod
    def load(cls, scene: Scene) -> PlainEstimator:
        """Load a mapped and aligned scene.

        Raises:
            MappingError: the scene has no landmarks. LocalizationError: it is not aligned.
        """
        return cls(aligned_landmarks(scene), RefinedCameras(scene))

    def estimate(self, frame: Frame, camera: Camera, prior: PosePrior | None = None) -> list[PoseEstimate]:
        """Return the one pose that the landmarks found in the image say, none where too few agree."""
        features = self._extract(frame.image)
        seen, shown = self._match(features)
        found = solve_pnp(features.pixels[seen], self.landmarks.xyz[shown], self._refined(camera))
        if found is None:
            return []
        support = len(found.inliers)
        return [PoseEstimate(frame.stamp_ns, found.world_from_cam, found.covariance, support, Kind.RELOCALIZED)]

    def refresh(self) -> None:
        """Do nothing: each image is by itself."""


def mean_pose(stamps_ns: Stamps, training: Sequence[SceneFrame]) -> Estimates:
    """Answer every frame with the mean of the training poses, which need no image: what knowing the place is worth."""
    poses = [frame.map_from_cam for frame in training if frame.map_from_cam is not None]
    position = np.mean([pose.translation for pose in poses], axis=0)
    rotation = Rotation.concatenate([pose.rotation for pose in poses]).mean()
    count = len(stamps_ns)
    rotations = Rotation.from_quat(np.tile(rotation.as_quat(), (count, 1)))
    return _answers("mean pose", stamps_ns, Trajectory(stamps_ns, np.tile(position, (count, 1)), rotations))


def odometry_alone(stamps_ns: Stamps, odometry: Trajectory, truth: Trajectory) -> Estimates | None:
    """Answer with the odometry alone, put at the true pose of the first frame that both know; None where there is none.

    odometry: odom_from_camera.
    """
    _, moved = odometry.interpolate(stamps_ns)
    covered, true = truth.interpolate(moved.stamps_ns)
    if not covered.any():
        return None
    first = moved.pose(int(np.flatnonzero(covered)[0]))
    map_from_odom = true.pose(0) * first.inverse()
    positions = map_from_odom.transform(moved.positions)
    path = Trajectory(moved.stamps_ns, positions, map_from_odom.rotation * moved.rotations)
    return _answers("odometry alone", stamps_ns, path)


def _answers(name: str, stamps_ns: Stamps, path: Trajectory) -> Estimates:
    known = np.isin(stamps_ns, path.stamps_ns)
    statuses = [Status.TRACKING.value if answered else Status.LOST.value for answered in known]
    return Estimates(name, OutcomeTable(stamps_ns, statuses, [None] * len(stamps_ns), path))
