"""VLAD: one global descriptor per image, aggregated from its local features with a vocabulary of the scene's own.

Jegou et al., "Aggregating local descriptors into a compact image representation", CVPR 2010; RootSIFT and per-word
normalisation as in Arandjelovic and Zisserman, "All about VLAD", CVPR 2013. No downloaded vocabulary, no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from campose_core.features.matching import Float32

WORDS = 32
SAMPLES = 20_000


@dataclass(frozen=True, eq=False)
class Vlad:
    """words: (WORDS, D) float32 cluster centres of unit descriptors."""

    words: Float32

    @classmethod
    def of_images(
        cls, images: Sequence[NDArray[np.uint8]], seed: int, to_unit: Callable[[NDArray[np.uint8]], Float32]
    ) -> Vlad:
        """Make it from descriptors (N_i, D) as they are stored, some of each image: as floats all would take gigabytes.

        seed: of the clustering. to_unit: of the features' kind.
        """
        of_each = max(1, 2 * SAMPLES // len(images))
        return cls.fit([to_unit(rows[:: max(1, len(rows) // of_each)]) for rows in images], seed)

    @classmethod
    def fit(cls, images: Sequence[Float32], seed: int) -> Vlad:
        """Make a vocabulary by clustering a sample of the unit descriptors (N_i, D) of all images."""
        from scipy.cluster.vq import kmeans2

        generator = np.random.default_rng(seed)
        descriptors = np.concatenate(list(images))
        sample = descriptors[generator.permutation(len(descriptors))[:SAMPLES]]
        words, _ = kmeans2(sample, WORDS, iter=15, minit="points", seed=generator)
        return cls(words.astype(np.float32))

    def describe(self, descriptors: Float32) -> Float32:
        """Return the global descriptor (WORDS * D,), of unit length, of unit descriptors (N, D); zero for none."""
        nearest = np.argmax(descriptors @ self.words.T - 0.5 * np.sum(self.words**2, axis=1), axis=1)
        # Sums by matrix product: adding row by row takes 8 ms an image.
        assigned = (nearest == np.arange(len(self.words))[:, None]).astype(np.float32)
        residuals = assigned @ descriptors - assigned.sum(axis=1, keepdims=True) * self.words
        residuals /= np.maximum(np.linalg.norm(residuals, axis=1, keepdims=True), 1e-6)
        flat = residuals.reshape(-1)
        return flat / max(float(np.linalg.norm(flat)), 1e-6)
