"""Scale, level and bend of an aligned map: what the alignment itself says, and what cameras, floor and walls say."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.errors import AlignmentError
from campose_core.floor import FloorMap
from campose_core.floorplan.fit import share_on_free_floor, share_on_walls
from campose_core.geometry import Array
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.levelling import Level, level
from campose_core.landmark_map.planes import SurfacePoints, surface_points
from campose_core.residual import Check, Residual
from campose_core.scene.alignment import Alignment

FLOOR_M = 0.15  # landmarks this close to the floor's height are taken to lie on it
FACING_UP = 0.9
MIN_FLOOR = 60
TILT_DEG, SLOPE_DEG, BEND_M = 1.0, 1.0, 0.05
RESIDUAL_M, RESIDUAL_DEG = 0.1, 1.0
STEADY_M = 0.03  # of the heights of a camera on wheels, from the 5th to the 95th percentile
INSIDE_SHARE, WALLS_SHARE = 0.95, 0.5


@dataclass(frozen=True)
class SurfaceShape:
    """How a surface z(x, y) lies: slope_deg of its plane, height_m of the middle, and bend_m, how far (5th to 95th
    percentile) a quadratic surface departs from the plane."""

    slope_deg: float
    height_m: float
    bend_m: float


@dataclass(frozen=True)
class FloorShape(SurfaceShape):
    """Of the floor; landmarks: that lie on it."""

    landmarks: int


@dataclass(frozen=True)
class MapHealth:
    """What the alignment, cameras, floor and walls say; None where nothing tells.

    camera_height_m: median, in the map; camera_height_spread_m: from the 5th to the 95th percentile. camera_heights:
    of the surface on which the cameras moved. tilt_by_...: between the map's z axis and up, as the large planes and as
    the cameras' x axes say. keyframes_on_free_floor, landmarks_on_walls: shares.
    """

    method: str
    residual: Residual
    checks: tuple[Check, ...]
    camera_height_m: float
    camera_height_spread_m: float
    camera_heights: SurfaceShape | None = None
    tilt_by_planes_deg: float | None = None
    tilt_by_posture_deg: float | None = None
    floor: FloorShape | None = None
    keyframes_on_free_floor: float | None = None
    landmarks_on_walls: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        fields = {**asdict(self), "residual": self.residual.to_dict(), "checks": [c.to_dict() for c in self.checks]}
        return {**fields, "complaints": self.complaints}

    @property
    def complaints(self) -> list[str]:
        """Say what is wrong, in words."""
        said = [
            f"{check.method} disagrees with the alignment by {self.method}"
            for check in self.checks
            if check.agree is False
        ]
        if (self.residual.median_m or 0.0) > RESIDUAL_M:
            said.append(f"the alignment by {self.method} is off by {self.residual.median_m:.2f} m (median)")
        if (self.residual.median_deg or 0.0) > RESIDUAL_DEG:
            said.append(f"the alignment by {self.method} is off by {self.residual.median_deg:.1f} deg (median)")
        if (self.tilt_by_planes_deg or 0.0) > TILT_DEG:
            said.append(f"the map is tilted by {self.tilt_by_planes_deg:.1f} deg against floor and walls")
        if (self.tilt_by_posture_deg or 0.0) > 3 * TILT_DEG:
            said.append(f"the map is tilted by {self.tilt_by_posture_deg:.1f} deg against the cameras' posture")
        if self.floor is not None and self.floor.slope_deg > SLOPE_DEG:
            said.append(f"the floor slopes by {self.floor.slope_deg:.1f} deg")
        if self.floor is not None and abs(self.floor.height_m) > BEND_M:
            said.append(f"the floor lies {100 * self.floor.height_m:+.0f} cm from z = 0")
        bent = max((shape.bend_m for shape in (self.floor, self._of_wheels()) if shape is not None), default=0.0)
        if bent > BEND_M:
            said.append(f"the map is bent: its floor departs by {100 * bent:.0f} cm from a plane")
        inside, on_walls = self.keyframes_on_free_floor, self.landmarks_on_walls
        if inside is not None and inside < INSIDE_SHARE:
            said.append(f"{1 - inside:.0%} of the keyframes stand where the floor map is not free")
        if on_walls is not None and on_walls < WALLS_SHARE:
            said.append(f"only {on_walls:.0%} of the landmarks at wall height lie on walls of the floor map")
        return said

    def _of_wheels(self) -> SurfaceShape | None:
        """Return the shape of the camera's heights, where they are those of one on wheels once a bend is taken away."""
        shape = self.camera_heights
        steady = shape is not None and self.camera_height_spread_m < STEADY_M + 1.5 * shape.bend_m
        return shape if steady else None


