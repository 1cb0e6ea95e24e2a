"""Features against the landmarks that a prior expects in the image, where it expects them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from campose_core.camera import Camera
from campose_core.features.base import ImageFeatures
from campose_core.features.matching import Float32, nearest_in
from campose_core.geometry import Array, Pose
from campose_core.landmark_map.covisibility import Keyframes
from campose_core.landmark_map.focal_length import FrameMatches, WideMatches
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.pnp import ENOUGH, CameraPose, refine_pnp, solve_pnp
from campose_core.localization.estimators.base import PosePrior

NEAR = 12  # keyframes whose landmarks are looked for
SIGMAS = 3.0  # of the prior
NARROW, WIDE = 6.0 / 640.0, 96.0 / 640.0  # search radii, of the image width


class GuidedMatcher:
    """The pose near a prior, by descriptors: a wide search that the prior's covariance bounds, then a narrow one."""

    def __init__(self, landmarks: Landmarks, keyframes: Keyframes) -> None:
        self._landmarks, self._keyframes = landmarks, keyframes
        self._likeness = landmarks.kind.likeness

    def __call__(
        self, features: ImageFeatures, camera: Camera, prior: PosePrior
    ) -> tuple[CameraPose, Array, NDArray[np.intp]] | None:
        """Return the pose, and the pixels (N, 2) of the landmarks (N,) that it rests on; None where too few agree."""
        expected, xyz, similarity = self._compared(features, camera, prior.map_from_cam)
        if len(expected) < 2 or len(features.pixels) < 2:
            return None
        near = _within(_radii(camera, prior, xyz), features, camera, prior.map_from_cam, xyz)
        least = self._likeness.near_similarity
        seen, shown = nearest_in(np.where(near, similarity, -1.0), self._likeness.near_ratio, least)
        some = slice(None, None, 1 + len(seen) // ENOUGH)
        found = solve_pnp(features.pixels[seen[some]], xyz[shown[some]], camera)
        if found is None:
            return None
        near = _within(NARROW * camera.width, features, camera, found.world_from_cam, xyz)
        seen, shown = nearest_in(np.where(near, similarity, -1.0), 1.0, least)
        found = refine_pnp(features.pixels[seen], xyz[shown], camera, found.world_from_cam)
        if found is None:
            return None
        return found, features.pixels[seen[found.inliers]], expected[shown[found.inliers]]

    def widely(self, stamp_ns: int, features: ImageFeatures, camera: Camera, map_from_cam: Pose) -> WideMatches:
        """Return what an image taken about there may show."""
        _, xyz, similarity = self._compared(features, camera, map_from_cam)
        near = _within(WIDE * camera.width, features, camera, map_from_cam, xyz)
        least, ratio = self._likeness.near_similarity, self._likeness.near_ratio
        seen, shown = nearest_in(np.where(near, similarity, -1.0), ratio, least)
        return WideMatches(FrameMatches(stamp_ns, features.pixels[seen], xyz[shown]), map_from_cam)

    def _compared(
        self, features: ImageFeatures, camera: Camera, map_from_cam: Pose
    ) -> tuple[NDArray[np.intp], Array, Float32]:
        """Return the landmarks (N,) that may be in the image, their xyz (N, 3), and how alike features are (F, N)."""
        expected = self._expected(camera, map_from_cam)
        similarity = features.descriptors @ self._landmarks.unit_descriptors(expected).T
        return expected, self._landmarks.xyz[expected], similarity

    def _expected(self, camera: Camera, map_from_cam: Pose) -> NDArray[np.intp]:
        seen = self._keyframes.seen_by(self._keyframes.near(map_from_cam, NEAR))
        pixels = camera.project(map_from_cam.inverse().transform(self._landmarks.xyz[seen]))
        margin = WIDE * camera.width
        inside = (pixels > -margin).all(axis=1) & (pixels < np.add((camera.width, camera.height), margin)).all(axis=1)
        return seen[inside]


def _within(
    radii: Float32 | float, features: ImageFeatures, camera: Camera, map_from_cam: Pose, xyz: Array
) -> NDArray[np.bool_]:
    """Which feature (rows) is within the radius in pixels of where a landmark (columns) is expected."""
    # |a - b|^2 - r^2 = |a|^2 - 2 a.b + |b|^2 - r^2, one matrix product; about the image centre float32 is exact enough.
    a = features.pixels - camera.centre
    b = camera.project(map_from_cam.inverse().transform(xyz)) - camera.centre
    rows = np.column_stack([a, (a**2).sum(axis=1), np.ones(len(a))]).astype(np.float32)
    columns = np.column_stack([-2.0 * b, np.ones(len(b)), (b**2).sum(axis=1) - np.square(radii)]).astype(np.float32)
    return np.asarray(rows @ columns.T < 0)


def _radii(camera: Camera, prior: PosePrior, xyz: Array) -> Float32:
    """How far in pixels from its projection each landmark may be: a turn moves it by f angle, a step by f step / z."""
    depth = np.maximum(prior.map_from_cam.inverse().transform(xyz)[:, 2], 1e-3)
    step, turn = (np.linalg.eigvalsh(block)[-1] for block in (prior.covariance[:3, :3], prior.covariance[3:, 3:]))
    sigma = max(camera.focal) * np.sqrt(np.maximum(step, 0) / depth**2 + max(turn, 0))
    narrow, wide = NARROW * camera.width, WIDE * camera.width
    return np.minimum(SIGMAS * sigma + narrow, wide).astype(np.float32)
