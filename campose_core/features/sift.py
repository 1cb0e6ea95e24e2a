"""SIFT features, the same for mapping and for localization.

OpenCV's SIFT at half resolution, whose first octave doubles the image again: the scales of features are those of the
full image from sigma 1.6 on (the frequencies that halving removes are gone at that blur anyway), at a third of the
time of COLMAP's own extractor and with the same poses; `benchmarks/features.py` compares them. Where images lie far
apart, what the full image adds decides: of an office lobby at a frame every two seconds 25 of 40 keyframes held
together by features of half the size, 39 by those of the full one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from campose_core.extras import load_extra
from campose_core.features.base import Detail, ImageFeatures
from campose_core.features.matching import OF_SIFT, Float32
from campose_core.frame import Image

LAYERS, CONTRAST, EDGE, SIGMA = 3, 0.01, 10.0, 1.6  # as in Lowe, IJCV 2004, but for fainter features: walls are pale


class SiftExtractor:
    """Features of single images, at most so many: those of the highest contrast.

    Raises:
        MissingDependency: OpenCV is not installed.
    """

    version, size, likeness = "RootSIFT of OpenCV", 128, OF_SIFT
    colmap_matches, pair_matcher, min_inliers = True, None, 15  # COLMAP's own bound

    def __init__(self, detail: Detail = Detail.HALF, max_features: int | None = None) -> None:
        self._cv2 = load_extra("cv2", "robot")
        cv2 = self._cv2
        self._detail = detail
        most = max_features or detail.max_features
        # The last argument: without it all features of the doubled image sit a quarter of a pixel off.
        self._sift = cv2.SIFT_create(most, LAYERS, CONTRAST, EDGE, SIGMA, cv2.CV_32F, True)

    def __call__(self, image: Image) -> ImageFeatures:
        """Extract the features of an image (H, W, 3) RGB or (H, W) grey, uint8."""
        cv2 = self._cv2
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        height, width = grey.shape
        scale = min(self._detail.scale, self._detail.max_side / max(width, height))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        keypoints, sift = self._sift.detectAndCompute(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), None)
        if sift is None:
            return ImageFeatures(np.zeros((0, 2)), np.zeros((0, 128), dtype=np.float32))
        small = np.array(cv2.KeyPoint_convert(keypoints), dtype=np.float64)
        pixels = (small + 0.5) * np.divide((width, height), size) - 0.5
        # RootSIFT: Arandjelovic and Zisserman, "Three things everyone should know to improve object retrieval", 2012.
        return ImageFeatures(pixels, np.sqrt(sift / np.maximum(sift.sum(axis=1, keepdims=True), 1e-6)))

    @staticmethod
    def to_bytes(descriptors: Float32) -> NDArray[np.uint8]:
        """Return unit descriptors (N, 128) in COLMAP's scale of RootSIFT."""
        return np.clip(np.rint(512.0 * descriptors), 0, 255).astype(np.uint8)

    @staticmethod
    def to_unit(stored: NDArray[np.uint8]) -> Float32:
        rows = stored.astype(np.float32)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
