"""What a localizer says of one image."""

from __future__ import annotations

from enum import Enum
from math import isfinite
from typing import NamedTuple

import numpy as np

from campose_core.geometry import Array, Pose
from campose_core.localization.estimators.base import Kind, Matches
from campose_core.map_scale import MEASURED, MapScale
from campose_core.walkable import WalkableMap


class Status(str, Enum):
    """INITIALIZING: nothing confirmed since the start or a reset. PREDICTED: nothing is recognized, and odometry or an
    IMU says where the body went since. LOST: it was confirmed once, and is no longer."""

    INITIALIZING = "INITIALIZING"
    TRACKING = "TRACKING"
    PREDICTED = "PREDICTED"
    LOST = "LOST"


class LocalizationResult(NamedTuple):
    """What is known of one image. Poses are None unless they are believed (status TRACKING or PREDICTED).

    map_from_base is the pose as estimated; snapped_map_from_base the same moved to the walkable floor, None without a
    floor map or when `off_map`: too far from walkable floor to move it there. snap_distance_m: how far the snap is, or
    would be; None where nothing walkable is in reach. covariance: (6, 6) of map_from_base,
    (x, y, z, rx, ry, rz) about the map's axes; within_map_covariance: the same without what the map's scale may be
    wrong by, which is the same for all poses in it. kind: how the pose was found. reason: why there is no pose, else
    empty. matches: the landmarks that were found in the image, believed or not. scale: of the map.
    """

    stamp_ns: int
    status: Status
    map_from_cam: Pose | None = None
    map_from_base: Pose | None = None
    snapped_map_from_base: Pose | None = None
    covariance: Array | None = None
    snap_distance_m: float | None = None
    off_map: bool = False
    support: int = 0
    kind: Kind | None = None
    latency_s: float = 0.0
    reason: str = ""
    matches: Matches | None = None
    within_map_covariance: Array | None = None
    scale: MapScale = MEASURED

    @property
    def on_floor(self) -> Pose | None:
        """Return the pose to drive by: snapped, or as estimated where there is no floor map; None when off the map."""
        return None if self.off_map else self.snapped_map_from_base or self.map_from_base

    def in_map_of(self, scale: MapScale) -> LocalizationResult:
        """Return it as it is given out: what the scale may be wrong by is in the covariance."""
        within_map = self.covariance
        if self.map_from_base is None or within_map is None:
            return self._replace(scale=scale)
        covariance = scale.widened(within_map, self.map_from_base.translation)
        return self._replace(covariance=covariance, within_map_covariance=within_map, scale=scale)

    def snapped(self, walkable: WalkableMap, came_from: tuple[float, float] | None) -> LocalizationResult:
        """Return it with the pose moved to walkable floor; came_from: (x, y) on it before, for the side of walls."""
        assert self.map_from_base is not None, "asked of a pose"
        x, y, z = (float(v) for v in self.map_from_base.translation)
        snap = walkable.snap(x, y, came_from=came_from)
        if not snap.snapped:
            return self._replace(off_map=True, snap_distance_m=snap.distance_m if isfinite(snap.distance_m) else None)
        snapped = Pose(self.map_from_base.rotation, np.array([snap.x, snap.y, z]))
        return self._replace(snapped_map_from_base=snapped, snap_distance_m=snap.distance_m)
