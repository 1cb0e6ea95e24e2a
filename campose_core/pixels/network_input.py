"""From an image of any camera to the network's input.

The network has a camera of its own: the whole image of the first training camera, squeezed to a square. An image
of another camera is cut and scaled so that each ray falls on the pixel where the network has learned to see it.
Lens distortion is not undone: the network learns it with everything else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from campose_core.camera import Camera
from campose_core.errors import LearningError
from campose_core.frame import Image
from campose_core.geometry import Array

# Below this share of the network's view, what is missing is no longer a border.
MIN_COVERED = 0.7


@dataclass(frozen=True)
class NetworkInput:
    """The network's camera: PINHOLE, square, without distortion."""

    camera: Camera

    @classmethod
    def covering(cls, camera: Camera, image_size: int) -> NetworkInput:
        """Cover the whole image of `camera` with image_size x image_size pixels."""
        pinhole = Camera("PINHOLE", camera.width, camera.height, (*camera.focal, *camera.centre))
        return cls(pinhole.resized(image_size, image_size))

    @property
    def size(self) -> int:
        """Return the pixels a side."""
        return self.camera.width

    def prepare(self, image: Image, camera: Camera) -> Image:
        """Warp an image (H, W, 3) uint8 of a camera to (size, size, 3) uint8.

        Raises:
            LearningError: the image does not have the camera's size, or the camera sees too little of what the
                network expects.
        """
        if image.shape != (camera.height, camera.width, 3):
            raise LearningError(f"an image of shape {image.shape} does not fit its camera {camera}")
        box = self._box(camera)
        limits = np.array([0, 0, camera.width, camera.height])
        inside = np.concatenate([np.maximum(box[:2], limits[:2]), np.minimum(box[2:], limits[2:])])
        covered = float(np.prod(np.maximum(inside[2:] - inside[:2], 0)) / np.prod(box[2:] - box[:2]))
        if covered < MIN_COVERED:
            raise LearningError(
                f"a camera of {camera.width}x{camera.height} pixels and focal length {camera.focal[0]:.0f} shows "
                f"{covered:.0%} of the view that the network has, of its first training frame: use a camera with a "
                "wider field of view, or train on its recordings alone, in a scene of their own"
            )
        margin = int(np.ceil(max(0.0, float(np.max(np.abs(box - inside))))))
        if margin > 0:
            image = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
        left, top, right, bottom = (float(v) for v in box + margin)
        resized = Pillow.fromarray(image).resize(
            (self.size, self.size), Pillow.Resampling.BILINEAR, (left, top, right, bottom)
        )
        return np.asarray(resized)

    def _box(self, camera: Camera) -> Array:
        """Left, top, right, bottom of the network's view in the image, counted from the image's corner."""
        scale = np.array(camera.focal) / self.camera.focal
        corner = -0.5 - np.array(self.camera.centre)
        first = corner * scale + camera.centre + 0.5
        box = np.concatenate([first, first + self.size * scale])
        # The same camera gives its own borders up to rounding; a pad for that would be wasted.
        limits = np.array([0, 0, camera.width, camera.height])
        return np.where(np.abs(box - limits) < 1e-6, limits, box)
