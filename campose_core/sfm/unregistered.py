"""Frames that found no place in the map, in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby

from campose_core.scene import SceneFrame

SHOWN = 5  # stretches


def unplaced_text(frames: Sequence[SceneFrame], placed: Collection[str], source: str) -> str | None:
    """Which frames of a source are not among `placed` (names), as stretches; None where all are."""
    ordered = sorted((frame for frame in frames if frame.source == source), key=lambda frame: frame.stamp_ns)
    known = set(placed)
    runs = [list(run) for missing, run in groupby(ordered, lambda f: f.name not in known) if missing]
    if not runs:
        return None
    count = sum(map(len, runs))
    if count == len(ordered):
        return f"{source} does not connect: none of its {count} frames has a place in the map"
    shown = [r[0].name if len(r) == 1 else f"{r[0].name} .. {r[-1].name}" for r in runs[:SHOWN]]
    more = f" and {len(runs) - SHOWN} more stretches" if len(runs) > SHOWN else ""
    return f"{count} of {len(ordered)} frames of {source} do not connect: {', '.join(shown)}{more}"
