"""The least squares of a chain of poses: errors, their derivatives, and the poses that explain best what is known.

A pose (R, t) = map_from_base is disturbed in the map's axes, t <- t + d_t and R <- Exp(d_r) R: the axes in which its
covariance is given. With J(r) the inverse left Jacobian of SO(3) (Barfoot, "State Estimation for Robotics", eq. 7.76;
Sola et al., "A micro Lie theory", eq. 146) the errors and their derivatives are

    seen at (R~, t~):            e = (t - t~, Log(R R~^T))              de/d(d_t, d_r) = diag(I, J(e_r))
    moved by (R~, t~) from a:    e = (R_a^T (t_b - t_a) - t~, Log(R_a^T R_b R~^T))
                                 de/d(d_ta, d_ra) = [[-R_a^T, R_a^T [t_b - t_a]x], [0, -J(e_r) R_a^T]]
                                 de/d(d_tb, d_rb) = diag(R_a^T, J(e_r) R_a^T)

Each squared error u = e^T cov^-1 e counts as u up to a bound B, beyond as B (3 u - B) / (u + B) <= 3 B, that is with
the weight (2 B / (B + u))^2: dynamic covariance scaling (Agarwal et al., ICRA 2013) as an M-estimator (MacTavish and
Barfoot, "At all Costs", CRV 2015). Errors that the covariance explains keep all their weight, so that the covariance of
the answer is right; wild ones lose it with the fourth power of their distance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.spatial.transform import Rotation

from campose_core.geometry import Array, Pose
from campose_core.motion.model import UncertainPose

MAX_ITERATIONS = 20
MAX_HALVINGS = 8
SMALL_DECREASE = 1e-4  # of the cost: a step of a hundredth of the standard deviation of the answer; it is still made
CUT = 1e-9  # least weight of a motion: the equations stay solvable however far a motion is off


class Poses(NamedTuple):
    """Rotations (n, 3, 3) and translations (n, 3) of n poses `map_from_base`."""

    rotations: Array
    translations: Array

    def disturbed(self, step: Array) -> Poses:
        """Move and turn each pose by its part of step (6n,): metres and radians, in the map's axes."""
        steps = step.reshape(-1, 6)
        return Poses(_exp(steps[:, 3:]) @ self.rotations, self.translations + steps[:, :3])

    def part(self, of: slice) -> Poses:
        """Keep a slice of the n poses."""
        return Poses(self.rotations[of], self.translations[of])

    def moved_on(self, before_from_after: Pose) -> Poses:
        """Append one more: the last, moved."""
        turn = self.rotations[-1]
        rotation = turn @ before_from_after.rotation.as_matrix()
        translation = self.translations[-1] + turn @ before_from_after.translation
        return Poses(
            np.concatenate([self.rotations, rotation[None]]), np.concatenate([self.translations, translation[None]])
        )

    def last(self) -> Pose:
        """Return the newest of them, `map_from_base`."""
        return Pose(Rotation.from_matrix(self.rotations[-1]), self.translations[-1])


class Measurements(NamedTuple):
    """Rotations (n, 3, 3), translations (n, 3) and information (n, 6, 6): zeros where nothing was measured."""

    rotations: Array
    translations: Array
    information: Array

    @classmethod
    def none(cls) -> Measurements:
        """Make an empty one, n = 0."""
        return cls(np.zeros((0, 3, 3)), np.zeros((0, 3)), np.zeros((0, 6, 6)))

    def part(self, of: slice) -> Measurements:
        """Keep a slice of the n measurements."""
        return Measurements(self.rotations[of], self.translations[of], self.information[of])

    def extended(self, by: UncertainPose | None) -> Measurements:
        """Append one; None appends that nothing was measured."""
        pose = Pose.identity() if by is None else by.pose
        information = np.zeros((6, 6)) if by is None else np.asarray(np.linalg.inv(by.covariance))
        return Measurements(
            np.concatenate([self.rotations, pose.rotation.as_matrix()[None]]),
            np.concatenate([self.translations, pose.translation[None]]),
            np.concatenate([self.information, information[None]]),
        )

    @property
    def made(self) -> Array:
        """Tell which were measured: (n,) bool."""
        return np.asarray(self.information.any((1, 2)))


class Prior(NamedTuple):
    """What poses that left say of the first: where it was linearised (3, 3) and (3,), the information (6, 6), and that
    times the offset of the mean from there (6,)."""

    rotation: Array
    translation: Array
    information: Array
    vector: Array


