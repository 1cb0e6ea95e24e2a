"""What the diagnostics complain of, in the log: when it lasts, and not again and again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable

LASTS_S = 1.0  # what is over by then, as at each start, is no news
REPEATED_S = 10.0


class ComplaintLog:
    """Asked with every report which of its complaints to log now: each by itself, whatever numbers it holds.

    One thread asks; another may have told of one already. clock: steady, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}
        self._told: dict[str, float] = {}

    def told(self, text: str) -> None:
        """Note that a complaint has just been logged."""
        self._told[_kind(text)] = self._clock()

    def due(self, texts: Iterable[str]) -> str:
        """Return what to log of the complaints that there are now, in one line; empty when nothing."""
        now, found = self._clock(), {_kind(text): text for text in texts}
        self._since = {kind: self._since.get(kind, now) for kind in found}
        told = {kind: at for kind, at in list(self._told.items()) if now - at < REPEATED_S}
        due = [kind for kind in found if now - self._since[kind] >= LASTS_S and kind not in told]
        self._told = {**told, **dict.fromkeys(due, now)}
        return "; ".join(found[kind] for kind in due)


def _kind(text: str) -> str:
    return re.sub(r"\d[\d.]*", "#", text)
