"""Scale, level and bend of an aligned map: what the alignment itself says, and what cameras, floor and walls say."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from campose_core.doctor.lines_of_sight import cells_hit
from campose_core.errors import AlignmentError
from campose_core.floor import FloorMap
from campose_core.geometry import Array
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.levelling import level
from campose_core.landmark_map.planes import SurfacePoints, surface_points
from campose_core.scene import Alignment

FLOOR_M = 0.15  # landmarks this close to the floor's height are taken to lie on it
FACING_UP = 0.9
LEAST_FLOOR = 60
WALL_BAND_M = (0.3, 1.8)  # heights at which landmarks lie on what a floor map shows
ON_WALL_M = 0.15
TILT_DEG, SLOPE_DEG, BEND_M = 1.0, 1.0, 0.05
RESIDUAL_M, RESIDUAL_DEG = 0.1, 1.0
STEADY_M = 0.03  # of the heights of a camera on wheels, from the 5th to the 95th percentile
INSIDE_SHARE, WALLS_SHARE = 0.95, 0.5


def health_of(landmarks: Landmarks, alignment: Alignment, floor: FloorMap | None) -> dict[str, Any]:
    """Numbers by name, None where nothing tells; landmarks in the map frame. `complaints` says what is wrong, in words.

    The floor is taken to be at z = 0: a map of stairs or ramps is not level, and is said not to be. Where the scale is
    unknown, lengths are in units of the map, and say nothing of floor or bend.
    """
    heights = landmarks.frame_positions[:, 2]
    low, middle, high = (float(v) for v in np.percentile(heights, [5, 50, 95]))
    found: dict[str, Any] = {
        "method": alignment.method,
        "residual": dict(alignment.residual),
        "checks": [dict(check) for check in getattr(alignment, "checks", [])],
        "camera_height_m": middle,
        "camera_height_spread_m": high - low,
        "camera_heights": surface_shape(landmarks.frame_positions),
        **_level(landmarks),
        "keyframes_on_free_floor": None if floor is None else _share_inside(landmarks, floor),
        "landmarks_on_walls": None if floor is None else _share_on_walls(landmarks, floor),
    }
    if not alignment.scale.is_known:
        found |= {"floor": None, "camera_heights": None}
    return {**found, "complaints": _complaints(found)}


def surface_shape(points: Array) -> dict[str, float] | None:
    """How a surface z(x, y) of points (N, 3) lies: slope_deg of its plane, height_m of the middle, and bend_m, how far
    (5th to 95th percentile) a quadratic surface departs from the plane. None where the points do not span a plane."""
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
    return {"slope_deg": slope, "height_m": float(plane[0]), "bend_m": float(high - low)}


def _robust_fit(design: Array, values: Array) -> Array:
    """Least absolute deviations, by reweighting."""
    weight = np.ones(len(values))
    for _ in range(15):
        root = np.sqrt(weight)
        solution = np.linalg.lstsq(design * root[:, None], values * root, rcond=None)[0]
        weight = 1.0 / np.maximum(np.abs(values - design @ solution), 0.005)
    return np.asarray(solution)


def _level(landmarks: Landmarks) -> dict[str, Any]:
    """Degrees between the map's z axis and up as the large planes and as the cameras' x axes say; the floor's shape."""
    right = Rotation.from_quat(landmarks.frame_quats_xyzw).apply([1.0, 0.0, 0.0])
    values, vectors = np.linalg.eigh(right.T @ right / len(right))
    posture = None if values[1] < 0.02 else float(np.degrees(np.arccos(min(abs(vectors[2, 0]), 1.0))))
    unknown = {"tilt_by_planes_deg": None, "tilt_by_posture_deg": posture, "floor": None}
    points = surface_points(landmarks)
    try:
        found = level(landmarks, points)
    except AlignmentError:
        return unknown
    if not found.residual["level_planes"] + found.residual["upright_planes"]:
        return unknown
    tilt = float(np.degrees(np.arccos(np.clip(found.up[2], -1, 1))))
    floor = None if found.floor is None else _floor_shape(points, found.floor, found.up)
    return {**unknown, "tilt_by_planes_deg": tilt, "floor": floor}


