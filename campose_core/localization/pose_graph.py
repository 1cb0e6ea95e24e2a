"""A sliding window over where the body was seen and how it moved: absolute poses fused with relative motion.

What MapNet+PGO does with the poses of a network (Brahmbhatt et al., CVPR 2018, section 3.4), while driving: a chain of
the latest poses, an absolute estimate on any of them, a motion between neighbours. What leaves the window stays as a
prior on the oldest pose in it.

A pose (R, t) = map_from_base is disturbed in the map's axes, t <- t + d_t and R <- Exp(d_r) R: the axes in which its
covariance is given. With J(r) the inverse left Jacobian of SO(3) (Barfoot, "State Estimation for Robotics", eq. 7.76;
Sola et al., "A micro Lie theory", eq. 146) the residuals and their derivatives are

    seen at (R~, t~):            e = (t - t~, Log(R R~^T))              de/d(d_t, d_r) = diag(I, J(e_r))
    moved by (R~, t~) from a:    e = (R_a^T (t_b - t_a) - t~, Log(R_a^T R_b R~^T))
                                 de/d(d_ta, d_ra) = [[-R_a^T, R_a^T [t_b - t_a]x], [0, -J(e_r) R_a^T]]
                                 de/d(d_tb, d_rb) = diag(R_a^T, J(e_r) R_a^T)

Each squared error u = e^T cov^-1 e counts as u up to a bound B, as B (3 u - B) / (u + B) <= 3 B beyond, that is with the
weight (2 B / (B + u))^2: dynamic covariance scaling (Agarwal et al., ICRA 2013) as an M-estimator (MacTavish and
Barfoot, "At all Costs", CRV 2015). Errors that the covariance explains keep all their weight, so that the covariance of
the answer is right; wild ones lose it with the fourth power of their distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.spatial.transform import Rotation

from campose_core.geometry import Array, Pose
from campose_core.localization.motion import UncertainPose, checked_covariance

MAX_ITERATIONS = 20
MAX_HALVINGS = 8
SMALL_DECREASE = 1e-4  # of the cost: a step of a hundredth of the standard deviation of the answer; it is made still
CUT = 1e-9  # least weight of a motion: the equations stay solvable however far a motion is off


@dataclass(frozen=True)
class PoseGraphOptions:
    """
    window: poses kept; older ones are marginalised.
    seen_bound: B of absolute estimates; the 99 % quantile of chi2 with six degrees of freedom.
    moved_bound: B of motions. Larger by 2.5: one or two estimates that contradict the motion are wild, three that agree
    with each other say that the motion was (wheels slipped).

    """

    window: int = 25
    seen_bound: float = 16.8
    moved_bound: float = 2.5 * 16.8


class _Chain(NamedTuple):
    """What is known of n poses in a row. An information of zeros: nothing was seen there.

    seen_*: (n, 3, 3), (n, 3) map_from_base as estimated, (n, 6, 6) information; moved_*: the same of the n - 1 motions.
    prior_*: on the first pose: where it was linearised, (3, 3) and (3,); information (6, 6), and that times the offset
    of the mean from there (6,).
    """

    seen_rotations: Array
    seen_translations: Array
    seen_information: Array
    moved_rotations: Array
    moved_translations: Array
    moved_information: Array
    prior_rotation: Array
    prior_translation: Array
    prior_information: Array
    prior_vector: Array


class _Poses(NamedTuple):
    """(n, 3, 3) and (n, 3)."""

    rotations: Array
    translations: Array

    def disturbed(self, step: Array) -> _Poses:
        """By (n, 6), in the map's axes."""
        return _Poses(_exp(step[:, 3:]) @ self.rotations, self.translations + step[:, :3])


class _Errors(NamedTuple):
    """Residuals (n, 6), (n - 1, 6), (6,), the weights of the first two, and the robust cost of all."""

    seen: Array
    moved: Array
    prior: Array
    seen_weights: Array
    moved_weights: Array
    cost: float