class Chain(NamedTuple):
    """All that is known of n poses: n times where they were seen, n - 1 motions between neighbours, and a prior."""

    seen: Measurements
    moved: Measurements
    prior: Prior

    @classmethod
    def beginning(cls, seen: UncertainPose) -> Chain:
        """Begin with one pose and where it was seen, without a prior."""
        first = Measurements.none().extended(seen)
        nothing = Prior(first.rotations[0], first.translations[0], np.zeros((6, 6)), np.zeros(6))
        return cls(first, Measurements.none(), nothing)

    def extended(self, seen: UncertainPose | None, moved: UncertainPose) -> Chain:
        """Append a pose: where it was seen, if it was, and the motion from the last pose."""
        return Chain(self.seen.extended(seen), self.moved.extended(moved), self.prior)


class Errors(NamedTuple):
    """Residuals (n, 6), (n - 1, 6), (6,), the weights of the first two, and the robust cost of all."""

    seen: Array
    moved: Array
    prior: Array
    seen_weights: Array
    moved_weights: Array
    cost: float


class Bounds(NamedTuple):
    """B of what was seen and of the motions."""

    seen: float
    moved: float


class Solution(NamedTuple):
    """Poses, their errors, and the lower Cholesky factor (6n, 6n) of the information about them."""

    poses: Poses
    errors: Errors
    factor: Array

    def last_covariance(self) -> Array:
        """Return the marginal (6, 6) of the last pose: of L L^T the last block of the inverse needs that of L alone."""
        last = solve_triangular(self.factor[-6:, -6:], np.eye(6), lower=True, check_finite=False)
        return np.asarray(last.T @ last)


def minimised(chain: Chain, start: Poses, bounds: Bounds) -> Solution:
    """Minimise by Gauss-Newton with weights anew in each step; a step that does not lower the cost is halved."""
    poses, errors = start, errors_of(chain, start, bounds)
    for _ in range(MAX_ITERATIONS):
        h, g = normal_equations(chain, poses, errors)
        factor, _ = cho_factor(h, lower=True, overwrite_a=True, check_finite=False)
        step = -cho_solve((factor, True), g, check_finite=False)
        if -step @ g < SMALL_DECREASE:
            return Solution(poses.disturbed(step), errors, factor)
        for _ in range(MAX_HALVINGS):
            moved = poses.disturbed(step)
            moved_errors = errors_of(chain, moved, bounds)
            if moved_errors.cost <= errors.cost:
                break
            step = 0.5 * step
        else:
            break
        poses, errors = moved, moved_errors
    return Solution(poses, errors, factor)


def without_first(chain: Chain, poses: Poses, errors: Errors) -> Chain:
    """Drop the first pose of a chain; what it says of the second becomes the prior (Schur complement)."""
    two = Chain(chain.seen.part(slice(2)), chain.moved.part(slice(1)), chain.prior)
    weights = errors.seen_weights[:2] * [1.0, 0.0]  # what was seen at the second stays
    leaving = Errors(errors.seen[:2], errors.moved[:1], errors.prior, weights, errors.moved_weights[:1], errors.cost)
    h, g = normal_equations(two, poses.part(slice(2)), leaving)
    gain = np.linalg.solve(h[:6, :6], h[:6, 6:]).T
    information = h[6:, 6:] - gain @ h[:6, 6:]
    prior = Prior(poses.rotations[1], poses.translations[1], 0.5 * (information + information.T), gain @ g[:6] - g[6:])
    return Chain(chain.seen.part(slice(1, None)), chain.moved.part(slice(1, None)), prior)


def errors_of(chain: Chain, poses: Poses, bounds: Bounds) -> Errors:
    """Measure how far poses are from what was seen, the motions and the prior; those beyond `bounds` lose weight."""
    from_a = np.swapaxes(poses.rotations[:-1], 1, 2)
    step = np.einsum("nij,nj->ni", from_a, np.diff(poses.translations, axis=0))
    turns = np.concatenate(
        [
            poses.rotations @ np.swapaxes(chain.seen.rotations, 1, 2),
            from_a @ poses.rotations[1:] @ np.swapaxes(chain.moved.rotations, 1, 2),
            (poses.rotations[0] @ chain.prior.rotation.T)[None],
        ]
    )
    logs, n = _log(turns), len(poses.rotations)
    seen = np.concatenate([poses.translations - chain.seen.translations, logs[:n]], axis=1)
    moved = np.concatenate([step - chain.moved.translations, logs[n:-1]], axis=1)
    prior = np.concatenate([poses.translations[0] - chain.prior.translation, logs[-1]])
    seen_cost, seen_weights = _robust(seen, chain.seen.information, bounds.seen)
    moved_cost, moved_weights = _robust(moved, chain.moved.information, bounds.moved)
    prior_cost = float(prior @ chain.prior.information @ prior - 2.0 * chain.prior.vector @ prior)
    return Errors(seen, moved, prior, seen_weights, np.maximum(moved_weights, CUT), seen_cost + moved_cost + prior_cost)


