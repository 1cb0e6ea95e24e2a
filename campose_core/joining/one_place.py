"""Images that a model puts at one place, looking the same way, see the same things; else they are of two places.

Two buildings of one make, two floors, two rooms with the same shelves: what looks alike in them joins them, and puts
the one onto the other. There the cameras of both stand side by side, and have nothing in common beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from campose_core.landmark_map.colmap import model_poses, shown_landmarks

# Of the lesser median distance of what two images see; and between their views. In right maps (a kitchen, desks, rooms,
# a flat, a campus with its loop, a building, a terrace) at most 2 % of the pairs of images so near to each other, each
# with ENOUGH landmarks, have none in common, whatever two stretches of the walk they are of; of two rendered rooms with
# shelves and boxes of one make, joined by a box, 35 %. Of images that see less, blurred ones are strangers too.
NEAR, SAME_WAY_DEG = 0.25, 25.0
ENOUGH = 150
MIN_STRANGERS, SHARE_OF_STRANGERS = 5, 0.25


@dataclass(frozen=True, eq=False)
class SideBySide:
    """Pairs of images at one place, as rows (N, 2), and which of them (N,) have a landmark in common."""

    pairs: NDArray[np.intp]
    see_the_same: NDArray[np.bool_]

    def deny(self, some: NDArray[np.bool_], others: NDArray[np.bool_]) -> bool:
        """Tell whether images (masks of rows) are of two places: too many pairs across see nothing in common."""
        first, second = self.pairs.T
        across = (some[first] & others[second]) | (others[first] & some[second])
        strangers = int(np.sum(across & ~self.see_the_same))
        return strangers >= MIN_STRANGERS and strangers > SHARE_OF_STRANGERS * int(np.sum(across))


def side_by_side(model: Any, names: Sequence[str]) -> SideBySide:
    """Find the pairs in a pycolmap Reconstruction; rows are those of names, all registered."""
    poses, (shown, xyz) = model_poses(model), shown_landmarks(model, names)
    counts = np.diff(shown.indptr)
    positions = np.array([poses[name].translation for name in names])
    views = np.array([poses[name].rotation.as_matrix()[:, 2] for name in names])
    depths = np.array(
        [
            np.median(np.linalg.norm(xyz[columns] - position, axis=1)) if len(columns) else 0.0
            for columns, position in zip(np.split(shown.indices, shown.indptr[1:-1]), positions, strict=True)
        ]
    )
    apart = np.linalg.norm(positions[:, None] - positions, axis=2)
    near = (apart < NEAR * np.minimum(depths[:, None], depths)) & (views @ views.T > np.cos(np.radians(SAME_WAY_DEG)))
    fewer = np.minimum(counts[:, None], counts)
    first, second = np.nonzero(np.triu(near & (fewer >= ENOUGH), 1))
    common = np.asarray((shown @ shown.T).todense())[first, second]
    return SideBySide(np.column_stack([first, second]), common > 0)
