"""Rigid and similarity transforms, and the errors between them.

Transforms are named `a_from_b` and map points of frame b into frame a, so that the inner names of a product cancel:
`map_from_base = map_from_cam * cam_from_base`. Quaternions are xyzw everywhere; this is the only file that knows it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from campose_core.errors import GeometryError

Array = NDArray[np.float64]

# Of a place that somebody gives, metres from the origin: beyond the moon nobody maps, and squares of far larger numbers
# overflow, on which an SVD may not end.
FARTHEST_M = 1e9
# By how much the length of a quaternion that somebody gives may differ from one: some write a single decimal.
QUATERNION_TOLERANCE = 0.1


def _finite_vector(values: ArrayLike, size: int, what: str) -> Array:
    try:
        vector = np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        vector = np.empty(0)
    if vector.shape != (size,) or not np.isfinite(vector).all():
        raise GeometryError(f"{what} must be {size} finite numbers, got {values!r}")
    vector.setflags(write=False)
    return vector


def rotation_from_quat_xyzw(quat_xyzw: ArrayLike) -> Rotation:
    """Make a rotation from a quaternion (x, y, z, w), which is normalised.

    Raises:
        GeometryError: not four finite numbers, or not of about unit length.
    """
    quat = _finite_vector(quat_xyzw, 4, "a quaternion (x, y, z, w)")
    if not is_unit(quat):
        raise GeometryError(f"a quaternion must have length 1, not {math.hypot(*quat):.3g}, got {quat_xyzw!r}")
    return Rotation.from_quat(quat)


def lasting_quat(rotation: Rotation) -> Array:
    """Return the unit quaternion (4,), w >= 0, of a rotation that reading gives back to the last bit.

    To normalise a quaternion once more may change its last bits again, for one of a hundred without an end; where it
    does, the next number of a component is tried.
    """
    quat = rotation.as_quat(canonical=True)
    for attempt in range(100):
        again = Rotation.from_quat(quat).as_quat(canonical=True)
        if np.array_equal(again, quat):
            break
        quat = again
        if attempt > 2:
            quat[attempt % 4] -= (1 + attempt // 12) * np.spacing(quat[attempt % 4])
    return np.asarray(quat)


def is_unit(quats_xyzw: ArrayLike) -> bool:
    """Tell whether quaternions (..., 4) are finite and of about unit length."""
    if not (np.abs(quats_xyzw) < 2).all():
        return False
    return bool((np.abs(np.linalg.norm(quats_xyzw, axis=-1) - 1) <= QUATERNION_TOLERANCE).all())


def is_place(positions: ArrayLike) -> bool:
    """Tell whether positions, of any shape, are finite and no farther than FARTHEST_M."""
    return bool((np.abs(positions) <= FARTHEST_M).all())


@dataclass(frozen=True, eq=False)
class Pose:
    """A rigid transform `a_from_b`: rotation, and translation (3,) in metres."""

    rotation: Rotation
    translation: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "translation", _finite_vector(self.translation, 3, "a translation"))
        if not self.rotation.single or not np.isfinite(self.rotation.as_quat()).all():
            raise GeometryError("a pose needs exactly one finite rotation")

    @classmethod
    def identity(cls) -> Pose:
        """Return the transform that changes nothing."""
        return cls(Rotation.identity(), np.zeros(3))

    @classmethod
    def from_quat_xyzw(cls, quat_xyzw: ArrayLike, translation: ArrayLike) -> Pose:
        """Make it from a quaternion (x, y, z, w), which is normalised, and a translation (3,) in metres.

        Raises:
            GeometryError: a number is not finite, there are more or fewer than these, the quaternion is not of about
                unit length, or the place is farther than FARTHEST_M.
        """
        position = _finite_vector(translation, 3, "a translation")
        if not is_place(position):
            raise GeometryError(f"a translation must be within {FARTHEST_M:.0e} m, got {translation!r}")
        return cls(rotation_from_quat_xyzw(quat_xyzw), position)

    @classmethod
    def from_matrix(cls, matrix: ArrayLike) -> Pose:
        """Make it from a homogeneous 4x4 (or 3x4) matrix with an orthonormal rotation part.

        Raises:
            GeometryError: wrong shape, or the rotation part is not a rotation.
        """
        a_from_b = np.asarray(matrix, dtype=np.float64)
        if a_from_b.shape not in ((4, 4), (3, 4)):
            raise GeometryError(f"a pose matrix must be 4x4 or 3x4, got shape {a_from_b.shape}")
        rotation = a_from_b[:3, :3]
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-4) or np.linalg.det(rotation) < 0:
            raise GeometryError(f"the rotation part of a pose matrix is not a rotation: {rotation.tolist()}")
        return cls(Rotation.from_matrix(rotation), a_from_b[:3, 3])

    @property
    def quat_xyzw(self) -> Array:
        """Return the unit quaternion (4,) with w >= 0."""
        return np.asarray(self.rotation.as_quat(canonical=True))

    def matrix(self) -> Array:
        """Return the homogeneous 4x4 matrix."""
        a_from_b = np.eye(4)
        a_from_b[:3, :3] = self.rotation.as_matrix()
        a_from_b[:3, 3] = self.translation
        return a_from_b

    def __mul__(self, other: Pose) -> Pose:
        """Return `a_from_c = a_from_b * b_from_c`."""
        return Pose(self.rotation * other.rotation, self.transform(other.translation))

    def inverse(self) -> Pose:
        """Return `b_from_a`."""
        b_rotation_a = self.rotation.inv()
        return Pose(b_rotation_a, -(b_rotation_a.as_matrix() @ self.translation))

    def transform(self, points: ArrayLike) -> Array:
        """Return points of frame b, (N, 3) or (3,), in frame a."""
        return np.asarray(np.asarray(points) @ self.rotation.as_matrix().T + self.translation)

    def yaw(self) -> float:
        """Return the heading of frame b's x axis on the x-y plane of frame a, radians."""
        forward = self.rotation.apply([1.0, 0.0, 0.0])
        return float(np.arctan2(forward[1], forward[0]))


