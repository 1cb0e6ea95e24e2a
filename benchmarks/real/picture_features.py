"""Local features of images, as COLMAP keeps SIFT and as the learned networks write theirs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from campose_core.camera import pixels_from_colmap
from campose_core.features.matching import Float32
from campose_core.features.sift import SiftExtractor
from campose_core.geometry import Array
from campose_core.landmark_map.colmap import load_pycolmap


@dataclass(frozen=True)
class PictureFeatures:
    """pixels (N, 2), centres at integers; stored (N, D): SIFT as bytes or another kind as half floats, since those of a
    thousand images are in memory at once.
    """

    pixels: Array
    stored: NDArray[np.uint8] | NDArray[np.float16]

    @property
    def descriptors(self) -> Float32:
        """(N, D) of unit length."""
        if self.stored.dtype == np.uint8:
            return SiftExtractor.to_unit(self.stored.astype(np.uint8, copy=False))
        return self.stored.astype(np.float32)


def read_sift(database: Path) -> dict[str, PictureFeatures]:
    """Of a COLMAP database, by image name."""
    found = {}
    with load_pycolmap().Database.open(database) as db:
        for image in db.read_all_images():
            pixels = pixels_from_colmap(np.asarray(db.read_keypoints(image.image_id), dtype=np.float64)[:, :2])
            found[image.name] = PictureFeatures(pixels, np.array(db.read_descriptors(image.image_id).data))
    return found


def read_learned(file: Path) -> PictureFeatures:
    """Of one image, as `learned_features` wrote them."""
    with np.load(file) as arrays:
        return PictureFeatures(arrays["pixels"].astype(np.float64), arrays["descriptors"])