class PoseGraph:
    """Fixed-lag smoother of one chain of poses.

    Stamps that do not increase, and an image without relative motion to the one before, start a new chain: what was
    seen before says nothing any more.
    """

    def __init__(self, options: PoseGraphOptions | None = None) -> None:
        self.options = options or PoseGraphOptions()
        self.reset()

    def reset(self) -> None:
        """Forget all poses."""
        self._chain: _Chain | None = None
        self._poses = _Poses(np.zeros((0, 3, 3)), np.zeros((0, 3)))
        self._newest_ns = 0
        self._moved_since_seen_m = 0.0

    def add(
        self,
        stamp_ns: int,
        absolute: UncertainPose | None,
        relative: UncertainPose | None,
        correlation_m: float = 0.0,
    ) -> UncertainPose | None:
        """The newest pose `map_from_base` and its marginal covariance; None while none was seen since the chain began.

        absolute: map_from_base as estimated from this image. relative: `before_from_now`, since the image added before.
        correlation_m: the distance over which errors of the absolute estimates resemble each other (0: not at all).

        Raises:
            GeometryError: a covariance that is none.
        """
        seen = None if absolute is None else UncertainPose(absolute.pose, checked_covariance(absolute.covariance))
        moved = None if relative is None else UncertainPose(relative.pose, checked_covariance(relative.covariance))
        if moved is None or self._chain is None or stamp_ns <= self._newest_ns:
            self.reset()
        self._newest_ns = stamp_ns
        if self._chain is None:
            if seen is None:
                return None
            self._chain = _chain_of(seen)
            self._poses = _Poses(self._chain.seen_rotations, self._chain.seen_translations)
            return seen
        assert moved is not None
        if correlation_m > 0:
            self._moved_since_seen_m += _length(moved.pose)
            if seen is not None:
                seen = UncertainPose(seen.pose, seen.covariance * _repetition(self._moved_since_seen_m, correlation_m))
                self._moved_since_seen_m = 0.0
        self._chain = _extended(self._chain, seen, moved)
        turn, step = self._poses.rotations[-1], moved.pose
        self._poses = _Poses(
            np.concatenate([self._poses.rotations, (turn @ step.rotation.as_matrix())[None]]),
            np.concatenate([self._poses.translations, (self._poses.translations[-1] + turn @ step.translation)[None]]),
        )
        factor = self._solve()
        newest = Pose(Rotation.from_matrix(self._poses.rotations[-1]), self._poses.translations[-1])
        # H = L L^T: the last block of its inverse needs the last block of L alone.
        last = solve_triangular(factor[-6:, -6:], np.eye(6), lower=True, check_finite=False)
        if len(self._poses.translations) > self.options.window:
            self._drop_oldest()
        return UncertainPose(newest, last.T @ last)

    def _solve(self) -> Array:
        """Move the poses to where the cost is least; the Cholesky factor of the information there."""
        assert self._chain is not None
        poses, errors, factor = _minimised(self._chain, self._poses, self.options)
        # A chain that holds on to what it believed rejects all that it sees now. Ask the other way round as well.
        rejected = _rejected_in_a_row(self._chain, errors)
        if rejected >= 2:
            seen = self._chain.seen_information.any((1, 2))
            first = np.flatnonzero(seen)[-rejected]
            for start in {0, int(first)}:
                other = _minimised(self._chain, _anchored_at_newest(self._chain, poses, start), self.options)
                if other[1].cost < errors.cost:
                    poses, errors, factor = other
        self._poses = poses
        return factor

    def _drop_oldest(self) -> None:
        """Marginalise the oldest pose: what it says of the next one becomes the prior (Schur complement)."""
        assert self._chain is not None
        chain, poses = self._chain, self._poses
        errors = _errors(chain, poses, self.options)
        two = _Chain(*(part[: 2 if i < 3 else 1] for i, part in enumerate(chain[:6])), *chain[6:])
        pair = _Poses(poses.rotations[:2], poses.translations[:2])
        seen = errors.seen[:2].copy()
        weights = errors.seen_weights[:2] * [1.0, 0.0]  # the second is still in the window
        h, g = _normal_equations(
            two, pair, errors._replace(seen=seen, moved=errors.moved[:1], seen_weights=weights,
                                       moved_weights=errors.moved_weights[:1])
        )  # fmt: skip
        gain = np.linalg.solve(h[:6, :6], h[:6, 6:]).T
        information = h[6:, 6:] - gain @ h[:6, 6:]
        self._chain = _Chain(
            *(part[1:] for part in chain[:6]),
            prior_rotation=poses.rotations[1],
            prior_translation=poses.translations[1],
            prior_information=0.5 * (information + information.T),
            prior_vector=-(g[6:] - gain @ g[:6]),
        )
        self._poses = _Poses(poses.rotations[1:], poses.translations[1:])