def _floor_shape(points: SurfacePoints, height: float, up: Array) -> dict[str, float] | None:
    """Of the landmarks that lie on the floor: close to its height along `up`, on a surface that faces up."""
    on_floor = (np.abs(points.xyz @ up - height) < FLOOR_M) & (points.normals @ up > FACING_UP)
    if on_floor.sum() < LEAST_FLOOR:
        return None
    shape = surface_shape(points.xyz[on_floor])
    return None if shape is None else {"landmarks": float(on_floor.sum()), **shape}


def _share_inside(landmarks: Landmarks, floor: FloorMap) -> float:
    return float(np.mean(cells_hit(floor.free, floor, landmarks.frame_positions[:, :2])))


def _share_on_walls(landmarks: Landmarks, floor: FloorMap) -> float | None:
    """Of the landmarks at the height of walls and furniture that lie on the floor map, those beside occupied cells."""
    height = landmarks.xyz[:, 2]
    band = landmarks.xyz[(height > WALL_BAND_M[0]) & (height < WALL_BAND_M[1]), :2]
    band = band[cells_hit(floor.occupancy >= 0, floor, band)]
    if len(band) < LEAST_FLOOR or not floor.occupied.any():
        return None
    near = ndimage.distance_transform_edt(~floor.occupied) * floor.resolution <= ON_WALL_M
    return float(np.mean(cells_hit(near, floor, band)))


def _complaints(found: dict[str, Any]) -> list[str]:
    said = []
    for check in found["checks"]:
        if check.get("agree") is False:
            said.append(f"{check.get('method', 'another source')} disagrees with the alignment by {found['method']}")
    residual = found["residual"]
    if residual.get("median_m", 0.0) > RESIDUAL_M:
        said.append(f"the alignment by {found['method']} is off by {residual['median_m']:.2f} m (median)")
    if residual.get("median_deg", 0.0) > RESIDUAL_DEG:
        said.append(f"the alignment by {found['method']} is off by {residual['median_deg']:.1f} deg (median)")
    for name, what in (("tilt_by_planes_deg", "floor and walls"), ("tilt_by_posture_deg", "the cameras' posture")):
        if (found[name] or 0.0) > (TILT_DEG if name == "tilt_by_planes_deg" else 3 * TILT_DEG):
            said.append(f"the map is tilted by {found[name]:.1f} deg against {what}")
    floor = found["floor"]
    if floor and floor["slope_deg"] > SLOPE_DEG:
        said.append(f"the floor slopes by {floor['slope_deg']:.1f} deg")
    if floor and abs(floor["height_m"]) > BEND_M:
        said.append(f"the floor lies {100 * floor['height_m']:+.0f} cm from z = 0")
    bent = max((shape["bend_m"] for shape in (floor, _of_wheels(found)) if shape), default=0.0)
    if bent > BEND_M:
        said.append(f"the map is bent: its floor departs by {100 * bent:.0f} cm from a plane")
    inside = found["keyframes_on_free_floor"]
    if inside is not None and inside < INSIDE_SHARE:
        said.append(f"{1 - inside:.0%} of the keyframes stand where the floor map is not free")
    if found["landmarks_on_walls"] is not None and found["landmarks_on_walls"] < WALLS_SHARE:
        share = found["landmarks_on_walls"]
        said.append(f"only {share:.0%} of the landmarks at wall height lie on walls of the floor map")
    return said


def _of_wheels(found: dict[str, Any]) -> dict[str, float] | None:
    """The shape of the camera's heights, where they are those of a camera on wheels once a bend is taken away."""
    shape: dict[str, float] | None = found["camera_heights"]
    steady = shape and found["camera_height_spread_m"] < STEADY_M + 1.5 * shape["bend_m"]
    return shape if steady else None