def health_of(landmarks: Landmarks, alignment: Alignment, floor: FloorMap | None) -> MapHealth:
    """Measure it from landmarks in the map frame.

    The floor is taken to be at z = 0: a map of stairs or ramps is not level, and is said not to be. Where the scale is
    unknown, lengths are in units of the map, and say nothing of floor or bend.
    """
    low, middle, high = (float(v) for v in np.percentile(landmarks.frame_positions[:, 2], [5, 50, 95]))
    points, known = surface_points(landmarks), alignment.scale.is_known
    try:
        found: Level | None = level(landmarks, points)
    except AlignmentError:
        found = None
    by_planes = found if found is not None and found.planes else None
    return MapHealth(
        method=alignment.method,
        residual=alignment.residual,
        checks=alignment.checks,
        camera_height_m=middle,
        camera_height_spread_m=high - low,
        camera_heights=surface_shape(landmarks.frame_positions) if known else None,
        tilt_by_planes_deg=None if by_planes is None else _degrees_from_z(by_planes.up[2]),
        tilt_by_posture_deg=_tilt_by_posture(landmarks),
        floor=None if by_planes is None or not known else _floor_shape(points, by_planes),
        keyframes_on_free_floor=None if floor is None else share_on_free_floor(landmarks, floor),
        landmarks_on_walls=None if floor is None else share_on_walls(landmarks, floor),
    )


def surface_shape(points: Array) -> SurfaceShape | None:
    """Fit the shape of points (N, 3), z up; None where they do not span a plane."""
    xy = points[:, :2] - points[:, :2].mean(axis=0)
    across = np.linalg.svd(xy, compute_uv=False)[1] / np.sqrt(len(xy))
    if len(points) < 12 or across < 0.3:  # metres
        return None
    x, y = xy.T
    linear = np.stack([np.ones_like(x), x, y], axis=1)
    quadratic = np.hstack([linear, np.stack([x * x, x * y, y * y], axis=1)])
    plane, curved = (_robust_fit(design, points[:, 2]) for design in (linear, quadratic))
    low, high = np.percentile(quadratic @ curved - linear @ plane, [5, 95])
    slope = float(np.degrees(np.arctan(np.hypot(*plane[1:]))))
    return SurfaceShape(slope, float(plane[0]), float(high - low))


def _robust_fit(design: Array, values: Array) -> Array:
    """Least absolute deviations, by reweighting."""
    weight = np.ones(len(values))
    for _ in range(15):
        root = np.sqrt(weight)
        solution = np.linalg.lstsq(design * root[:, None], values * root, rcond=None)[0]
        weight = 1.0 / np.maximum(np.abs(values - design @ solution), 0.005)
    return np.asarray(solution)


def _tilt_by_posture(landmarks: Landmarks) -> float | None:
    """By the cameras' x axes, which people and robots keep level; None where these are all alike."""
    right = Rotation.from_quat(landmarks.frame_quats_xyzw).apply([1.0, 0.0, 0.0])
    values, vectors = np.linalg.eigh(right.T @ right / len(right))
    return None if values[1] < 0.02 else _degrees_from_z(abs(vectors[2, 0]))


def _degrees_from_z(cosine: float) -> float:
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _floor_shape(points: SurfacePoints, found: Level) -> FloorShape | None:
    """Of the landmarks that lie on the floor: close to its height along up, on a surface that faces up."""
    if found.floor is None:
        return None
    on_floor = (np.abs(points.xyz @ found.up - found.floor) < FLOOR_M) & (points.normals @ found.up > FACING_UP)
    if on_floor.sum() < MIN_FLOOR:
        return None
    shape = surface_shape(points.xyz[on_floor])
    return None if shape is None else FloorShape(shape.slope_deg, shape.height_m, shape.bend_m, int(on_floor.sum()))
