"""An image among the keyframes that look most like it: what it shows of their landmarks, whatever the map's unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from campose_core.features.base import ImageFeatures
from campose_core.features.matching import Float32, IndexPairs, match_nearest
from campose_core.features.vlad import Vlad
from campose_core.landmark_map.grouped import Grouped
from campose_core.landmark_map.landmarks import Landmarks

SIMILAR = 20  # keyframes whose landmarks are looked at


class SimilarKeyframes:
    """Looks up the keyframes of a landmark map by likeness, and matches with what they see."""

    def __init__(self, landmarks: Landmarks) -> None:
        self._landmarks = landmarks
        self._vlad = Vlad(landmarks.vlad_words)
        self._globals = landmarks.frame_globals.astype(np.float32)
        self._seen = Grouped(landmarks.observed_by, landmarks.observed, len(landmarks.frame_names))

    def describe(self, features: ImageFeatures) -> Float32:
        """Return the global descriptor of an image, in the map's vocabulary."""
        return self._vlad.describe(features.descriptors)

    def similar(self, features: ImageFeatures, count: int = SIMILAR) -> NDArray[np.intp]:
        """Return the rows of the keyframes that look most like the image, the most similar first."""
        return np.argsort(-(self._globals @ self.describe(features)), kind="stable")[:count]

    def match(self, features: ImageFeatures, keyframes: NDArray[np.intp]) -> IndexPairs:
        """Index pairs (features, landmarks) with the landmarks of some keyframes."""
        among = np.unique(self._seen.of(keyframes)).astype(np.intp)
        seen, columns = match_nearest(
            features.descriptors, self._landmarks.unit_descriptors(among), self._landmarks.kind.likeness
        )
        return seen, among[columns]
