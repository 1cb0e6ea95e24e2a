"""One image against the landmarks: nearest landmark by descriptor, PnP with RANSAC, and its covariance."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.features.base import ImageFeatures
from campose_core.features.matching import IndexPairs, match_nearest
from campose_core.geometry import Array, Pose, skew
from campose_core.landmark_map.colmap import load_pycolmap, to_colmap_camera, to_colmap_pixels
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.statistics import robust_sigma

MAX_REPROJECTION = 4.0 / 640.0  # of the image width
MIN_INLIERS = 20
MIN_INLIER_RATIO = 0.25
MIN_SPREAD = 0.03  # of the image width: one thing far away or carried elsewhere (a poster, a box) is not a place
NOWHERE_PX = -1e6
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
    origin = origin_near(xyz)
    xyz = xyz - origin
    pycolmap = load_pycolmap()
    estimation = pycolmap.AbsolutePoseEstimationOptions()
    estimation.ransac.max_error = MAX_REPROJECTION * camera.width
    estimation.ransac.min_inlier_ratio = MIN_INLIER_RATIO  # bounds the trials on matches that are all wrong
    estimation.ransac.random_seed = 0
    found = pycolmap.estimate_and_refine_absolute_pose(
        usable_pixels(camera, pixels), xyz, to_colmap_camera(camera), estimation, refinement(), return_covariance=True
    )
    if found is None:
        return None
    return _supported(found, np.flatnonzero(found["inlier_mask"]), pixels, xyz, camera, origin)


def refine_pnp(pixels: Array, xyz: Array, camera: Camera, world_from_cam: Pose) -> CameraPose | None:
    """Find the camera pose, as `solve_pnp`, from one near by where most matches are right, without RANSAC.

    It takes a third of the time. Some matches pull the pose near by a robust loss; all that then agree decide it.
    pixels (N, 2), xyz (N, 3), and None, as in `solve_pnp`.
    """
    if len(pixels) < MIN_INLIERS:
        return None
    origin = origin_near(xyz)
    xyz = xyz - origin
    cam_from_world = Pose(world_from_cam.rotation, world_from_cam.translation - origin).inverse()
    in_front = np.flatnonzero(cam_from_world.transform(xyz)[:, 2] > 0)
    pulled = _refine(in_front[:: 1 + len(in_front) // ENOUGH], pixels, xyz, camera, cam_from_world)
    if pulled is None:
        return None
    cam_from_world = _pose(pulled["cam_from_world"])
    offsets = camera.project(cam_from_world.transform(xyz)) - pixels
    agreeing = np.flatnonzero(np.hypot(*offsets.T) < MAX_REPROJECTION * camera.width)
    found = _refine(agreeing, pixels, xyz, camera, cam_from_world)
    return None if found is None else _supported(found, agreeing, pixels, xyz, camera, origin)


def origin_near(xyz: Array) -> Array:
    """Return the whole kilometre nearest to the landmarks: COLMAP loses the millimetres of coordinates such as UTM's.

    xyz (N, 3): metres.
    """
    return np.asarray(np.round(xyz.mean(axis=0), -3))


def usable_pixels(camera: Camera, pixels: Array) -> Array:
    """Return COLMAP's pixels (N, 2) for a search with outliers; those that show no ray lie where nothing can be."""
    return np.nan_to_num(to_colmap_pixels(camera, pixels), nan=NOWHERE_PX)


def _refine(
    chosen: NDArray[np.intp], pixels: Array, xyz: Array, camera: Camera, cam_from_world: Pose
) -> dict[str, Any] | None:
    seen = to_colmap_pixels(camera, pixels[chosen])
    chosen, seen = chosen[np.isfinite(seen).all(axis=1)], seen[np.isfinite(seen).all(axis=1)]
    if len(chosen) < MIN_INLIERS:
        return None
    pycolmap = load_pycolmap()
    start = pycolmap.Rigid3d(pycolmap.Rotation3d(cam_from_world.quat_xyzw), cam_from_world.translation)
    mask = np.ones(len(chosen), dtype=bool)
    found: dict[str, Any] | None = pycolmap.refine_absolute_pose(
        start, seen, xyz[chosen], mask, to_colmap_camera(camera), refinement(), return_covariance=True
    )
    return found


def refinement() -> Any:
    """Make COLMAP's options for refining a pose, which ends as soon as it gains next to nothing."""
    options = load_pycolmap().AbsolutePoseRefinementOptions()
    options.gradient_tolerance = 1e-3
    return options


def _pose(rigid: Any) -> Pose:
    return Pose(Rotation.from_quat(rigid.rotation.quat), rigid.translation)


def _supported(
    found: dict[str, Any], inliers: NDArray[np.intp], pixels: Array, xyz: Array, camera: Camera, origin: Array
) -> CameraPose | None:
    """COLMAP's answer with its covariance in the world, if enough of the matches agree with it, all over the image.

    xyz, and what was found, count from `origin`.
    """
    if len(inliers) < max(MIN_INLIERS, MIN_INLIER_RATIO * len(pixels)):
        return None
    if np.linalg.eigvalsh(np.cov(pixels[inliers].T))[0] < (MIN_SPREAD * camera.width) ** 2:
        return None
    cam_from_world = _pose(found["cam_from_world"])
    residuals = camera.project(cam_from_world.transform(xyz[inliers])) - pixels[inliers]
    covariance = covariance_in_world(found["covariance"], cam_from_world, residuals)
    if not np.isfinite(covariance).all():
        return None
    from_origin = cam_from_world.inverse()
    world_from_cam = Pose(from_origin.rotation, from_origin.translation + origin)
    return CameraPose(world_from_cam, covariance, inliers, pixels[inliers], xyz[inliers] + origin)


def covariance_in_world(unit_covariance: Array, cam_from_world: Pose, residuals: Array) -> Array:
    """Return the covariance (6, 6) of a camera's position and orientation in the world, of COLMAP's of cam_from_world.

    COLMAP's holds [rotation, translation] for unit pixel noise, the rotation in half angles (quaternion tangent): its
    angle is twice that, hence D (found right against Monte-Carlo). The noise is the robust spread of the residuals.
    With C = -R't: dC = -R'[t]x dphi - R' dt, and a turn dphi of the world in the camera is -R' dphi of the camera.
    """
    sigma_px = robust_sigma(residuals)
    doubled = np.diag([2.0, 2.0, 2.0, 1.0, 1.0, 1.0])
    world_from_cam = cam_from_world.rotation.as_matrix().T
    jacobian = np.zeros((6, 6))
    jacobian[:3, :3] = -world_from_cam @ skew(cam_from_world.translation)
    jacobian[:3, 3:] = -world_from_cam
    jacobian[3:, :3] = -world_from_cam
    spread = jacobian @ doubled
    return np.asarray(sigma_px**2 * spread @ unit_covariance @ spread.T)
