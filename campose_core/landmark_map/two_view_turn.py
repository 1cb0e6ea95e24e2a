"""How a camera turned from one image to another, by what the two alone say."""

from __future__ import annotations

from typing import Any

from scipy.spatial.transform import Rotation

from campose_core.geometry import Array
from campose_core.landmark_map.colmap import load_pycolmap

MIN_INLIER_MATCHES = 15  # COLMAP's own bound for using a pair


def two_view_turn(cameras: tuple[Any, Any], points: tuple[Array, Array], geometry: Any) -> Rotation | None:
    """Return second_from_first of two images' verified geometry, pycolmap's; None where it tells none.

    cameras: pycolmap's, of the two. points: (N, 2) and (M, 2), all their keypoints, as COLMAP counts pixels.
    """
    pycolmap = load_pycolmap()
    if not len(geometry.inlier_matches):
        return None
    if not pycolmap.estimate_two_view_geometry_pose(cameras[0], points[0], cameras[1], points[1], geometry):
        return None
    return Rotation.from_quat(geometry.cam2_from_cam1.rotation.quat)
