"""Pose after pose while the last one is known: landmarks followed by their looks, and told anew by descriptors.

Looks alone would drift, and go on for ever from a mistake: every few images the landmarks are searched by descriptors
again, around the prior, and the image becomes the anchor from which they are followed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campose_core.camera import Camera
from campose_core.frame import Frame, Image
from campose_core.geometry import Array
from campose_core.landmark_map.covisibility import Keyframes
from campose_core.landmark_map.focal_length import WideMatches
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.pnp import CameraPose
from campose_core.localization import klt
from campose_core.localization.estimators.base import PosePrior
from campose_core.localization.guided_matching import GuidedMatcher

# A slow camera leaves time for descriptors in each image, which are more exact than following: 0.37 cm against 0.45 cm
# at ten handheld images a second. Between the images of a fast one little changes.
MAX_INTERVAL_S = 0.07
# Where the landmarks move little from image to image, following is as exact: then a slow camera is followed too.
LITTLE, SLOW_S = 12.0 / 640.0, 0.25
# Of an anchor, while the landmarks are still near their places in it. Anchors of 0.15 s give no better poses (0.22 cm
# against 0.21 cm of the demo's drive at thirty images a second) for half as much again of the processor.
MAX_AGE_S = 0.5
MAX_TRAVEL = 30.0 / 640.0  # median way of the landmarks through the image since the anchor, of its width
MAX_FEATURES = 600  # the strongest: 0.20 cm on the rendered floor where all 1030 give 0.19, in two thirds of the time
MIN_POINTS = 60  # to go on following
MIN_SHARE = 0.5  # of the anchor's landmarks, for a pose by looks
MIN_SPREAD = 32.0 / 640.0  # of the image width, see `_spread`


class _Shot(NamedTuple):
    """A frame, its grey image, and how long after the one before it was taken."""

    frame: Frame
    image: Image
    camera: Camera
    interval_ns: int


class Tracker:
    """Follows one camera. `followed`: whether the last pose came from looks alone. `wide`: of the last image whose
    landmarks were told by descriptors, of a camera whose focal length is not sure."""

    def __init__(self, landmarks: Landmarks, keyframes: Keyframes) -> None:
        self._xyz = landmarks.xyz
        self._match = GuidedMatcher(landmarks, keyframes)
        self._extract = landmarks.extractor(MAX_FEATURES)
        self.reset()

    def reset(self) -> None:
        """Forget the last image."""
        self.followed = False
        self.wide: WideMatches | None = None
        self._tracks: klt.Tracks | None = None
        self._anchor_ns = self._newest_ns = 0
        self._due: tuple[_Shot, CameraPose] | None = None

    def track(self, frame: Frame, camera: Camera, prior: PosePrior) -> CameraPose | None:
        """Find map_from_cam of a frame taken with `camera`, near the prior.

        None when too few landmarks agree, too small a share of what was matched, or all in one place of the image.
        """
        self.refresh()
        shot = _Shot(frame, klt.to_image(frame.image), camera, frame.stamp_ns - self._newest_ns)
        self._newest_ns = frame.stamp_ns
        found = self._follow(shot, prior)
        self.followed = found is not None
        return found if found is not None else self._search(shot, prior)

    def refresh(self) -> None:
        """Do what the last image did not need for its pose and the next will.

        The caller may do it between two images, when the pose is out. The poses are the same, called or not.
        """
        if self._due is None:
            return
        shot, followed = self._due
        self._due = self._tracks = None
        self._search(shot, PosePrior(followed.world_from_cam, followed.covariance))

    def _follow(self, shot: _Shot, prior: PosePrior) -> CameraPose | None:
        before, self._tracks = self._tracks, None
        if before is None or not before.camera.is_lens_of(shot.camera) or shot.interval_ns > SLOW_S * 1e9:
            return None
        if shot.interval_ns > MAX_INTERVAL_S * 1e9 and self._expected_move(before, prior) > LITTLE * shot.camera.width:
            return None
        followed = klt.follow(before, shot.image, prior.map_from_cam, self._xyz)
        if followed is None:
            return None
        found, tracks = followed
        spread = _spread(tracks.pixels)
        if len(tracks.pixels) < MIN_SHARE * tracks.at_anchor or spread < MIN_SPREAD * shot.camera.width:
            return None
        self._tracks = tracks
        next_age_ns = shot.frame.stamp_ns + shot.interval_ns - self._anchor_ns
        if next_age_ns > MAX_AGE_S * 1e9 or _worn(tracks):
            self._due = shot, found
        return found

    def _expected_move(self, before: klt.Tracks, prior: PosePrior) -> float:
        """How far the prior moves the landmarks from where they were followed to, pixels, in the median."""
        now = before.camera.project(prior.map_from_cam.inverse().transform(self._xyz[before.landmarks]))
        moves = np.linalg.norm(now - before.pixels - before.offsets, axis=1)
        return float(np.median(moves)) if len(moves) else 0.0

    def _search(self, shot: _Shot, prior: PosePrior) -> CameraPose | None:
        features, self.wide = self._extract(shot.frame.image), None
        matched = self._match(features, shot.camera, prior)
        if matched is None:
            return None
        found, pixels, landmarks = matched
        if shot.camera.focal_sigma > 0.0:
            self.wide = self._match.widely(shot.frame.stamp_ns, features, shot.camera, found.world_from_cam)
        if _spread(pixels) < MIN_SPREAD * shot.camera.width:
            return None
        self._tracks = klt.start(shot.image, shot.camera, found, pixels, landmarks, self._xyz)
        self._anchor_ns = shot.frame.stamp_ns
        return found


def _worn(tracks: klt.Tracks) -> bool:
    return len(tracks.pixels) < MIN_POINTS or _travel(tracks) > MAX_TRAVEL * tracks.camera.width


def _travel(tracks: klt.Tracks) -> float:
    """Return the median way of the landmarks through the image since the anchor, pixels."""
    ways = np.linalg.norm(tracks.pixels - tracks.anchor_pixels, axis=1)
    return float(np.median(ways)) if len(ways) else 0.0


def _spread(pixels: Array) -> float:
    """Geometric mean of the standard deviations along both principal axes, pixels: small in a corner and on a line."""
    return float(np.linalg.det(np.cov(pixels.T)).clip(0.0) ** 0.25)
