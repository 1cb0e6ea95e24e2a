"""The images that several cameras of a rig took at one moment, against the landmarks together: one pose from all.

Generalized absolute pose (Lee et al., "Minimal solutions for pose estimation of a multi-camera system", Robotics
Research 2016), by pycolmap: rays that do not meet in one point. What one camera sees too little of, two may place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.camera import Camera
from campose_core.geometry import Array, Pose
from campose_core.landmark_map.colmap import from_colmap_pose, load_pycolmap, to_colmap_camera, to_colmap_pose
from campose_core.landmark_map.pnp import (
    MAX_REPROJECTION,
    MIN_INLIER_RATIO,
    MIN_INLIERS,
    MIN_SPREAD,
    covariance_in_world,
    origin_near,
    refinement,
    usable_pixels,
)


class RigView(NamedTuple):
    """One camera's pixels (N, 2) and the landmarks (N, 3) they show."""

    pixels: Array
    xyz: Array
    camera: Camera
    rig_from_cam: Pose


class RigPose(NamedTuple):
    """world_from_rig with its covariance (6, 6) over (x, y, z, rx, ry, rz) about the world's axes, in its units.

    inliers: indices of the agreeing matches, view by view.
    """

    world_from_rig: Pose
    covariance: Array
    inliers: list[NDArray[np.intp]]


def solve_rig_pnp(views: Sequence[RigView]) -> RigPose | None:
    """Find the rig's pose from the matches of all its cameras, or None.

    None under the conditions of `solve_pnp`, for all matches together; the cameras' places count as exact, in the
    world's unit. Matches of one spot are enough where another camera sees something else.
    """
    views = [view for view in views if len(view.pixels)]
    if sum(len(view.pixels) for view in views) < MIN_INLIERS:
        return None
    pixels, xyz = (np.concatenate([getattr(view, name) for view in views]) for name in ("pixels", "xyz"))
    index = np.repeat(np.arange(len(views)), [len(view.pixels) for view in views])
    origin = origin_near(xyz)
    pycolmap = load_pycolmap()
    ransac = pycolmap.RANSACOptions()
    ransac.max_error = MAX_REPROJECTION * float(np.mean([view.camera.width for view in views]))
    ransac.min_inlier_ratio = MIN_INLIER_RATIO
    ransac.random_seed = 0
    found = pycolmap.estimate_and_refine_generalized_absolute_pose(
        np.concatenate([usable_pixels(view.camera, view.pixels) for view in views]),
        xyz - origin,
        [int(i) for i in index],
        [to_colmap_pose(view.rig_from_cam.inverse()) for view in views],
        [to_colmap_camera(view.camera) for view in views],
        ransac,
        refinement(),
        return_covariance=True,
    )
    if found is None:
        return None
    agreeing = np.asarray(found["inlier_mask"], dtype=bool)
    inliers = [np.flatnonzero(agreeing[index == i]) for i in range(len(views))]
    if agreeing.sum() < max(MIN_INLIERS, MIN_INLIER_RATIO * len(pixels)) or not _spread(views, inliers):
        return None
    rig_from_world = from_colmap_pose(found["rig_from_world"])
    residuals = [
        view.camera.project((view.rig_from_cam.inverse() * rig_from_world).transform(view.xyz[rows] - origin))
        - view.pixels[rows]
        for view, rows in zip(views, inliers, strict=True)
    ]
    covariance = covariance_in_world(found["covariance"], rig_from_world, np.concatenate(residuals))
    if not np.isfinite(covariance).all():
        return None
    from_origin = rig_from_world.inverse()
    return RigPose(Pose(from_origin.rotation, from_origin.translation + origin), covariance, inliers)


def _spread(views: Sequence[RigView], inliers: Sequence[NDArray[np.intp]]) -> bool:
    """Whether the matches are not all in one spot or on one line of one image."""
    if sum(len(rows) >= MIN_INLIERS // 4 for rows in inliers) > 1:
        return True
    view, rows = max(zip(views, inliers, strict=True), key=lambda pair: len(pair[1]))
    return bool(np.linalg.eigvalsh(np.cov(view.pixels[rows].T))[0] >= (MIN_SPREAD * view.camera.width) ** 2)
