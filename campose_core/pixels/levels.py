"""From the values of 16 bit images to 8 bits: by what a recording shows, for all of its images alike.

Cameras of 10, 12 and 14 bits leave the upper bits of such values empty, and a thermal camera uses a small part of its
range. The upper byte alone would be a nearly black image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

VALUES = 1 << 16
SHARE = 0.001  # of the pixels are left out at either end: dead ones, and lamps
MIN_CONTRAST = 0.25  # of the range that the bits in use have; below, it is the range itself that is stretched
MIN_SPAN = 64  # values apart; what is nearer is noise
SAMPLED_PIXELS = 20_000  # of each image


class Levels:
    """What becomes black and what white, by the images that were looked at.

    Without a look at any, and where values use the upper bits, they keep their upper byte. `fixed`: no further image
    changes it, because the recording was looked at before; else each image that comes is looked at first.
    """

    def __init__(self) -> None:
        self.fixed = False
        self.said = ""  # what is done in words; empty where the upper byte is kept
        self._counts = np.zeros(VALUES, dtype=np.int64)
        self._table: NDArray[np.uint8] | None = None

    def look_at(self, values: NDArray[np.uint16]) -> None:
        """Count the values of an image, of any shape."""
        pixels = values.reshape(-1)
        step = max(1, pixels.size // SAMPLED_PIXELS)
        step += step % 3 == 0  # else of colours it would be one channel that is looked at
        self._counts += np.bincount(pixels[::step], minlength=VALUES)
        self._choose()

    def to_bytes(self, values: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """Return the values (any shape) as 8 bits."""
        if not self.fixed:
            self.look_at(values)
        return (values >> 8).astype(np.uint8) if self._table is None else self._table[values]

    def _choose(self) -> None:
        below = np.cumsum(self._counts)
        low, high = (int(value) for value in np.searchsorted(below, [SHARE * below[-1], (1 - SHARE) * below[-1]]))
        bits = max(8, high.bit_length())
        every = np.arange(VALUES)
        if bits > 8 and high - low < MIN_CONTRAST * (1 << bits):
            span = max(high - low, MIN_SPAN)
            self._table = np.clip((every - low) * 255.0 / span, 0, 255).astype(np.uint8)
            self.said = f"16 bit values of {low} to {low + span} are stretched to 8 bits, in all images alike"
        elif bits < 16:
            self._table = np.minimum(every >> (bits - 8), 255).astype(np.uint8)
            self.said = f"16 bit values that use {bits} bits keep the upper 8 of these, in all images alike"
        else:
            self._table, self.said = None, ""
