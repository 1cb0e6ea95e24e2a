"""How well a camera would find itself, at every place of the floor and in eight directions, told from the landmarks.

A landmark counts for a view when the view is like those it was seen in: it is in the image, about as far away, and
seen from about the same side; and no wall stands between. SIFT endures changes of direction and of distance, less so
the greater they are (Mikolajczyk and Schmid, "A performance evaluation of local descriptors", PAMI 2005): a landmark's
weight falls with the square, over changes that fit images taken at random places. What share of the landmarks that
could be seen is found again, the map's own keyframes tell. `benchmarks/doctor.py` compares the forecast with images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.doctor.lines_of_sight import LinesOfSight
from campose_core.geometry import Array
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.pnp import MIN_INLIERS, MIN_SPREAD
from campose_core.statistics import evenly_spaced
from campose_core.walkable import WalkableMap

HEADINGS = np.arange(8) * np.pi / 4  # radians about z, from the x axis
# Beyond the directions and distances that it was seen from, a landmark is found less and less, up to these changes.
CHANGE_OF_SIDE = np.radians(60.0)
CHANGE_OF_DISTANCE = np.log(3.0)
SURE, POSSIBLE = 1.5 * MIN_INLIERS, 0.5 * MIN_INLIERS  # expected landmarks, for PnP's least number in spite of chance
NEAR_WALL_M = 0.8  # a camera this close to what it looks at sees no place
CALIBRATION_FRAMES = 60
STEP_M, MAX_PLACES = 0.5, 800
MAX_LANDMARKS = 20_000  # a sample of more tells the same, in seconds
BESIDE_PATH_M = 1.0  # without a floor map
LOST, DOUBTFUL, FOUND, AT_WALL = 0, 1, 2, 3


@dataclass(frozen=True, eq=False)
class Coverage:
    """P places on a square grid, each with a camera that looks in HEADINGS.

    places (P, 2), metres in the map frame; expected (P, 8) landmarks that such a camera would find; level (P, 8) LOST,
    DOUBTFUL, FOUND, or AT_WALL where it would look at a near wall and tells nothing. step_m: of the grid.
    """

    places: Array
    expected: Array
    level: NDArray[np.int8]
    step_m: float

    def share(self, level: int) -> float:
        """Return the share of this level among the views that are not AT_WALL; NaN when there are none."""
        counted = self.level[self.level != AT_WALL]
        return float(np.mean(counted == level)) if len(counted) else float("nan")


class Forecast:
    """Tells for any view how many landmarks it would find, and how widely they would lie in the image.

    landmarks: in the map frame. sight: walls that hide landmarks, or None where no floor map is known.
    """

    def __init__(self, landmarks: Landmarks, camera: Camera, sight: LinesOfSight | None) -> None:
        self._camera = camera
        self._sight = sight
        self._half_angle = widest_angle(camera)
        n = len(landmarks.xyz)
        number = np.full(n, -1)
        sample = evenly_spaced(n, MAX_LANDMARKS)
        number[sample] = np.arange(len(sample))
        looks = number[landmarks.observed] >= 0
        of, by = number[landmarks.observed[looks]], landmarks.observed_by[looks]
        self._xyz = landmarks.xyz[sample]
        seen_from = landmarks.frame_positions[by] - self._xyz[of]
        distance = np.maximum(np.linalg.norm(seen_from, axis=1), 1e-9)
        towards = seen_from / distance[:, None]
        axis = np.stack([np.bincount(of, c, minlength=len(sample)) for c in towards.T], axis=1)
        self._axis = axis / np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-9)
        self._cone, self._farthest = np.zeros(len(sample)), np.zeros(len(sample))
        self._nearest = np.full(len(sample), np.inf)
        np.maximum.at(self._cone, of, np.arccos(np.clip((towards * self._axis[of]).sum(axis=1), -1, 1)))
        np.maximum.at(self._farthest, of, distance)
        np.minimum.at(self._nearest, of, distance)
        self._found_share = 1.0
        self._found_share = self._share_found_again(landmarks)

    def _likeness(self, position: Array, free: Array | None) -> tuple[NDArray[np.intp], Array]:
        """Rows of the landmarks that look from `position` (3,) as they were seen, and how much so, from 0 to 1; free:
        how far one sees from there, see LinesOfSight."""
        offset = position - self._xyz
        distance = np.maximum(np.linalg.norm(offset, axis=1), 1e-9)
        factor = np.exp(CHANGE_OF_DISTANCE)
        near = np.flatnonzero((distance < factor * self._farthest) & (distance > self._nearest / factor))
        distance = distance[near]
        turned = np.arccos(np.clip((offset[near] * self._axis[near]).sum(axis=1) / distance, -1, 1))
        aside = np.maximum(turned - self._cone[near], 0) / CHANGE_OF_SIDE
        scaled = np.maximum(np.log(self._nearest[near] / distance), np.log(distance / self._farthest[near]))
        weight = np.clip(1 - aside, 0, 1) * np.clip(1 - np.maximum(scaled, 0) / CHANGE_OF_DISTANCE, 0, 1)
        weight = weight**2
        if free is not None:
            weight = weight * LinesOfSight.reached(self._xyz[near], position, free)
        like = weight > 0
        return near[like], weight[like]

    def found(self, position: Array, map_from_cams: Rotation) -> tuple[Array, Array]:
        """Count the landmarks that cameras at `position` (3,), turned as `map_from_cams` (H,), would find.

        Returns (H,) expected number, and (H,) the standard deviation of their pixels across, in image widths.
        """
        return self._found(position, map_from_cams, self._free_distance(position))

    def _free_distance(self, position: Array) -> Array | None:
        return None if self._sight is None else self._sight.free_distance(position)

    def _found(self, position: Array, map_from_cams: Rotation, free: Array | None) -> tuple[Array, Array]:
        rows, weight = self._likeness(position, free)
        numbers, spreads = np.zeros(len(map_from_cams)), np.zeros(len(map_from_cams))
        offset = self._xyz[rows] - position
        distance = np.linalg.norm(offset, axis=1)
        size = np.array([self._camera.width, self._camera.height])
        for i, rotation in enumerate(map_from_cams):
            in_cam = offset @ rotation.as_matrix()
            ahead = in_cam[:, 2] > np.cos(self._half_angle) * distance
            pixels = self._camera.project(in_cam[ahead])
            inside = ((pixels > -0.5) & (pixels < size - 0.5)).all(axis=1)
            seen, pixels = weight[ahead][inside], pixels[inside]
            numbers[i] = self._found_share * seen.sum()
            if len(seen) > 2:
                spreads[i] = np.sqrt(max(np.linalg.eigvalsh(np.cov(pixels.T, aweights=seen))[0], 0)) / size[0]
        return numbers, spreads

    def level(self, position: Array, map_from_cams: Rotation) -> tuple[Array, NDArray[np.int8]]:
        """Return the expected number (H,), and whether that makes a pose: (H,) LOST, DOUBTFUL, FOUND, or AT_WALL."""
        free = self._free_distance(position)
        numbers, spreads = self._found(position, map_from_cams, free)
        level = np.where(numbers < POSSIBLE, LOST, np.where((numbers < SURE) | (spreads < MIN_SPREAD), DOUBTFUL, FOUND))
        if free is not None:
            ahead = map_from_cams.apply([0.0, 0.0, 1.0])
            to_wall = LinesOfSight.towards(np.arctan2(ahead[:, 1], ahead[:, 0]), free)
            level[(to_wall < NEAR_WALL_M) & (level != FOUND)] = AT_WALL
        return numbers, level.astype(np.int8)

    def _share_found_again(self, landmarks: Landmarks) -> float:
        """Landmarks that a keyframe saw, over those of the sample that it could have seen; the median keyframe's."""
        count = len(landmarks.frame_names)
        sample = evenly_spaced(count, CALIBRATION_FRAMES)
        seen = np.bincount(landmarks.observed_by, minlength=count)
        rotations = Rotation.from_quat(landmarks.frame_quats_xyzw)
        could = [self.found(landmarks.frame_positions[k], rotations[[k]])[0][0] for k in sample]
        return float(np.median(seen[sample] / np.maximum(could, 1.0)))