def _length(motion: Pose) -> float:
    """How much a motion changes what a camera sees, in metres; a radian counts as a metre."""
    return float(np.linalg.norm(motion.translation) + motion.rotation.magnitude())


def _repetition(moved_m: float, correlation_m: float) -> float:
    """By how much to enlarge the covariance of an estimate that partly repeats the one before.

    With errors of correlation r = exp(-moved / correlation) from one to the next (a first order Markov process), n
    estimates of the same thing hold 1 + (n - 1) (1 - r) / (1 + r) times the information of one. Bounded: part of the
    error is new in each image.
    """
    r = min(float(np.exp(-moved_m / correlation_m)), 0.98)
    return (1.0 + r) / (1.0 - r)


def _chain_of(seen: UncertainPose) -> _Chain:
    rotation, translation = seen.pose.rotation.as_matrix(), np.array(seen.pose.translation)
    information = np.linalg.inv(seen.covariance)
    none = np.zeros((0, 3, 3)), np.zeros((0, 3)), np.zeros((0, 6, 6))
    first = rotation[None], translation[None], information[None]
    return _Chain(*first, *none, rotation, translation, np.zeros((6, 6)), np.zeros(6))


def _extended(chain: _Chain, seen: UncertainPose | None, moved: UncertainPose) -> _Chain:
    pose = Pose.identity() if seen is None else seen.pose
    information = np.zeros((6, 6)) if seen is None else np.linalg.inv(seen.covariance)
    added = (
        pose.rotation.as_matrix(), pose.translation, information,
        moved.pose.rotation.as_matrix(), moved.pose.translation, np.linalg.inv(moved.covariance),
    )  # fmt: skip
    return _Chain(*(np.concatenate([old, new[None]]) for old, new in zip(chain[:6], added, strict=True)), *chain[6:])


def _anchored_at_newest(chain: _Chain, poses: _Poses, start: int) -> _Poses:
    """The poses from `start` on as the motions lead back from where the newest was seen."""
    rotations, translations = poses.rotations.copy(), poses.translations.copy()
    rotations[-1], translations[-1] = chain.seen_rotations[-1], chain.seen_translations[-1]
    for i in range(len(rotations) - 2, start - 1, -1):
        rotations[i] = rotations[i + 1] @ chain.moved_rotations[i].T
        translations[i] = translations[i + 1] - rotations[i] @ chain.moved_translations[i]
    return _Poses(rotations, translations)


def _rejected_in_a_row(chain: _Chain, errors: _Errors) -> int:
    """How many of the latest estimates count for less than a quarter; none, when the newest pose was not seen."""
    seen = chain.seen_information.any((1, 2))
    if not seen[-1]:
        return 0
    kept = np.flatnonzero(errors.seen_weights[seen][::-1] >= 0.25)
    return int(kept[0]) if len(kept) else int(seen.sum())


