"""The stamps of a topic that is compared with the images of its bag."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.bag.clock import BagClock, usable_stamps
from campose_core.bag.images import header_stamp_ns
from campose_core.trajectory import Stamps

log = logging.getLogger(__name__)

# Some send a stamp twice, as a filter does that predicts and corrects; stamps of whole seconds repeat more often.
MAX_REPEATED = 2 / 3


class OrderedRows(NamedTuple):
    """rows (M,): those with a stamp of their own, later than the one before; stamps_ns (M,)."""

    rows: NDArray[np.int64]
    stamps_ns: Stamps


@dataclass
class StampedRows:
    """The messages of a topic as they are read. clock: of the images of the bag."""

    path: Path
    topic: str
    clock: BagClock
    header_ns: list[int] = field(default_factory=list)
    log_ns: list[int] = field(default_factory=list)

    def add(self, message: Any, log_ns: int) -> None:
        self.header_ns.append(self.clock.stamp_ns(header_stamp_ns(message), log_ns))
        self.log_ns.append(log_ns)

    def ordered(self, without: int = 0, why: str = "their stamp does not increase") -> OrderedRows:
        """Which messages have a usable stamp; a line tells what was done to stamps, one how many messages are left out.

        without: left out before, for another reason; why: the reasons, in words.
        """
        repeats = [bool(i) and stamp == self.header_ns[i - 1] != 0 for i, stamp in enumerate(self.header_ns)]
        are_copies = sum(repeats) <= MAX_REPEATED * len(repeats)
        found = usable_stamps(self.header_ns, self.log_ns, repeats if are_copies else [False] * len(repeats))
        if found.done:
            log.info(f"{self.path}: stamps of {self.topic}: {found.done}")
        rows = _increasing(found.stamps_ns.tolist())
        left_out = without + len(self.header_ns) - len(rows)
        if left_out and rows:
            log.info(f"{self.path}: {left_out} messages on {self.topic} left out: {why}")
        return OrderedRows(np.array(rows, dtype=np.int64), found.stamps_ns[rows])


def _increasing(stamps_ns: Sequence[int]) -> list[int]:
    rows, last_ns = list[int](), 0
    for row, stamp_ns in enumerate(stamps_ns):
        if stamp_ns > last_ns:
            rows.append(row)
            last_ns = stamp_ns
    return rows
