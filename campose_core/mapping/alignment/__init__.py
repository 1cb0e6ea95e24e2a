"""Where the reconstruction lies in the metric map frame: estimators of `map_from_sfm`, one method per file.

None of them knows of scenes or files; `campose_core.mapping.align` brings them together.
"""

from campose_core.mapping.alignment.poses import AGREEING_DEG, align_to_poses

__all__ = ["AGREEING_DEG", "align_to_poses"]
