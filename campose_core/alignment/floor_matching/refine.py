"""Where a reconstruction lies on a floor map, from the map alone: walls to walls, the path and the lines of sight on
free floor. Scale, heading and place are searched; a fit that another place explains as well is no answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt, map_coordinates
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from campose_core.alignment.floor_matching.outline import Outline, outline
from campose_core.alignment.floor_matching.search import Candidate, search
from campose_core.alignment.solvers.level import level_rotation
from campose_core.errors import AlignmentError
from campose_core.floor import FloorMap
from campose_core.geometry import Array, Similarity
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.levelling import level
from campose_core.residual import Residual

# By how much a wall of a map and a landmark on it may differ (plaster, images, cells): in metres, and as a share of
# the recorded part's radius, or a shrunken scene would fit into any corner.
NEAR_M, NEAR_SHARE = 0.1, 0.025
ROUGHLY, FINELY = (3.0,), (1.0, 0.4)
ROUGH_POINTS = 400
REFINED = 12  # of the candidates, those that fit best once they are roughly in place
UNIT = np.array([0.02, 0.02, 0.1, 0.1])  # of a refinement: 2 %, 1 degree, 10 cm
STEP = np.full(4, 0.01)  # of the numeric derivatives, in these units
FAR_M = 1.0  # farther is no worse
KNOWN_SCALE = 0.1  # how far a scale that is known may be off
# Root mean square of the walls from their middle: of a shrunken scene all are near a wall, wherever it is put down, and
# all places are one. No room that somebody walked in is smaller.
LEAST_RADIUS_M = 0.5
SLACK = 1.05  # of the ends of the scales
CAMERA_HEIGHTS_M = (0.1, 2.2)  # of any camera that is carried or driven
# A rendered floor fits its own map with a median of 1 cm, 84 % of the walls near, and 99 % of what was seen through on
# free floor; a plan without the furniture, or with other furniture, with up to 3 cm, 70 % and 98 %. Of seven maps of
# other floors the best fits had at most 58 % of the walls near.
MAX_MEDIAN_M, MIN_NEAR, MIN_FREE = 0.08, 0.64, 0.9
AMBIGUOUS = 0.9  # of the best score: a second fit this good is as likely (true fits: 0.45 to 0.75)
DISTINCT_M = 0.4  # fits between which the walls move by less (root mean square) are one
TOO_LARGE = "the recorded path is larger than the floor map: is it the map of this floor?"


class Fit(NamedTuple):
    """A refined place on the map, and how well it fits; near and free are shares of the walls and of the seen floor."""

    candidate: Candidate
    median_m: float
    near: float
    free: float

    @property
    def score(self) -> float:
        """Return what the best fit has most of, 0 to 1."""
        return self.near * self.free**2


def align_to_floor(
    landmarks: Landmarks, floor: FloorMap, scale: float | None = None, camera_height_m: float | None = None
) -> tuple[Similarity, Residual]:
    """Find `map_from_sfm` and its residual, from the walls of a floor map.

    scale: metres per unit of the landmarks, where it is known (from odometry). camera_height_m: of the cameras above
    the floor; needed where the recording did not see the floor, and narrows the search where it did.
    Of the residual median_m is that of the walls from the nearest wall of the map.

    Raises:
        AlignmentError: no walls in the map or in the recording, no fit, or two fits that are equally good (both are
            named).
    """
    if not floor.occupied.any() or not floor.free.any():
        kind = "occupied" if floor.free.any() else "free"
        raise AlignmentError(f"the floor map has no {kind} cells: nothing to align to")
    levelled = level(landmarks)
    level_from_sfm = Similarity(1.0, level_rotation(levelled.up), np.zeros(3))
    seen = outline(landmarks.transformed(level_from_sfm), levelled.floor)
    scales = _scales(seen, floor, scale, camera_height_m)
    field = _DistanceField.of(floor)
    found = search(seen, floor, scales)
    if not found:
        raise AlignmentError(TOO_LARGE)
    rough = sorted((_refined(seen, field, place, ROUGHLY) for place in found), key=lambda fit: -fit.score)
    refined = (_refined(seen, field, fit.candidate, FINELY) for fit in rough[:REFINED])
    # Least squares walk out of the scales that were asked for, down to a point.
    low, high = scales[0] / SLACK, scales[-1] * SLACK
    fits = _distinct([fit for fit in refined if low <= fit.candidate.scale <= high], seen)
    if not fits:
        raise AlignmentError(
            "the recording does not fit the floor map at any scale that it can have "
            f"({scales[0]:.3g} to {scales[-1]:.3g} m for each of its units)"
        )
    best = fits[0]
    second = fits[1].score / best.score if len(fits) > 1 and best.score > 0 else 0.0
    apart_m = max(MAX_MEDIAN_M, 1.5 * floor.resolution)
    if best.median_m > apart_m or best.near < MIN_NEAR or best.free < MIN_FREE:
        raise AlignmentError(
            f"the recording does not fit the floor map: at best the walls are {best.median_m:.2f} m apart (at most "
            f"{apart_m:.2f}), {100 * best.near:.0f} % of them near one of the map (at least {100 * MIN_NEAR:.0f}), and "
            f"{100 * best.free:.0f} % of what was seen through is free (at least {100 * MIN_FREE:.0f}). Is it the map "
            "of this floor, and of the part that was recorded?"
        )
    if second > AMBIGUOUS:
        raise AlignmentError(
            f"the place on the floor map is ambiguous: the first camera may have stood {_named(best, seen)} or "
            f"{_named(fits[1], seen)} (score ratio {second:.2f}). Give one point pair, or record a part that is not "
            "symmetric"
        )
    place = best.candidate
    height = _floor_z(seen, place.scale, camera_height_m)
    turn = Rotation.from_rotvec([0.0, 0.0, place.yaw])
    map_from_level = Similarity(place.scale, turn, np.array([place.x, place.y, height]))
    residual = Residual(
        median_m=best.median_m,
        near=best.near,
        free=best.free,
        second=second,
        level_planes=float(levelled.level_planes),
        upright_planes=float(levelled.upright_planes),
        posture_deg=levelled.posture_deg,
        level_deg=levelled.level_deg,
    )
    return map_from_level * level_from_sfm, residual


def _scales(seen: Outline, floor: FloorMap, scale: float | None, camera_height_m: float | None) -> Array:
    """List the scales to try: near the known one, or all that put the camera at a height a camera has."""
    path = float(np.linalg.norm(np.ptp(seen.path, axis=0)))
    least = LEAST_RADIUS_M / max(float(np.sqrt(np.sum(np.var(seen.walls, axis=0)))), 1e-12)
    rows, columns = floor.shape
    widest = math.hypot(rows, columns) * floor.resolution / max(path, 1e-12)
    if scale is not None:
        low, high = scale * (1 - KNOWN_SCALE), scale * (1 + KNOWN_SCALE)
    elif seen.floor is not None:
        unit = seen.camera_height - seen.floor
        heights = CAMERA_HEIGHTS_M if camera_height_m is None else (0.85 * camera_height_m, 1.15 * camera_height_m)
        low, high = max(heights[0] / unit, least), min(heights[1] / unit, widest)
    else:
        # Nothing tells: a view reaches 0.5 to 15 m in a building.
        low, high = max(0.5 / seen.depth, least), min(15.0 / seen.depth, widest)
    if low >= high:
        raise AlignmentError(TOO_LARGE)
    return np.asarray(np.geomspace(low, high, math.ceil(math.log(high / low) / math.log(1.03)) + 1))


def _floor_z(seen: Outline, scale: float, camera_height_m: float | None) -> float:
    if seen.floor is not None:
        return -scale * seen.floor
    if camera_height_m is None:
        raise AlignmentError("no floor was seen: give the camera's height above it with --camera-height")
    return camera_height_m - scale * seen.camera_height


@dataclass(frozen=True, eq=False)
class _DistanceField:
    """Metres from each cell centre to the nearest edge of a wall, and which cells are not free.

    The edge towards free floor, not the middle: landmarks lie on what is seen of a wall. The distance is negative on
    the far side of the edge, so that it can be interpolated.
    """

    floor: FloorMap
    distance: Array
    blocked: Array

    @classmethod
    def of(cls, floor: FloorMap) -> _DistanceField:
        to_wall, to_free = distance_transform_edt(~floor.occupied), distance_transform_edt(~floor.free)
        # From centre to centre; the edge lies half a cell before the centre on the other side.
        distance = np.where(floor.free, to_wall - 0.5, 0.5 - to_free)
        distance = np.where(floor.free | floor.occupied, distance, 0.5 - np.maximum(to_wall, to_free))
        blocked = np.where(floor.free, 0.0, np.where(floor.occupied, 1.0, 0.5))
        return cls(floor, distance * floor.resolution, blocked)

    def at(self, xy: Array, what: Array, outside: float) -> Array:
        grid = self.floor.grid_of(xy) - 0.5
        return np.asarray(map_coordinates(what, [grid[:, 1], grid[:, 0]], order=1, mode="constant", cval=outside))


def _refined(seen: Outline, field: _DistanceField, start: Candidate, widths: tuple[float, ...]) -> Fit:
    """Least squares on the distance field, with a robust loss of these widths, in tolerances, one after the other."""
    chosen = slice(None, None, max(1, len(seen.walls) // ROUGH_POINTS) if widths == ROUGHLY else 1)
    walls = seen.walls[chosen]
    weight = np.sqrt(seen.wall_weights[chosen] / seen.wall_weights[chosen].sum())
    radius = start.scale * float(np.sqrt(np.sum(np.var(seen.walls, axis=0))))
    tolerance = float(np.clip(NEAR_SHARE * radius, 0.5 * field.floor.resolution, NEAR_M))

    def misfit(parameters: Array) -> Array:
        place = Candidate.from_vector(parameters)
        return np.minimum(np.abs(field.at(place.transform(walls), field.distance, FAR_M)), FAR_M)

    parameters = start.vector()
    for width in widths:

        def softened(moved: Array, begin: Array = parameters, width: float = width * tolerance) -> Array:
            d = misfit(begin + UNIT * (moved - 1)) / width
            return np.asarray(weight * np.sqrt(np.log1p(d * d)))

        # About 1, not 0, because the steps of the derivatives are relative.
        parameters = parameters + UNIT * (least_squares(softened, np.ones(4), diff_step=STEP).x - 1)
    place = Candidate.from_vector(parameters)
    distance = misfit(parameters)
    near = float(np.sum(weight**2 * np.exp(-0.5 * (distance / tolerance) ** 2)))
    blocked = field.at(place.transform(seen.free), field.blocked, 0.5)
    walked = field.at(place.transform(seen.path), field.blocked, 0.5)
    free = 1.0 - 0.5 * float(blocked.mean() + walked.mean())
    return Fit(place, _weighted_median(distance, weight**2), near, free)


def _weighted_median(values: Array, weights: Array) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, 0.5 * total[-1])])


def _distinct(fits: list[Fit], seen: Outline) -> list[Fit]:
    """Sort the best fit first; of fits that put the scene at the same place keep only the best."""
    kept: list[Fit] = []
    for fit in sorted(fits, key=lambda fit: -fit.score):
        if all(fit.candidate.apart(other.candidate, seen.walls) > DISTINCT_M for other in kept):
            kept.append(fit)
    return kept


def _named(fit: Fit, seen: Outline) -> str:
    x, y = fit.candidate.transform(seen.path[:1])[0]
    heading = math.degrees(fit.candidate.yaw + seen.first_heading)
    return f"at ({x:.2f}, {y:.2f}) m looking to {(heading + 180) % 360 - 180:.0f} degrees"
