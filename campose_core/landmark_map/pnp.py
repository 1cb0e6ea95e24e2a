"""One image against the landmarks: nearest landmark by descriptor, PnP with RANSAC, and its covariance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.camera import Camera
from campose_core.features.base import ImageFeatures
from campose_core.features.matching import IndexPairs, match_nearest
from campose_core.geometry import Array, Pose
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.pose_refinement import RefinedPose, covariance_in_world, offsets_of, refined_pose
from campose_core.landmark_map.pose_search import searched_pose
from campose_core.landmark_map.sightings import MAX_REPROJECTION as MAX_REPROJECTION
from campose_core.landmark_map.sightings import RigView, Sightings, sightings_of

MIN_INLIERS = 20
MIN_INLIER_RATIO = 0.25
MIN_SPREAD = 0.03  # of the image width: one thing far away or carried elsewhere (a poster, a box) is not a place
ROUNDS = 4  # of choosing the matches that agree with a pose found among outliers, and of refining it by them
ENOUGH = 200  # matches, for a pose that all matches will refine


class CameraPose(NamedTuple):
    """world_from_cam with its covariance (6, 6) over (x, y, z, rx, ry, rz) about the world's axes, in its units.

    inliers (N,): which of the matches agree; their pixels (N, 2) and landmarks xyz (N, 3).
    """

    world_from_cam: Pose
    covariance: Array
    inliers: NDArray[np.intp]
    pixels: Array
    xyz: Array


class LandmarkMatcher:
    """Finds the landmark whose descriptor is nearest, where it is like enough for its kind."""

    def __init__(self, landmarks: Landmarks) -> None:
        self._descriptors, self._likeness = landmarks.unit_descriptors(), landmarks.kind.likeness

    def __call__(self, features: ImageFeatures) -> IndexPairs:
        """Find index pairs (features, landmarks); each landmark at most once, with its nearest feature."""
        return match_nearest(features.descriptors, self._descriptors, self._likeness)


def solve_pnp(pixels: Array, xyz: Array, camera: Camera) -> CameraPose | None:
    """Find the camera pose from pixels (N, 2) and the landmarks (N, 3) they show, or None.

    None when fewer than MIN_INLIERS agree, or too small a share of the matches, or when they lie in one spot or on one
    line of the image (standard deviation across below MIN_SPREAD): three points always give some pose.
    """
    if len(pixels) < MIN_INLIERS:
        return None
    seen = sightings_of([RigView(pixels, xyz, camera, Pose.identity())])
    cam_from_world = searched_pose(seen, MIN_INLIER_RATIO)
    return None if cam_from_world is None else _supported(settled_pose(seen, cam_from_world), pixels, xyz, camera)


def refine_pnp(pixels: Array, xyz: Array, camera: Camera, world_from_cam: Pose) -> CameraPose | None:
    """Find the camera pose, as `solve_pnp`, from one near by where most matches are right, without RANSAC.

    Some matches pull the pose near by a robust loss; all that then agree decide it.
    pixels (N, 2), xyz (N, 3), and None, as in `solve_pnp`.
    """
    if len(pixels) < MIN_INLIERS:
        return None
    seen = sightings_of([RigView(pixels, xyz, camera, Pose.identity())])
    some = np.arange(len(seen.rows))[:: 1 + len(seen.rows) // ENOUGH]
    pulled = refined_pose(seen.only(some), world_from_cam.inverse())
    if pulled is None:
        return None
    return _supported(settled_pose(seen, pulled.body_from_world, rounds=1), pixels, xyz, camera)


def settled_pose(
    seen: Sightings, body_from_world: Pose, rounds: int = ROUNDS
) -> tuple[RefinedPose, NDArray[np.intp]] | None:
    """Refine a pose by the matches that agree with it, and again by those that then do; None where they are too few.

    Returns with it the places of these matches among all, view after view.
    """
    least = max(MIN_INLIERS, MIN_INLIER_RATIO * len(seen.rows))
    agreeing = seen.agreeing(offsets_of(seen, body_from_world))
    settled: tuple[RefinedPose, NDArray[np.intp]] | None = None
    for _ in range(rounds):
        used = agreeing
        refined = refined_pose(seen.only(used), body_from_world) if len(used) >= least else None
        if refined is None:
            return None
        settled, body_from_world = (refined, seen.rows[used]), refined.body_from_world
        agreeing = seen.agreeing(offsets_of(seen, body_from_world))
        if np.array_equal(used, agreeing):
            break
    return settled


def _supported(
    found: tuple[RefinedPose, NDArray[np.intp]] | None, pixels: Array, xyz: Array, camera: Camera
) -> CameraPose | None:
    """Make the answer, where what agrees with it is all over the image, and leaves nothing open."""
    if found is None:
        return None
    refined, inliers = found
    if np.linalg.eigvalsh(np.cov(pixels[inliers].T))[0] < (MIN_SPREAD * camera.width) ** 2:
        return None
    covariance = covariance_in_world(refined)
    if covariance is None:
        return None
    return CameraPose(refined.body_from_world.inverse(), covariance, inliers, pixels[inliers], xyz[inliers])
