"""What every kind of local features answers with, and what one has to say of itself."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from campose_core.features.matching import Float32, Likeness
from campose_core.frame import Image
from campose_core.geometry import Array


class ImageFeatures(NamedTuple):
    """pixels (N, 2) of the image as given, centres at integers; descriptors (N, D) float32 of unit length."""

    pixels: Array
    descriptors: Float32


class SizedFeatures(NamedTuple):
    """Features of an image, as `ImageFeatures`, and its (width, height)."""

    pixels: Array
    descriptors: Float32
    size: tuple[int, int]


PairMatcher = Callable[[SizedFeatures, SizedFeatures], NDArray[np.intp]]  # (K, 2) rows of the two; several threads ask


class Detail(str, Enum):
    """How much of an image the features are looked for in, and how many there may be."""

    HALF = "half"
    FULL = "full"

    @property
    def scale(self) -> float:
        """Return the factor that an image is scaled by, up to `max_side`, before features are looked for."""
        return 0.5 if self is Detail.HALF else 1.0

    @property
    def max_side(self) -> int:
        """Return the longest side, in pixels, of the image that features are looked for in."""
        return 640 if self is Detail.HALF else 1280

    @property
    def max_features(self) -> int:
        """Return how many features an image has at most."""
        return 1500 if self is Detail.HALF else 4000


class FeatureKind(Protocol):
    """One kind of local features; an object of it extracts them from single images.

    version: of the algorithm: unfinished maps with features of another one are begun anew.
    size: D, the numbers of a descriptor. likeness: when two descriptors are taken for those of one thing.
    colmap_matches: COLMAP's own matcher of SIFT may compare the stored descriptors, along epipolar lines.
    pair_matcher: what decides which features of two images belong together, where it is not likeness.
    min_inliers: matches that two images must have in common, verified, to show the same; chosen from unrelated places.
    """

    version: ClassVar[str]
    size: ClassVar[int]
    likeness: ClassVar[Likeness]
    colmap_matches: ClassVar[bool]
    pair_matcher: ClassVar[Callable[[], PairMatcher] | None]
    min_inliers: ClassVar[int]

    def __init__(self, detail: Detail = Detail.HALF, max_features: int | None = None) -> None: ...

    def __call__(self, image: Image) -> ImageFeatures:
        """Extract the features of an image (H, W, 3) RGB or (H, W) grey, uint8: at most so many, none from a blank one.

        The same image gives the same features.
        """
        ...

    @staticmethod
    def to_bytes(descriptors: Float32) -> NDArray[np.uint8]:
        """Return unit descriptors (N, D) as they are stored in COLMAP's database and in the landmark file."""
        ...

    @staticmethod
    def to_unit(stored: NDArray[np.uint8]) -> Float32:
        """Return stored descriptors (N, D) as float32 rows of unit length."""
        ...
