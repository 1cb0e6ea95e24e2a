"""What the snap to walkable floor does to the answers: their errors on the floor before and after it.

The paper that this project began with tells 153 cm before and 130 cm after.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from campose_core.evaluation.frame_errors import FrameErrors
from campose_core.evaluation.spread import Spread
from campose_core.walkable import WalkableMap


class SnapEffect(NamedTuple):
    """Errors on the floor over all frames, before and after the snap; a pose that is off the map is then no answer.

    walkable_before: the share of the answers that lie on walkable cells; after the snap all do. off_map: answers that
    nothing walkable was in reach of. true_walkable: the share of the reference's positions that lie on walkable cells,
    of which one tells whether the floor map is right.
    """

    before_m: Spread
    after_m: Spread
    walkable_before: float
    off_map: int
    true_walkable: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return {**self._asdict(), "before_m": self.before_m.to_dict(), "after_m": self.after_m.to_dict()}


def snap_effect(errors: FrameErrors, walkable: WalkableMap) -> SnapEffect | None:
    """Move each answer to walkable floor as the localizer does, and measure again; None where there is no answer."""
    answered = np.flatnonzero(errors.answered)
    if not len(answered):
        return None
    xy = errors.reference.positions[:, :2] + errors.offsets[:, :2]
    after_m = np.full(len(xy), np.inf)
    off_map, came_from = 0, None
    for row in answered.tolist():
        found = walkable.snap(xy[row, 0], xy[row, 1], came_from)
        came_from = (found.x, found.y) if found.snapped else None
        if found.snapped:
            after_m[row] = np.hypot(*(np.array(came_from) - errors.reference.positions[row, :2]))
        else:
            off_map += 1
    return SnapEffect(
        Spread.of(errors.floor_m),
        Spread.of(after_m),
        float(np.mean([walkable.is_walkable(x, y) for x, y in xy[answered].tolist()])),
        off_map,
        float(np.mean([walkable.is_walkable(x, y) for x, y in errors.reference.positions[:, :2].tolist()])),
    )
