"""Where a camera sits on a body that something else tracks: A X = X B with the unknown scale of a reconstruction.

A are motions of the body as tracked, in metres; B the camera's motions over the same time, in units of the
reconstruction; X is body_from_cam.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from campose_core.errors import AlignmentError
from campose_core.geometry import Array, Pose
from campose_core.statistics import evenly_spaced, robust_sigma

LARGEST_TURN = np.radians(170.0)  # beyond, the axis of a turn is decided by noise
MIN_TURN_DEG = 5.0  # of a motion, half of all in the strides that turn most: with less, noise decides
MIN_TILT_DEG = 1.0  # root mean square, about a second axis
SIGMAS = 3.0  # above its noise, that turning about a second axis must stand out
MIN_PATH_M = 0.05
MOTIONS = 4000


@dataclass(frozen=True, eq=False)
class HandEye:
    """body_from_cam, metres per unit of the camera's motions, and what the motion left open.

    axis: unit vector (3,) of the body about which alone it turned, so that the offset along it is not determined and
    stands at zero; None where all is determined.
    """

    body_from_cam: Pose
    scale: float
    axis: Array | None


def solve_hand_eye(body: tuple[Rotation, Array], camera: tuple[Rotation, Array]) -> HandEye:
    """Solve it by N poses of each at the same times, (rotations, positions (N, 3)), each in a fixed frame of its own.

    The rotation by Park and Martin, "Robot sensor calibration: solving AX = XB on the Euclidean group", T-RA 1994: the
    turn of the body is that of the camera in other axes. Offset and scale then follow linearly from
    (R_A - 1) t_X - s R_X t_B = -t_A. Where the body turns about one axis alone, turns say nothing about the angle of
    R_X about that axis: it enters the linear equations as s cos, s sin, and t_X along the axis leaves them.

    Raises:
        AlignmentError: the body hardly turned, or hardly moved.
    """
    a, b = _motions(*body), _motions(*camera)
    usable = (a.angles < LARGEST_TURN) & (b.angles < LARGEST_TURN)
    a, b = a.select(usable), b.select(usable)
    strong = a.angles >= np.quantile(a.angles, 0.5) if len(a.angles) else np.zeros(0, bool)
    turned = float(np.degrees(np.median(a.angles[strong]))) if strong.any() else 0.0
    if turned < MIN_TURN_DEG:
        raise AlignmentError(
            f"the tracked body turns by {turned:.1f} deg only: where the camera sits on it shows in turns, by "
            f"{MIN_TURN_DEG:.0f} deg or more. Turn while recording, or give the camera's own poses with --reference"
        )
    moved = float(np.linalg.norm(np.ptp(body[1], axis=0)))
    if moved < MIN_PATH_M:
        raise AlignmentError(f"the tracked body moves by {moved:.3f} m only: too little to give a scale")
    a, b = a.select(strong), b.select(strong)
    weights = np.ones(len(a.angles))
    for _ in range(10):
        rotation = _procrustes(b.turns, a.turns, weights)
        off = np.linalg.norm(a.turns - rotation.apply(b.turns), axis=1)
        weights = 1.0 / (1.0 + (off / max(float(np.median(off)), 1e-9) / 3.0) ** 2)  # Cauchy
    noise = robust_sigma(a.turns - rotation.apply(b.turns))
    scatter, axes = np.linalg.eigh((weights[:, None] * a.turns).T @ a.turns / weights.sum())
    tilt = float(np.sqrt(scatter[1]))
    if tilt > max(SIGMAS * noise, np.radians(MIN_TILT_DEG)):
        offset, scale = _offset_and_scale(a, b, rotation)
        return HandEye(Pose(rotation, offset), scale, None)
    axis = axes[:, 2] * np.sign(axes[np.argmax(np.abs(axes[:, 2])), 2])
    return _about_one_axis(a, b, rotation, axis)


@dataclass(frozen=True, eq=False)
class _Motions:
    """before_from_after of M motions: turns as rotation vectors (M, 3), shifts (M, 3)."""

    turns: Array
    shifts: Array

    @property
    def angles(self) -> Array:
        return np.asarray(np.linalg.norm(self.turns, axis=1))

    def select(self, chosen: NDArray[np.bool_]) -> _Motions:
        return _Motions(self.turns[chosen], self.shifts[chosen])


def _motions(rotations: Rotation, positions: Array) -> _Motions:
    """Between poses 1, 2, 4 ... apart, MOTIONS of them at most."""
    count = len(positions)
    starts = [np.arange(count - step) for step in 2 ** np.arange(int(np.log2(max(count - 1, 1))) + 1)]
    i = np.concatenate(starts)
    j = i + np.repeat(2 ** np.arange(len(starts)), [len(one) for one in starts])
    chosen = evenly_spaced(len(i), MOTIONS)
    i, j = i[chosen], j[chosen]
    before = rotations[i].inv()
    return _Motions((before * rotations[j]).as_rotvec(), before.apply(positions[j] - positions[i]))


def _procrustes(source: Array, target: Array, weights: Array) -> Rotation:
    """argmin sum w |R source - target|^2 (Kabsch 1976)."""
    u, _, vt = np.linalg.svd((weights[:, None] * target).T @ source)
    return Rotation.from_matrix(u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt)


def _offset_and_scale(a: _Motions, b: _Motions, rotation: Rotation) -> tuple[Array, float]:
    turned = Rotation.from_rotvec(a.turns).as_matrix() - np.eye(3)
    columns = np.concatenate([turned, -rotation.apply(b.shifts)[:, :, None]], axis=2)
    *offset, scale = _robust_solution(columns, -a.shifts)
    return np.array(offset), _positive(scale)


def _about_one_axis(a: _Motions, b: _Motions, rotation: Rotation, axis: Array) -> HandEye:
    """With R_X = (turn by phi about the axis) * rotation, in the plane across the axis."""
    across = np.linalg.svd(axis[None])[2][1:]  # (2, 3)
    turned = (Rotation.from_rotvec(a.turns).as_matrix() - np.eye(3)) @ across.T
    shifts = rotation.apply(b.shifts)
    shifts = shifts - np.outer(shifts @ axis, axis)
    columns = np.concatenate([turned, -shifts[:, :, None], -np.cross(axis, shifts)[:, :, None]], axis=2)
    u, v, cosine, sine = _robust_solution(across @ columns, -a.shifts @ across.T)
    angle = float(np.arctan2(sine, cosine))
    pose = Pose(Rotation.from_rotvec(angle * axis) * rotation, across.T @ [u, v])
    return HandEye(pose, _positive(float(np.hypot(cosine, sine))), axis)


def _robust_solution(columns: Array, right: Array) -> Array:
    """Least squares over M blocks of equations, columns (M, E, U) and right (M, E); blocks far off weigh less."""
    weights = np.ones(len(right))
    for _ in range(10):
        root = np.sqrt(weights)[:, None]
        matrix, target = (root[:, :, None] * columns).reshape(-1, columns.shape[2]), (root * right).reshape(-1)
        solution = np.linalg.lstsq(matrix, target, rcond=None)[0]
        off = np.linalg.norm(columns @ solution - right, axis=1)
        weights = 1.0 / (1.0 + (off / max(float(np.median(off)), 1e-9) / 3.0) ** 2)
    return np.asarray(solution)


def _positive(scale: float) -> float:
    if not scale > 1e-6:
        raise AlignmentError(
            "the tracked body and the camera do not move alike: is it the tracker of this camera and of this recording?"
        )
    return float(scale)
