"""What a run under stress is worth: were wrong poses published, how soon was it lost, and how soon found again."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RIGHT_M = 0.25  # a published pose this near the truth counts as found again
WRONG_M = 1.0
LOSE_WITHIN_S = 1.0  # a shorter blindness need not be noticed


class Event(NamedTuple):
    """Something that happens to the camera from `start_ns` until `end_ns`, when the view is usable again.

    carried: what the localizer believed at the start is no longer true at the end. blind: no image in between shows
    anything, so that no pose can be known, not even the right one.
    """

    what: str
    start_ns: int
    end_ns: int
    carried: bool = False
    blind: bool = False


class Judged(NamedTuple):
    """One image: the localizer's state, the distance of the published pose from the truth (None: nothing published),
    and which kind of answer it was ('' where the localizer does not tell)."""

    stamp_ns: int
    status: str
    error_m: float | None
    kind: str = ""


class EventScore(NamedTuple):
    """lost_after_s: seconds from the start until the old belief was given up: the state was not TRACKING, or, after
    having been carried, a right pose was published; None where there is nothing to give up. found_after_s: seconds from
    the end until a right pose was published. Both are inf when that did not happen before the next event.
    published_blind: poses published while blind.
    """

    what: str
    lost_after_s: float | None
    found_after_s: float
    published_blind: int


class RunScore(NamedTuple):
    """Counts over all images of a run. `median_m` is of the published poses, None without any."""

    frames: int
    published: int
    wrong: int
    median_m: float | None
    kinds: dict[str, int]
    events: tuple[EventScore, ...]

    @property
    def wrong_and_sure(self) -> float:
        """Share of all images."""
        return self.wrong / max(self.frames, 1)


def score(judged: Sequence[Judged], events: Sequence[Event] = ()) -> RunScore:
    """Score a run; `judged` and `events` in time order."""
    errors = [row.error_m for row in judged if row.error_m is not None]
    ends = [following.start_ns for following in events[1:]] + [judged[-1].stamp_ns + 1 if judged else 0]
    return RunScore(
        frames=len(judged),
        published=len(errors),
        wrong=sum(error > WRONG_M for error in errors),
        median_m=float(np.median(errors)) if errors else None,
        kinds=dict(Counter(row.kind for row in judged if row.error_m is not None and row.kind)),
        events=tuple(
            score_event([row for row in judged if event.start_ns <= row.stamp_ns < until], event)
            for event, until in zip(events, ends, strict=False)
        ),
    )


def score_event(judged: Sequence[Judged], event: Event) -> EventScore:
    """`judged`: the images from the start of the event until the next one."""

    def right(row: Judged) -> bool:
        return row.error_m is not None and row.error_m <= RIGHT_M

    lost = [row for row in judged if row.status != "TRACKING" or (event.carried and right(row))]
    found = [row for row in judged if row.stamp_ns >= event.end_ns and right(row)]
    blind = [row for row in judged if event.blind and row.stamp_ns < event.end_ns and row.error_m is not None]
    long_blind = event.blind and event.end_ns - event.start_ns >= LOSE_WITHIN_S * 1e9
    lost_after_s = _seconds(event.start_ns, lost) if event.carried or long_blind else None
    return EventScore(event.what, lost_after_s, _seconds(event.end_ns, found), len(blind))


def _seconds(since_ns: int, rows: Sequence[Judged]) -> float:
    return (rows[0].stamp_ns - since_ns) * 1e-9 if rows else math.inf