def _minimised(chain: _Chain, poses: _Poses, options: PoseGraphOptions) -> tuple[_Poses, _Errors, Array]:
    """Gauss-Newton with iteratively updated weights; a step that does not lower the cost is halved."""
    errors = _errors(chain, poses, options)
    for _ in range(MAX_ITERATIONS):
        h, g = _normal_equations(chain, poses, errors)
        factor, _ = cho_factor(h, lower=True, overwrite_a=True, check_finite=False)
        step = -cho_solve((factor, True), g, check_finite=False)
        decrease = float(-step @ g)
        if decrease < SMALL_DECREASE:
            return poses.disturbed(step.reshape(-1, 6)), errors, factor
        for _ in range(MAX_HALVINGS):
            moved = poses.disturbed(step.reshape(-1, 6))
            moved_errors = _errors(chain, moved, options)
            if moved_errors.cost <= errors.cost:
                break
            step = 0.5 * step
        else:
            break
        poses, errors = moved, moved_errors
    return poses, errors, factor


def _errors(chain: _Chain, poses: _Poses, options: PoseGraphOptions) -> _Errors:
    from_a = np.swapaxes(poses.rotations[:-1], 1, 2)
    step = np.einsum("nij,nj->ni", from_a, np.diff(poses.translations, axis=0))
    turns = np.concatenate(
        [
            poses.rotations @ np.swapaxes(chain.seen_rotations, 1, 2),
            from_a @ poses.rotations[1:] @ np.swapaxes(chain.moved_rotations, 1, 2),
            (poses.rotations[0] @ chain.prior_rotation.T)[None],
        ]
    )
    logs, n = _log(turns), len(poses.rotations)
    seen = np.concatenate([poses.translations - chain.seen_translations, logs[:n]], axis=1)
    moved = np.concatenate([step - chain.moved_translations, logs[n:-1]], axis=1)
    prior = np.concatenate([poses.translations[0] - chain.prior_translation, logs[-1]])
    seen_cost, seen_weights = _robust(seen, chain.seen_information, options.seen_bound)
    moved_cost, moved_weights = _robust(moved, chain.moved_information, options.moved_bound)
    prior_cost = float(prior @ chain.prior_information @ prior - 2.0 * chain.prior_vector @ prior)
    return _Errors(
        seen, moved, prior, seen_weights, np.maximum(moved_weights, CUT), seen_cost + moved_cost + prior_cost
    )


def _robust(errors: Array, information: Array, bound: float) -> tuple[float, Array]:
    """Cost of all and weight of each, as above."""
    squared = np.einsum("ni,nij,nj->n", errors, information, errors)
    cost = np.where(squared <= bound, squared, bound * (3.0 * squared - bound) / (squared + bound))
    return float(cost.sum()), np.minimum(1.0, 2.0 * bound / (bound + squared)) ** 2


def _normal_equations(chain: _Chain, poses: _Poses, errors: _Errors) -> tuple[Array, Array]:
    """H (6n, 6n) and g (6n,) of H step = -g."""
    n = len(poses.rotations)
    jacobians = _inverse_left_jacobians(
        np.concatenate([errors.seen[:, 3:], errors.moved[:, 3:], errors.prior[None, 3:]])
    )
    seen = np.tile(np.eye(6), (n, 1, 1))
    seen[:, 3:, 3:] = jacobians[:n]
    from_a = np.swapaxes(poses.rotations[:-1], 1, 2)
    after = np.zeros((n - 1, 6, 6))
    after[:, :3, :3] = from_a
    after[:, 3:, 3:] = jacobians[n:-1] @ from_a
    before = -after
    before[:, :3, 3:] = from_a @ _skews(np.diff(poses.translations, axis=0))
    prior = np.eye(6)
    prior[3:, 3:] = jacobians[-1]

    seen_information = errors.seen_weights[:, None, None] * chain.seen_information
    moved_information = errors.moved_weights[:, None, None] * chain.moved_information
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
    h[0, :, 0, :] += prior.T @ chain.prior_information @ prior
    g[0] += prior.T @ (chain.prior_information @ errors.prior - chain.prior_vector)
    return h.reshape(6 * n, 6 * n), g.reshape(6 * n)


def _exp(vectors: Array) -> Array:
    return np.asarray(Rotation.from_rotvec(vectors).as_matrix())


def _log(rotations: Array) -> Array:
    """Rotation vectors (n, 3) of (n, 3, 3): sin(angle) axis is the odd part of a rotation, 1 + 2 cos(angle) its trace."""
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
