"""Whether the base of a robot stands upright on its floor map: else the place of its camera is told wrongly."""

from __future__ import annotations

from collections import deque
from statistics import median

import numpy as np

from campose_core.localization.result import LocalizationResult

NEWEST, MIN_POSES = 30, 10
TILTED_DEG = 45.0  # no robot stands so; of the optical frame in place of the base, 90 and more


class BaseTilt:
    """Told of each image that was processed. Guarded by its owner's lock."""

    def __init__(self) -> None:
        self._tilts_deg: deque[float] = deque(maxlen=NEWEST)

    def take(self, result: LocalizationResult) -> None:
        """Take in a pose on a floor map; those of a camera that is the base itself say nothing."""
        if result.map_from_base is None or result.map_from_cam is None or result.snap_distance_m is None:
            return
        cam_from_base = result.map_from_cam.inverse() * result.map_from_base
        if np.allclose(cam_from_base.matrix(), np.eye(4)):
            return
        upward = result.map_from_base.rotation.as_matrix()[2, 2]
        self._tilts_deg.append(float(np.degrees(np.arccos(np.clip(upward, -1.0, 1.0)))))

    def fault(self) -> str:
        """Return by how much the base is tilted, and what to look at; empty where it stands upright."""
        if len(self._tilts_deg) < MIN_POSES or (tilt_deg := median(self._tilts_deg)) < TILTED_DEG:
            return ""
        return (
            f"the base lies {tilt_deg:.0f} degrees off upright in the map: base_from_camera, or tf, has to "
            "say where the camera's optical frame sits, whose z axis looks ahead and whose y axis looks down (looking "
            "forward, the quaternion x y z w is -0.5 0.5 -0.5 0.5), or the map is not level (`campose doctor`)"
        )