@dataclass(frozen=True, eq=False)
class Similarity:
    """`a_from_b` with a scale: x_a = scale * rotation(x_b) + translation."""

    scale: float
    rotation: Rotation
    translation: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "translation", _finite_vector(self.translation, 3, "a translation"))
        if not 1 / FARTHEST_M <= self.scale <= FARTHEST_M:
            raise GeometryError(
                f"a similarity needs a scale from {1 / FARTHEST_M:g} to {FARTHEST_M:g}, got {self.scale!r}"
            )

    @classmethod
    def identity(cls) -> Similarity:
        """Return the transform that changes nothing, of scale 1."""
        return cls(1.0, Rotation.identity(), np.zeros(3))

    def transform(self, points: ArrayLike) -> Array:
        """Return points of frame b, (N, 3) or (3,), in frame a."""
        return np.asarray(self.scale * np.asarray(points) @ self.rotation.as_matrix().T + self.translation)

    def transform_pose(self, b_from_c: Pose) -> Pose:
        """Return `a_from_c` of a camera or body c: the scale moves into the translation."""
        return Pose(self.rotation * b_from_c.rotation, self.transform(b_from_c.translation))

    def __mul__(self, other: Similarity) -> Similarity:
        """Return `a_from_c = a_from_b * b_from_c`."""
        return Similarity(self.scale * other.scale, self.rotation * other.rotation, self.transform(other.translation))

    def inverse(self) -> Similarity:
        """Return `b_from_a`, of one over the scale."""
        b_rotation_a = self.rotation.inv()
        return Similarity(1.0 / self.scale, b_rotation_a, -(b_rotation_a.as_matrix() @ self.translation) / self.scale)


