"""Where a body may be while nobody knows: hypotheses that consecutive images confirm, until one has won.

One estimate proves little, and two places may look alike. A hypothesis is a run of estimates that one moving body
explains; it wins when enough images in a row agree with it and no other has been confirmed about as often.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Place = TypeVar("Place")

FORGOTTEN_AFTER_IMAGES = 5  # without an estimate that agrees; a rival place may be missed in some images
RIVAL_SHARE = 0.5  # a rival that was seen in half as many images is still one


@dataclass
class Hypothesis(Generic[Place]):
    """newest: the last estimate that agreed; rows: by camera, its images that agreed without a gap up to its last."""

    newest: Place
    rows: dict[str, int] = field(default_factory=dict)
    confirmed: int = 0
    missed: int = 0

    @property
    def in_a_row(self) -> int:
        """Return how many images agreed without a gap, over all cameras."""
        return sum(self.rows.values())

    @property
    def cameras(self) -> set[str]:
        """Return those whose last image agreed."""
        return {camera for camera, images in self.rows.items() if images}

    def confirm(self, estimate: Place, camera: str) -> None:
        """Take in an estimate of `camera` that agrees."""
        self.newest, self.missed = estimate, 0
        self.rows[camera] = self.rows.get(camera, 0) + 1
        self.confirmed += 1

    def miss(self, camera: str) -> None:
        """Count an image of `camera` that disagrees.

        A camera that has never agreed contradicts nothing: it may face a white wall.
        """
        if camera in self.rows:
            self.rows[camera] = 0
            self.missed += 1


class Hypotheses(Generic[Place]):
    """`reachable(before, after)`: whether one body explains both estimates."""

    def __init__(self, reachable: Callable[[Place, Place], bool], confirmations: int) -> None:
        self._reachable, self.confirmations = reachable, confirmations
        self._alive: list[Hypothesis[Place]] = []
        self.why_none = ""  # has won, when `add` returned None

    def __len__(self) -> int:
        return len(self._alive)

    def clear(self) -> None:
        """Drop all of them, as at the start."""
        self._alive = []

    def add(self, estimates: Sequence[Place], camera: str = "", enough: int | None = None) -> Place | None:
        """Take in what one image of a camera may mean; returns its estimate of the hypothesis that won, if one did.

        enough: images in a row that win, where these are not `confirmations`.
        """
        free = list(estimates)
        for hypothesis in self._alive:
            agreeing = next((e for e in free if self._reachable(hypothesis.newest, e)), None)
            if agreeing is None:
                hypothesis.miss(camera)
            else:
                free = [e for e in free if e is not agreeing]
                hypothesis.confirm(agreeing, camera)
        self._alive += [Hypothesis(estimate, {camera: 1}, confirmed=1) for estimate in free]
        self._alive = [hypothesis for hypothesis in self._alive if hypothesis.missed < FORGOTTEN_AFTER_IMAGES]
        self._alive.sort(key=lambda hypothesis: hypothesis.confirmed, reverse=True)
        enough = enough or self.confirmations
        confirmed = [hypothesis for hypothesis in self._alive if hypothesis.in_a_row >= enough]
        if not confirmed:
            longest = max((hypothesis.in_a_row for hypothesis in self._alive), default=0)
            self.why_none = f"{longest} of {enough} agreeing estimates"
            return None
        self.why_none = _contradiction(confirmed) or "another place was seen as often"
        best, *rivals = self._alive
        if best.in_a_row < enough or any(rival.confirmed >= RIVAL_SHARE * best.confirmed for rival in rivals):
            return None
        # Another camera may have won it before, and this one sees nothing.
        return best.newest if any(best.newest is estimate for estimate in estimates) else None


def _contradiction(confirmed: Sequence[Hypothesis[Place]]) -> str:
    """Name cameras that confirmed places which no body can have at once: one alone never says so, it may see twins."""
    first, *others = confirmed
    other = next((other for other in others if not first.cameras & other.cameras), None)
    return "" if other is None else contradict(first.cameras, other.cameras)


def contradict(*sides: set[str]) -> str:
    """Say that cameras on these sides see one body in different places, and the cure."""
    names = " and ".join(sorted(", ".join(sorted(side)) for side in sides))
    return f"{names} contradict each other: check base_from_camera"
