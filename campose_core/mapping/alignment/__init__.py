"""Where the reconstruction lies in the metric map frame: estimators of `map_from_sfm`, one method per file.

None of them knows of scenes or files; `campose_core.mapping.align` brings them together.
"""

from campose_core.mapping.alignment.distance import align_by_distance
from campose_core.mapping.alignment.points import align_to_points, robust_umeyama
from campose_core.mapping.alignment.poses import AGREEING_DEG, align_to_poses
from campose_core.mapping.alignment.posture import upright_direction

__all__ = [
    "AGREEING_DEG",
    "align_by_distance",
    "align_to_points",
    "align_to_poses",
    "robust_umeyama",
    "upright_direction",
]
