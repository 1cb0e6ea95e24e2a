"""Where a body may be while nobody knows: hypotheses that consecutive images confirm, until one has won.

One estimate proves little, and two places may look alike. A hypothesis is a run of estimates that one moving body
explains; it wins when enough images in a row agree with it and no other has been confirmed about as often.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from campose_core.localization.estimator import PoseEstimate

FORGOTTEN_AFTER_IMAGES = 5  # without an estimate that agrees; a rival place may be missed in some images
RIVAL_SHARE = 0.5  # a rival that was seen in half as many images is still one


@dataclass
class Hypothesis:
    """newest: the last estimate that agreed; in_a_row: images that agreed without a gap, up to the present one."""

    newest: PoseEstimate
    in_a_row: int = 1
    confirmed: int = 1
    missed: int = 0


class Hypotheses:
    """`reachable(before, after)`: whether one body explains both estimates."""

    def __init__(self, reachable: Callable[[PoseEstimate, PoseEstimate], bool], confirmations: int) -> None:
        self._reachable, self.confirmations = reachable, confirmations
        self._alive: list[Hypothesis] = []

    def __len__(self) -> int:
        return len(self._alive)

    @property
    def in_a_row(self) -> int:
        """Of the best confirmed one."""
        return max((hypothesis.in_a_row for hypothesis in self._alive), default=0)

    def clear(self) -> None:
        self._alive = []

    def add(self, estimates: Sequence[PoseEstimate]) -> PoseEstimate | None:
        """Take in what one image may mean; returns the newest estimate of the hypothesis that has won, if one has."""
        free = list(estimates)
        for hypothesis in self._alive:
            agreeing = next((e for e in free if self._reachable(hypothesis.newest, e)), None)
            if agreeing is None:
                hypothesis.in_a_row = 0
                hypothesis.missed += 1
            else:
                free = [e for e in free if e is not agreeing]
                hypothesis.newest, hypothesis.missed = agreeing, 0
                hypothesis.in_a_row += 1
                hypothesis.confirmed += 1
        self._alive += [Hypothesis(estimate) for estimate in free]
        self._alive = [hypothesis for hypothesis in self._alive if hypothesis.missed < FORGOTTEN_AFTER_IMAGES]
        self._alive.sort(key=lambda hypothesis: hypothesis.confirmed, reverse=True)
        if not self._alive or self._alive[0].in_a_row < self.confirmations:
            return None
        best, *rivals = self._alive
        if any(rival.confirmed >= RIVAL_SHARE * best.confirmed for rival in rivals):
            return None
        return best.newest
