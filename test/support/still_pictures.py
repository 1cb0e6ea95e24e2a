"""Pictures with and without something to see, for a camera that stands."""

import numpy as np
from scipy.ndimage import zoom

SIZE = (240, 320)


def textured(seed: int) -> np.ndarray:
    """A picture (240, 320, 3) full of corners."""
    coarse = np.random.default_rng(seed).uniform(0.0, 255.0, (24, 32))
    grey = np.clip(zoom(coarse, 10, order=1), 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


COVERED = np.full((*SIZE, 3), 20, np.uint8)
