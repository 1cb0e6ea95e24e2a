"""A sliding window over where the body was seen and how it moved: absolute poses fused with relative motion.

What MapNet+PGO does with the poses of a network (Brahmbhatt et al., CVPR 2018, section 3.4), while driving: a chain of
the latest poses, an absolute estimate on any of them, a motion between neighbours. What leaves the window stays as a
prior on the oldest pose in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from campose_core.errors import LocalizationError
from campose_core.geometry import Pose, rotation_angle
from campose_core.motion.model import UncertainPose
from campose_core.motion.pose_chain import Bounds, Chain, Errors, Poses, minimised, without_first
from campose_core.statistics import checked_covariance, require_positive

REJECTED = 0.25  # an estimate of less weight: its error is more than twice the bound


@dataclass(frozen=True)
class PoseGraphOptions:
    """
    window: poses kept; older ones are marginalised.
    seen_bound: squared error, in standard deviations, beyond which an absolute estimate loses weight; 99 % of honest
    errors of six dimensions stay below.
    moved_bound: the same of motions. Larger by 2.5: one or two estimates that contradict the motion are wild, three
    that agree with each other say that the motion was (wheels slipped).
    distrusted_after: so many rejected estimates in a row, and the chain starts anew from the last: odometry of another
    scale is not a slip but wrong everywhere, and no chain may follow it away from what is seen.

    Raises:
        LocalizationError: a value that is not positive, or a window of less than two.
    """

    window: int = 20
    seen_bound: float = 16.8
    moved_bound: float = 2.5 * 16.8
    distrusted_after: int = 8

    def __post_init__(self) -> None:
        require_positive(LocalizationError, **vars(self))
        if self.window < 2:
            raise LocalizationError(f"window must be at least 2, got {self.window!r}")


class PoseGraph:
    """Fixed-lag smoother of one chain of poses.

    A stamp before the last one, and an image without relative motion to the one before, start a new chain: what was
    seen before says nothing any more. The first answer of a chain is the estimate itself.
    """

    def __init__(self, options: PoseGraphOptions | None = None) -> None:
        self.options = options or PoseGraphOptions()
        self._bounds = Bounds(self.options.seen_bound, self.options.moved_bound)
        self.reset()

    def reset(self) -> None:
        """Forget all poses."""
        self._chain: Chain | None = None
        self._poses = Poses(np.zeros((0, 3, 3)), np.zeros((0, 3)))
        self._newest_ns = 0
        self._moved_since_seen_m = 0.0

    def add(
        self,
        stamp_ns: int,
        absolute: UncertainPose | None,
        relative: UncertainPose | None,
        correlation_m: float = 0.0,
    ) -> UncertainPose | None:
        """Add an image; returns its `map_from_base` and marginal covariance, None while none was seen in this chain.

        absolute: map_from_base as estimated from this image. relative: `before_from_now`, since the image added before.
        correlation_m: the way on which the errors of a network's estimates resemble each other (0: not at all). They
        depend on what is seen, and a robot that stands still learns nothing new from a second image.

        Raises:
            GeometryError: a covariance that is none.
        """
        seen = None if absolute is None else UncertainPose(absolute.pose, checked_covariance(absolute.covariance))
        moved = None if relative is None else UncertainPose(relative.pose, checked_covariance(relative.covariance))
        if moved is None or stamp_ns < self._newest_ns:
            self.reset()
        self._newest_ns = stamp_ns
        if self._chain is None or moved is None:
            return None if seen is None else self._begin(seen)
        self._moved_since_seen_m += _length(moved.pose)
        if seen is not None:
            repetition = _repetition(self._moved_since_seen_m, correlation_m)
            seen = UncertainPose(seen.pose, seen.covariance * repetition)
            self._moved_since_seen_m = 0.0
        self._chain = self._chain.extended(seen, moved)
        return self._solve(self._chain, self._poses.moved_on(moved.pose), absolute)

    def _begin(self, seen: UncertainPose) -> UncertainPose:
        self._chain = Chain.beginning(seen)
        self._poses = Poses(self._chain.seen.rotations, self._chain.seen.translations)
        self._moved_since_seen_m = 0.0
        return seen

    def _solve(self, chain: Chain, start: Poses, absolute: UncertainPose | None) -> UncertainPose:
        solution = minimised(chain, start, self._bounds)
        rejected = _rejected_in_a_row(chain, solution.errors)
        if rejected >= 2:
            # A chain that holds on to what it believed may reject all that it sees now: ask the other way round too.
            starts = {int(np.flatnonzero(chain.seen.made)[-rejected])} | (
                set() if chain.prior.information.any() else {0}
            )
            for start_again in sorted(starts):
                other = minimised(chain, _anchored_at_newest(chain, solution.poses, start_again), self._bounds)
                if other.errors.cost < solution.errors.cost:
                    solution = other
            rejected = _rejected_in_a_row(chain, solution.errors)
        if absolute is not None and rejected >= self.options.distrusted_after:
            return self._begin(UncertainPose(absolute.pose, checked_covariance(absolute.covariance)))
        self._chain, self._poses = chain, solution.poses
        if len(self._poses.translations) > self.options.window:
            self._chain = without_first(chain, solution.poses, solution.errors)
            self._poses = solution.poses.part(slice(1, None))
        return UncertainPose(solution.poses.last(), solution.last_covariance())


def _length(motion: Pose) -> float:
    """How much a motion changes what a camera sees, in metres; a radian counts as a metre."""
    return float(np.linalg.norm(motion.translation) + rotation_angle(motion.rotation))


def _repetition(moved_m: float, correlation_m: float) -> float:
    """By how much to enlarge the covariance of an estimate that partly repeats the one before.

    With errors of correlation r = exp(-moved / correlation) from one to the next (a first order Markov process), n
    estimates of the same thing hold 1 + (n - 1) (1 - r) / (1 + r) times the information of one. Bounded: part of the
    error is new in each image.
    """
    if correlation_m <= 0:
        return 1.0
    r = min(float(np.exp(-moved_m / correlation_m)), 0.98)
    return (1.0 + r) / (1.0 - r)


def _anchored_at_newest(chain: Chain, poses: Poses, first: int) -> Poses:
    """Place the poses from `first` on as the motions lead back from where the newest was seen."""
    rotations, translations = poses.rotations.copy(), poses.translations.copy()
    rotations[-1], translations[-1] = chain.seen.rotations[-1], chain.seen.translations[-1]
    for i in range(len(rotations) - 2, first - 1, -1):
        rotations[i] = rotations[i + 1] @ chain.moved.rotations[i].T
        translations[i] = translations[i + 1] - rotations[i] @ chain.moved.translations[i]
    return Poses(rotations, translations)


def _rejected_in_a_row(chain: Chain, errors: Errors) -> int:
    """How many of the latest estimates are rejected; none, when the newest pose was not seen."""
    seen = chain.seen.made
    if not seen[-1]:
        return 0
    kept = np.flatnonzero(errors.seen_weights[seen][::-1] >= REJECTED)
    return int(kept[0]) if len(kept) else int(seen.sum())
