"""The pose of a body that fits best to the landmarks that its cameras see, and how surely they tell it.

Levenberg and Marquardt's steps on the reprojection errors e in pixels, with Cauchy's robust loss log(1 + |e|^2) (Triggs
et al., "Bundle adjustment: a modern synthesis", 1999, chapter 4).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.geometry import Array, Pose, skew
from campose_core.landmark_map.sightings import Sightings
from campose_core.statistics import robust_sigma

MAX_STEPS = 30
MIN_MOVE_PX = 1e-2  # a step that moves the landmarks by less, root mean square, is the last
START_DAMPING, MIN_DAMPING, MAX_DAMPING = 1e-4, 1e-9, 1e6  # relative to the curvature
UNSEEN_PX = 1e6  # how far off a landmark counts that is not before its ray at all


class RefinedPose(NamedTuple):
    """body_from_world, and the information (6, 6) on a turn and a step of the world in the body's axes, for pixels of
    unit noise; offsets (2, N): what is left in pixels."""

    body_from_world: Pose
    information: Array
    offsets: Array


class _Linear(NamedTuple):
    """The errors (2, N) in pixels, their derivatives (6, 2, N) by a turn and a step of the world in the body's axes,
    and the loss."""

    offsets: Array
    by_pose: Array
    loss: float


def refined_pose(seen: Sightings, start: Pose) -> RefinedPose | None:
    """Find the body_from_world near `start` with the least robust error; None where the landmarks leave it open."""
    rotation, translation = start.rotation.as_matrix(), start.translation
    now, damping = _linear(seen, rotation, translation), START_DAMPING
    for _ in range(MAX_STEPS):
        weights = 1.0 / (1.0 + (now.offsets**2).sum(axis=0))
        # The loss's own curvature, averaged over the directions of e; positive, and it converges in half the steps of
        # reweighting, whose matrix has `weights` in place of their squares.
        curvature, gradient = _products(now, weights**2), (now.by_pose * weights).reshape(6, -1) @ now.offsets.ravel()
        step = _solved(curvature + damping * np.diag(np.diagonal(curvature)), -gradient)
        if step is None:
            return None
        turn = _rotation(step[:3])
        there = _linear(seen, turn @ rotation, turn @ translation + step[3:])
        if there.loss > now.loss:
            damping *= 10.0
            if damping > MAX_DAMPING:
                break
            continue
        rotation, translation = turn @ rotation, turn @ translation + step[3:]
        now, damping = there, max(damping / 10.0, MIN_DAMPING)
        if step @ curvature @ step < MIN_MOVE_PX**2 * weights.sum():
            break
    information = _products(now, 1.0 / (1.0 + (now.offsets**2).sum(axis=0)))
    return RefinedPose(Pose(Rotation.from_matrix(rotation), translation), information, now.offsets)


def offsets_of(seen: Sightings, body_from_world: Pose) -> Array:
    """Return how far off each match is by a pose, pixels (2, N)."""
    return _linear(seen, body_from_world.rotation.as_matrix(), body_from_world.translation).offsets


def covariance_in_world(refined: RefinedPose) -> Array | None:
    """Return the covariance (6, 6) of the body's position and orientation about the world's axes; None where open.

    With unit pixel noise it is the inverse of the information; the noise is the robust spread of the errors. With
    W = world_from_body, a turn w and a step v of the world in the body turn the body by -W w in the world and move it
    by -W v; the sign does not matter.
    """
    scale = np.sqrt(np.diagonal(refined.information))
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        return None
    values, vectors = np.linalg.eigh(refined.information / np.outer(scale, scale))
    if values[0] < 1e-12 * values[-1]:
        return None
    unit = (vectors / values) @ vectors.T / np.outer(scale, scale)
    world_from_body = refined.body_from_world.rotation.as_matrix().T
    to_world = np.zeros((6, 6))
    to_world[:3, 3:] = to_world[3:, :3] = world_from_body
    return np.asarray(robust_sigma(refined.offsets) ** 2 * to_world @ unit @ to_world.T)


def _linear(seen: Sightings, rotation: Array, translation: Array) -> _Linear:
    """With p from the seat, e = A p / (b . p), and de = (A - e b^T) dp / (b . p), where dp = w x (p + o) + v."""
    in_body = rotation @ seen.xyz + translation[:, None]
    point = in_body - seen.seats
    depth = (seen.bearings * point).sum(axis=0)
    before = depth > 0
    depth = np.where(before, depth, np.inf)  # no error that a step could lessen
    offsets = (seen.by_point * point).sum(axis=1) / depth
    sx, sy, sz = by_step = ((seen.by_point - offsets[:, None] * seen.bearings) / depth).transpose(1, 0, 2)
    x, y, z = in_body
    by_pose = np.array([y * sz - z * sy, z * sx - x * sz, x * sy - y * sx, *by_step])
    offsets = np.where(before, offsets, UNSEEN_PX)
    return _Linear(offsets, by_pose, float(np.log1p((offsets**2).sum(axis=0)).sum()))


def _rotation(turn: Array) -> Array:
    """Rodrigues' formula (3, 3), for turns of an optimisation: SciPy's takes as long as the rest of a step."""
    angle, crossed = float(np.linalg.norm(turn)), skew(turn)
    # sin(a) / a, and (1 - cos(a)) / a^2
    return np.asarray(
        np.eye(3) + np.sinc(angle / np.pi) * crossed + 0.5 * np.sinc(0.5 * angle / np.pi) ** 2 * crossed @ crossed
    )


def _products(linear: _Linear, weights: Array) -> Array:
    return (linear.by_pose * weights).reshape(6, -1) @ linear.by_pose.reshape(6, -1).T


def _solved(matrix: Array, vector: Array) -> Array | None:
    try:
        solution = np.linalg.solve(matrix, vector)
    except np.linalg.LinAlgError:
        return None
    return np.asarray(solution) if np.isfinite(solution).all() else None