def umeyama(points_b: ArrayLike, points_a: ArrayLike) -> Similarity:
    """Find the similarity `a_from_b` that maps points_b (N, 3) onto points_a (N, 3) with the least squared error.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991.

    Raises:
        GeometryError: fewer than three pairs, collinear points, which leave the rotation undetermined, or numbers too
            large to be multiplied.
    """
    source, target = np.asarray(points_b, dtype=np.float64), np.asarray(points_a, dtype=np.float64)
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 3 or len(source) < 3:
        raise GeometryError(f"alignment needs three or more point pairs, got {source.shape} and {target.shape}")
    source_mean, target_mean = source.mean(0), target.mean(0)
    covariance = (target - target_mean).T @ (source - source_mean) / len(source)  # eq. 38
    if not np.isfinite(covariance).all():
        raise GeometryError("the points to align are no places: they are too far apart")
    u, singular, vt = np.linalg.svd(covariance)
    if singular[0] <= 0 or singular[1] < 1e-4 * singular[0]:
        raise GeometryError("the points to align lie on one line: add a point beside it")
    sign = np.diag([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])  # eq. 39
    rotation = u @ sign @ vt  # eq. 40
    variance = np.mean(np.sum((source - source_mean) ** 2, axis=1))
    scale = float(np.trace(np.diag(singular) @ sign) / variance)  # eq. 42
    return Similarity(scale, Rotation.from_matrix(rotation), target_mean - scale * rotation @ source_mean)


def positions_of(poses: Iterable[Pose]) -> Array:
    """Return their translations (N, 3)."""
    return np.array([pose.translation for pose in poses]).reshape(-1, 3)


def rotations_of(poses: Iterable[Pose]) -> Rotation:
    """Return their rotations as one of N."""
    return Rotation.from_quat(np.array([pose.quat_xyzw for pose in poses]))


def width_of(positions: Array) -> float:
    """Return the root mean square distance of positions (N, D) from their middle, the median on each axis."""
    return float(np.sqrt(np.mean(np.sum((positions - np.median(positions, axis=0)) ** 2, axis=1))))


def rotation_angle(rotation: Rotation) -> Array:
    """Return the angle of each rotation, radians in [0, pi]; a scalar array for a single rotation."""
    return np.asarray(rotation.magnitude())


def products(left: Rotation, right: Rotation) -> Rotation:
    """Return `left * right` of many rotations, pair by pair: the same to the last bit, in a tenth of scipy's time."""
    (ax, ay, az, aw), (bx, by, bz, bw) = left.as_quat().T, right.as_quat().T
    x = aw * bx + bw * ax + (ay * bz - az * by)
    y = aw * by + bw * ay + (az * bx - ax * bz)
    z = aw * bz + bw * az + (ax * by - ay * bx)
    w = aw * bw - ax * bx - ay * by - az * bz
    return Rotation.from_quat(np.stack([x, y, z, w], axis=-1))


def pose_error(estimate: Pose, reference: Pose) -> tuple[float, float]:
    """Return distance in metres and angle in radians between two poses of the same frame pair."""
    distance = float(np.linalg.norm(estimate.translation - reference.translation))
    return distance, float(rotation_angle(reference.rotation.inv() * estimate.rotation))


def interpolated(start: Pose, end: Pose, share: float) -> Pose:
    """Return the pose at `share` of the way from start (0) to end (1), or beyond: straight, and turning evenly."""
    turn = Rotation.from_rotvec(share * (start.rotation.inv() * end.rotation).as_rotvec())
    return Pose(start.rotation * turn, start.translation + share * (end.translation - start.translation))


def pose_difference(estimate: Pose, reference: Pose) -> Array:
    """Return the error (6,) of an estimate: x, y, z in metres and the turn rx, ry, rz in radians, about the fixed axes
    of the frame of both.
    """
    turn = (estimate.rotation * reference.rotation.inv()).as_rotvec()
    return np.concatenate([estimate.translation - reference.translation, turn])


def skew(vector: ArrayLike) -> Array:
    """Return the matrix [v]x of a vector v (3,), with [v]x w = v x w."""
    x, y, z = np.asarray(vector, dtype=np.float64)
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def covariance_at_lever(covariance: Array, lever_in_map: ArrayLike) -> Array:
    """Return the covariance (6, 6) of another point fixed to the same body.

    `covariance` is 6x6 over (x, y, z, rx, ry, rz) about the map's fixed axes; `lever_in_map` is the vector in metres
    from the old point to the new one, in map axes. A small turn w moves the new point by w x lever = -[lever]x w.
    """
    jacobian = np.eye(6)
    jacobian[:3, 3:] = -skew(lever_in_map)
    return np.asarray(jacobian @ covariance @ jacobian.T)
