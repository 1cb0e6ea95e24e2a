"""Pose after pose while the last one is known: landmarks followed by their looks, and told anew by descriptors.

Looks alone would drift, and go on for ever from a mistake: every few images the landmarks are searched by descriptors
again, around the prior, and the image becomes the anchor from which they are followed.
"""

from __future__ import annotations

import numpy as np

from campose_core.camera import Camera
from campose_core.capture.frame import Image
from campose_core.geometry import Array
from campose_core.localization import klt
from campose_core.localization.estimator import PosePrior
from campose_core.localization.guided_matching import GuidedMatcher
from campose_core.localization.keyframes import Keyframes
from campose_core.mapping.features import ImageFeatures, SiftExtractor
from campose_core.mapping.landmarks import Landmarks
from campose_core.mapping.pnp import CameraPose

MAX_IMAGES = 4  # followed from one anchor
MAX_TRAVEL = 30.0 / 640.0  # median way of the landmarks through the image since the anchor, of its width
MIN_POINTS = 60  # to go on following
MIN_SHARE = 0.5  # of the anchor's landmarks, for a pose by looks
MIN_SPREAD = 32.0 / 640.0  # of the image width, see `_spread`


class Tracker:
    """Follows one camera. `features` are those of the last image where they were needed, so that a caller who gets no
    pose need not extract them again; None where the landmarks were only followed."""

    def __init__(self, landmarks: Landmarks, keyframes: Keyframes, extract: SiftExtractor) -> None:
        self._xyz = landmarks.xyz
        self._match = GuidedMatcher(landmarks, keyframes)
        self._extract = extract
        self.reset()

    def reset(self) -> None:
        """Forget the last image."""
        self.features: ImageFeatures | None = None
        self._tracks: klt.Tracks | None = None

    def track(self, image: Image, camera: Camera, prior: PosePrior) -> CameraPose | None:
        """map_from_cam of an image (H, W, 3) RGB uint8 taken with `camera`, near the prior.

        None when too few landmarks agree, too small a share of what was matched, or all in one place of the image.
        """
        self.features = None
        picture = klt.to_picture(image)
        found = self._follow(picture, camera, prior)
        return found if found is not None else self._search(image, picture, camera, prior)

    def _follow(self, picture: Image, camera: Camera, prior: PosePrior) -> CameraPose | None:
        before, self._tracks = self._tracks, None
        if before is None or before.camera != camera or _worn(before):
            return None
        followed = klt.follow(before, picture, prior.map_from_cam, self._xyz)
        if followed is None:
            return None
        found, tracks = followed
        if len(tracks.pixels) < MIN_SHARE * tracks.at_anchor or _spread(tracks.pixels) < MIN_SPREAD * camera.width:
            return None
        self._tracks = tracks
        return found

    def _search(self, image: Image, picture: Image, camera: Camera, prior: PosePrior) -> CameraPose | None:
        self.features = self._extract(image)
        matched = self._match(self.features, camera, prior)
        if matched is None:
            return None
        found, pixels, landmarks = matched
        if _spread(pixels) < MIN_SPREAD * camera.width:
            return None
        self._tracks = klt.start(picture, camera, found, pixels, landmarks, self._xyz)
        return found


def _worn(tracks: klt.Tracks) -> bool:
    """Whether it is time for a new anchor."""
    travel = np.median(np.linalg.norm(tracks.pixels - tracks.anchor_pixels, axis=1)) if len(tracks.pixels) else 0.0
    return bool(
        tracks.images >= MAX_IMAGES or len(tracks.pixels) < MIN_POINTS or travel > MAX_TRAVEL * tracks.camera.width
    )


def _spread(pixels: Array) -> float:
    """Geometric mean of the standard deviations along both principal axes, pixels: small in a corner and on a line."""
    return float(np.linalg.det(np.cov(pixels.T)).clip(0.0) ** 0.25)
