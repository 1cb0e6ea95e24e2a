"""`campose align --distance`: the scale by a tape measure."""

from __future__ import annotations

import numpy as np

from campose_core.alignment.evidence import Evidence
from campose_core.alignment.sources.base import AlignmentSource, Borrowed
from campose_core.errors import AlignmentError
from campose_core.geometry import Array

TAPE_SIGMA = 0.01  # relative error of a distance between two cameras that was measured with a tape


class KnownDistance(AlignmentSource):
    """Two frames, and the metres between their cameras."""

    by_hand = True

    def names(self) -> list[str]:
        return [] if self.mapped.request.distance is None else ["known distance"]

    def evidence(self, name: str, borrowed: Borrowed) -> Evidence:
        assert self.mapped.request.distance is not None
        first, second, metres = self.mapped.request.distance
        poses = self.mapped.poses
        for frame in (first, second):
            if frame not in poses:
                raise AlignmentError(
                    f"frame {frame!r} is not in the reconstruction; frames are named like {min(poses)!r}"
                )
        between = poses[first].translation, poses[second].translation
        scale = scale_of_distance(*between, self.mapped.path_sfm, metres)
        return Evidence(name, scale=scale, scale_sigma=TAPE_SIGMA)


def scale_of_distance(first_sfm: Array, second_sfm: Array, path_sfm: Array, distance_m: float) -> float:
    """Return metres per unit of sfm, where two cameras (3,) of the path (N, 3), in sfm, stood `distance_m` apart.

    Raises:
        AlignmentError: the two positions coincide, or the distance is not positive.
    """
    apart = float(np.linalg.norm(first_sfm - second_sfm))
    if apart < 1e-3 * max(float(np.linalg.norm(np.ptp(path_sfm, axis=0))), 1e-12) or distance_m <= 0:
        raise AlignmentError(
            "the two frames of a known distance must be at different places, a positive distance apart"
        )
    return distance_m / apart
