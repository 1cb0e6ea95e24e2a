"""Frames at a steady rate out of frames at any rate."""

import math
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def thinned(stamped: Iterable[tuple[int, Item]], fps: float | None) -> Iterator[tuple[int, Item]]:
    """Yield, of (stamp_ns, item) in time order, for each point of a grid of rate `fps` the item nearest to it.

    The grid starts at the first stamp. A gap stays a gap, and nothing is repeated. None keeps all. One item is held
    back, so that a recording of any length streams through.
    """
    if fps is None:
        yield from stamped
        return
    start_ns: int | None = None
    best: tuple[int, Item] | None = None
    best_point, best_distance = 0, 0.0
    for stamp_ns, item in stamped:
        start_ns = stamp_ns if start_ns is None else start_ns
        position = (stamp_ns - start_ns) * fps / 1e9
        point = math.ceil(position - 0.5)  # a frame halfway belongs to the earlier point
        distance = abs(position - point)
        if best is not None and point != best_point:
            yield best
            best = None
        if best is None or distance < best_distance:
            best, best_point, best_distance = (stamp_ns, item), point, distance
    if best is not None:
        yield best
