"""An image with corners and edges at all scales."""

import numpy as np

HEIGHT, WIDTH = 240, 320


def posters(seed: int = 0) -> np.ndarray:
    """RGB: rectangles of any size and colour over each other, with corners and edges at all scales."""
    generator = np.random.default_rng(seed)
    image = np.full((HEIGHT, WIDTH, 3), 128, dtype=np.uint8)
    for _ in range(150):
        top, left = generator.integers(0, (HEIGHT - 10, WIDTH - 10))
        height, width = generator.integers(6, 50, 2)
        image[top : top + height, left : left + width] = generator.integers(0, 255, 3)
    return image
