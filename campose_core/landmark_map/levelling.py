"""Which way is up, from the scene itself: floors and ceilings lie level, walls stand upright."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.errors import AlignmentError
from campose_core.geometry import Array
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.planes import Plane, SurfacePoints, planes_of, surface_points

REACH_DEG = 25.0  # how far the first guess may be off, and how far a wall may lean to begin with
SOFT_DEG = 0.5  # planes that are off by more lose their say (ramps, sloping roofs, leaning things)
POSTURE_DEG = 5.0  # what the camera's posture is trusted to, where no plane speaks
MIN_DECIDED = 0.02  # of the squared length of the cameras' x axes, beside the line they share


@dataclass(frozen=True, eq=False)
class Level:
    """Where up is in the frame of the landmarks.

    up: unit vector (3,). floor: height x @ up of the lowest large level plane that faces up, None when none was seen.
    level_planes, upright_planes: how many speak. level_deg: median angle by which they miss being level or upright,
    None without planes. posture_deg: how far the cameras' own posture is from it.
    """

    up: Array
    floor: float | None
    level_planes: int
    upright_planes: int
    posture_deg: float
    level_deg: float | None

    @property
    def planes(self) -> int:
        """Return how many planes speak, level and upright ones."""
        return self.level_planes + self.upright_planes


def level(landmarks: Landmarks, points: SurfacePoints | None = None) -> Level:
    """Find up from the large planes, begun at the posture of all cameras together: no single frame is believed.

    With unit normals m, the up direction u is the unit vector that minimises
    sum over walls w (m @ u)^2 + sum over level planes w |m x u|^2, an eigenvector; refits give less weight to planes
    that do not fit. The posture is one weak plane among them, so that a corridor of which only walls were seen is
    levelled along it too.

    Raises:
        AlignmentError: neither posture nor path says which way is up.
    """
    points = surface_points(landmarks) if points is None else points
    first = _first_guess(landmarks)
    planes = planes_of(points)
    up = first
    for reach in (REACH_DEG, REACH_DEG, REACH_DEG, 5.0, 5.0, 2.0, 2.0):
        up = _refit(up, first, planes, reach)
    level_planes, upright = _sorted_by_kind(up, planes, 2.0)
    off = [_degrees_off(up, plane) for plane in (*level_planes, *upright)]
    return Level(
        up,
        _floor_height(up, level_planes, landmarks),
        len(level_planes),
        len(upright),
        float(np.degrees(np.arccos(np.clip(up @ first, -1, 1)))),
        float(np.median(off)) if off else None,
    )


def _first_guess(landmarks: Landmarks) -> Array:
    """Up by the posture of the cameras.

    People and robots keep a camera's x axis level: up is the direction most nearly orthogonal to all of them (Brown and
    Lowe, "Automatic panoramic image stitching", IJCV 2007, section 5); where the cameras do not turn, the direction in
    which their path is flattest helps. Its sign is that of most images, so that a recording may begin upside down.
    """
    rotations = Rotation.from_quat(landmarks.frame_quats_xyzw)
    right, image_up = rotations.apply([1.0, 0.0, 0.0]), rotations.apply([0.0, -1.0, 0.0])
    values, vectors = np.linalg.eigh(right.T @ right / len(right))
    if values[1] < MIN_DECIDED:
        path = landmarks.frame_positions - landmarks.frame_positions.mean(axis=0)
        width, axes = np.linalg.eigh(path.T @ path)
        if width[1] < MIN_DECIDED * width[2] or width[0] > 0.1 * width[1]:
            up = np.median(image_up, axis=0)
            if np.linalg.norm(up) < 0.5:
                raise AlignmentError("which way is up is not determined: turn while recording, camera upright")
            return np.asarray(up / np.linalg.norm(up))
        up = axes[:, 0]
    else:
        up = vectors[:, 0]
    agreeing = float(np.mean(np.sign(image_up @ up)))
    if abs(agreeing) < 0.1:
        raise AlignmentError("half of the frames are upside down: which way is up is not determined")
    return np.asarray(up * np.sign(agreeing))


def _refit(up: Array, first: Array, planes: Sequence[Plane], reach_deg: float) -> Array:
    level_planes, upright = _sorted_by_kind(up, planes, reach_deg)
    matrix = -np.outer(first, first) / np.radians(POSTURE_DEG) ** 2
    for sign, kind in ((-1.0, level_planes), (1.0, upright)):
        for plane in kind:
            soft = 1.0 / (1.0 + (_degrees_off(up, plane) / SOFT_DEG) ** 2)  # Cauchy
            # A plane is flat to a part of a degree at best, however many landmarks lie on it.
            weight = soft / (1.0 / plane.information + np.radians(0.1) ** 2)
            matrix += sign * weight * np.outer(plane.normal, plane.normal)
    refit = np.linalg.eigh(matrix)[1][:, 0]
    return np.asarray(refit * np.sign(refit @ up))


def _sorted_by_kind(up: Array, planes: Sequence[Plane], reach_deg: float) -> tuple[list[Plane], list[Plane]]:
    """Return the planes that are level, and those that stand upright, within `reach_deg`."""
    slope = [np.degrees(np.arcsin(np.clip(abs(plane.normal @ up), 0, 1))) for plane in planes]
    level_planes = [plane for plane, degrees in zip(planes, slope, strict=True) if degrees > 90 - reach_deg]
    return level_planes, [plane for plane, degrees in zip(planes, slope, strict=True) if degrees < reach_deg]


def _degrees_off(up: Array, plane: Plane) -> float:
    slope = float(np.degrees(np.arcsin(np.clip(abs(plane.normal @ up), 0, 1))))
    return min(slope, 90 - slope)


def _floor_height(up: Array, level_planes: Sequence[Plane], landmarks: Landmarks) -> float | None:
    """Of the lowest large level plane below the cameras that faces up; tables are small beside the floor."""
    cameras = float(np.median(landmarks.frame_positions @ up))
    below = [plane for plane in level_planes if plane.normal @ up > 0 and plane.centre @ up < cameras]
    if not below:
        return None
    largest = max(plane.landmarks for plane in below)
    return min(float(plane.centre @ up) for plane in below if plane.landmarks > 0.2 * largest)