def cover(forecast: Forecast, landmarks: Landmarks, walkable: WalkableMap | None) -> Coverage:
    """Compute the coverage of the walkable floor, or without a floor map of what lies beside the walked path."""
    places, step_m = _grid(landmarks.frame_positions[:, :2], walkable)
    posture = level_cameras(landmarks, HEADINGS)
    height = float(np.median(landmarks.frame_positions[:, 2]))
    expected = np.zeros((len(places), len(HEADINGS)))
    level = np.zeros(expected.shape, dtype=np.int8)
    for i, (x, y) in enumerate(places):
        expected[i], level[i] = forecast.level(np.array([x, y, height]), posture)
    return Coverage(places, expected, level, step_m)


def level_cameras(landmarks: Landmarks, headings: ArrayLike) -> Rotation:
    """Return map_from_cam of cameras that look in `headings` (H,), with level x axes, tilted as the keyframes are."""
    ahead = Rotation.from_quat(landmarks.frame_quats_xyzw).apply([0.0, 0.0, 1.0])
    tilt = float(np.median(np.arcsin(np.clip(ahead[:, 2], -1, 1))))
    yaw = np.atleast_1d(np.asarray(headings, dtype=np.float64))
    base_from_cam = Rotation.from_matrix([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    up = Rotation.from_euler("y", -tilt) * base_from_cam
    return Rotation.from_rotvec(np.outer(yaw, [0.0, 0.0, 1.0])) * up


def _grid(path_xy: Array, walkable: WalkableMap | None) -> tuple[Array, float]:
    """Places (P, 2) on a square grid, no more than about MAX_PLACES, and its step."""
    if walkable is None:
        low, high = path_xy.min(axis=0) - BESIDE_PATH_M, path_xy.max(axis=0) + BESIDE_PATH_M
    else:
        corners = walkable.floor.centre_of(np.argwhere(walkable.walkable))
        low, high = corners.min(axis=0), corners.max(axis=0)
    step_m = STEP_M
    while True:
        first, last = np.ceil(low / step_m), np.floor(high / step_m)
        axes = [step_m * np.arange(a, b + 1) for a, b in zip(first, last, strict=True)]
        points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
        if walkable is None:
            points = points[cKDTree(path_xy).query(points)[0] <= BESIDE_PATH_M] if len(points) else points
        else:
            cells = walkable.floor.cell_of(points)
            inside = walkable.floor.contains(cells)
            points = points[inside][walkable.walkable[cells[inside, 0], cells[inside, 1]]]
        if len(points) <= MAX_PLACES:
            return points, step_m
        step_m *= float(np.sqrt(len(points) / MAX_PLACES)) + 0.01


def widest_angle(camera: Camera) -> float:
    """Find the angle in radians between the optical axis and the farthest ray that the image holds, at most 89 degrees.

    Distortion polynomials fold back far outside of the image: what lies beyond this angle is not in it.
    """
    angles = np.radians(np.arange(0.5, 89.5, 0.5))
    corners = np.array([(u, v) for u in (0, camera.width - 1) for v in (0, camera.height - 1)], dtype=np.float64)
    widest = 0.0
    for x, y in (corners - camera.centre) / camera.focal:
        pixels = camera.distort(np.outer(np.tan(angles), (x, y)) / np.hypot(x, y)) * camera.focal + camera.centre
        inside = ((pixels > -0.5) & (pixels < (camera.width - 0.5, camera.height - 0.5))).all(axis=1)
        outside = np.flatnonzero(~inside)
        widest = max(widest, float(angles[: outside[0] if len(outside) else len(angles)].max(initial=0.0)))
    return widest + np.radians(0.5)