def _robust(errors: Array, information: Array, bound: float) -> tuple[float, Array]:
    """Cost of all and weight of each, as above."""
    squared = np.einsum("ni,nij,nj->n", errors, information, errors)
    cost = np.where(squared <= bound, squared, bound * (3.0 * squared - bound) / (squared + bound))
    return float(cost.sum()), np.minimum(1.0, 2.0 * bound / (bound + squared)) ** 2


def derivatives(poses: Poses, errors: Errors) -> tuple[Array, Array, Array, Array]:
    """Derive the errors by the poses.

    Of what was seen (n, 6, 6), of the motions by the pose before and by that after (n - 1, 6, 6), of the prior (6, 6).
    """
    n = len(poses.rotations)
    turns = np.concatenate([errors.seen[:, 3:], errors.moved[:, 3:], errors.prior[None, 3:]])
    jacobians = _inverse_left_jacobians(turns)
    seen, prior = np.tile(np.eye(6), (n, 1, 1)), np.eye(6)
    seen[:, 3:, 3:], prior[3:, 3:] = jacobians[:n], jacobians[-1]
    from_a = np.swapaxes(poses.rotations[:-1], 1, 2)
    after = np.zeros((n - 1, 6, 6))
    after[:, :3, :3] = from_a
    after[:, 3:, 3:] = jacobians[n:-1] @ from_a
    before = -after
    before[:, :3, 3:] = from_a @ _skews(np.diff(poses.translations, axis=0))
    return seen, before, after, prior


def normal_equations(chain: Chain, poses: Poses, errors: Errors) -> tuple[Array, Array]:
    """Return H (6n, 6n) and g (6n,) of H step = -g."""
    n = len(poses.rotations)
    seen, before, after, prior = derivatives(poses, errors)
    seen_information = errors.seen_weights[:, None, None] * chain.seen.information
    moved_information = errors.moved_weights[:, None, None] * chain.moved.information
    h, g, i = np.zeros((n, 6, n, 6)), np.zeros((n, 6)), np.arange(n)
    weighted = np.swapaxes(seen, 1, 2) @ seen_information
    h[i, :, i, :] += weighted @ seen
    g += np.einsum("nij,nj->ni", weighted, errors.seen)
    a, b = i[:-1], i[1:]
    weighted_before, weighted_after = (
        np.swapaxes(before, 1, 2) @ moved_information,
        np.swapaxes(after, 1, 2) @ moved_information,
    )
    cross = weighted_before @ after
    h[a, :, a, :] += weighted_before @ before
    h[b, :, b, :] += weighted_after @ after
    h[a, :, b, :] += cross
    h[b, :, a, :] += np.swapaxes(cross, 1, 2)
    g[:-1] += np.einsum("nij,nj->ni", weighted_before, errors.moved)
    g[1:] += np.einsum("nij,nj->ni", weighted_after, errors.moved)
    h[0, :, 0, :] += prior.T @ chain.prior.information @ prior
    g[0] += prior.T @ (chain.prior.information @ errors.prior - chain.prior.vector)
    return h.reshape(6 * n, 6 * n), g.reshape(6 * n)


def _exp(vectors: Array) -> Array:
    return np.asarray(Rotation.from_rotvec(vectors).as_matrix())


def _log(rotations: Array) -> Array:
    """Rotation vectors (n, 3): the odd part of a rotation is sin(angle) axis, its trace 1 + 2 cos(angle)."""
    sines = 0.5 * (rotations[:, [2, 0, 1], [1, 2, 0]] - rotations[:, [1, 2, 0], [2, 0, 1]])
    sine, cosine = np.sqrt(np.einsum("ni,ni->n", sines, sines)), 0.5 * (np.einsum("nii->n", rotations) - 1.0)
    angle = np.arctan2(sine, cosine)
    vectors = sines * np.where(sine > 1e-8, angle / np.maximum(sine, 1e-8), 1.0)[:, None]
    about_half_turn = cosine < -0.99
    if about_half_turn.any():  # the sine says little there
        vectors[about_half_turn] = Rotation.from_matrix(rotations[about_half_turn]).as_rotvec()
    return np.asarray(vectors)


def _skews(vectors: Array) -> Array:
    """[v]x of (n, 3)."""
    crosses = np.zeros((len(vectors), 3, 3))
    crosses[:, [2, 0, 1], [1, 2, 0]] = vectors
    return crosses - np.swapaxes(crosses, 1, 2)


def _inverse_left_jacobians(vectors: Array) -> Array:
    """J^-1 (n, 3, 3) of rotation vectors (n, 3): Log(Exp(d) Exp(r)) = r + J^-1(r) d to first order."""
    half = np.maximum(0.5 * np.linalg.norm(vectors, axis=1), 1e-4)  # below, the limit 1 / 12 is exact to 1e-9
    share = (1.0 - half / np.tan(half)) / (4.0 * half**2)
    cross = _skews(vectors)
    return np.asarray(np.eye(3) - 0.5 * cross + share[:, None, None] * (cross @ cross))
