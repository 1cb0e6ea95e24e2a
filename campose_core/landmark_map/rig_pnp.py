"""The images that several cameras of a rig took at one moment, against the landmarks together: one pose from all.

Generalized absolute pose (Lee et al., "Minimal solutions for pose estimation of a multi-camera system", Robotics
Research 2016): rays that do not meet in one point. What one camera sees too little of, two may place.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.geometry import Array, Pose
from campose_core.landmark_map.pnp import MIN_INLIER_RATIO, MIN_INLIERS, MIN_SPREAD, settled_pose
from campose_core.landmark_map.pose_refinement import covariance_in_world
from campose_core.landmark_map.pose_search import searched_pose
from campose_core.landmark_map.sightings import RigView as RigView
from campose_core.landmark_map.sightings import sightings_of


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
    counts = [len(view.pixels) for view in views]
    if sum(counts) < MIN_INLIERS:
        return None
    seen = sightings_of(views)
    start = searched_pose(seen, MIN_INLIER_RATIO)
    settled = None if start is None else settled_pose(seen, start)
    if settled is None:
        return None
    refined, rows = settled
    ends = np.cumsum([0, *counts])
    inliers = [rows[(rows >= low) & (rows < high)] - low for low, high in pairwise(ends)]
    covariance = covariance_in_world(refined) if _spread(views, inliers) else None
    return None if covariance is None else RigPose(refined.body_from_world.inverse(), covariance, inliers)


def _spread(views: Sequence[RigView], inliers: Sequence[NDArray[np.intp]]) -> bool:
    """Whether the matches are not all in one spot or on one line of one image."""
    if sum(len(rows) >= MIN_INLIERS // 4 for rows in inliers) > 1:
        return True
    view, rows = max(zip(views, inliers, strict=True), key=lambda pair: len(pair[1]))
    return bool(np.linalg.eigvalsh(np.cov(view.pixels[rows].T))[0] >= (MIN_SPREAD * view.camera.width) ** 2)
