"""Where a camera is from one image alone: similar keyframes, grouped into places; PnP on the landmarks of one place.

Sarlin et al., "From coarse to fine: robust hierarchical localization at large scale", CVPR 2019, with VLAD for the
global descriptors. Features meet the landmarks of a few places, never those of the building:
neither the time nor the share of chance matches grows with it, and a place that exists twice is found twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from campose_core.camera import Camera
from campose_core.features.base import ImageFeatures
from campose_core.features.matching import match_nearest
from campose_core.features.vlad import Vlad
from campose_core.geometry import Pose
from campose_core.landmark_map.covisibility import Indices, Keyframes
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.pnp import MAX_REPROJECTION, CameraPose, solve_pnp

# At 12 keyframes, chosen from the 20 most similar, poses are as accurate as against the whole map. The right place was
# the first or second of a map of 16 floors.
CANDIDATES = 20
PLACE_SIZE = 12
MAX_PLACES = 4
# A room like another that was mapped three times as densely has a third of its inliers; a wrong place has next to none
# (10, against 60 to 500).
RIVAL_SUPPORT = 0.25


class Relocalizer:
    """Finds a camera among the keyframes of a landmark map in metres."""

    def __init__(self, landmarks: Landmarks, keyframes: Keyframes) -> None:
        self._landmarks = landmarks
        self._keyframes = keyframes
        self._vlad = Vlad(landmarks.vlad_words)
        self._globals = landmarks.frame_globals.astype(np.float32)

    def __call__(self, features: ImageFeatures, camera: Camera, hints: Sequence[Pose] = ()) -> list[CameraPose]:
        """List where the camera that saw these features may be, the best supported place first; [] where none is sure.

        Several answers where different places explain the image about as well: they look alike (MAX_PLACES of them at
        most, besides those at hints: of more, the truth may not be among the answers). Keyframes near
        `hints` (map_from_cam) are looked at first, whatever their likeness; a wrong hint costs time and nothing else.
        """
        found: list[CameraPose] = []
        explained = np.zeros(len(self._keyframes), dtype=bool)
        for place in self._places(features, hints, explained):
            pose = self._placed(features, camera, place, found)
            if pose is not None:
                found.append(pose)
                explained[place] = True
                explained[self._keyframes.covisible(int(place[0]))] = True
        return best_supported(found)

    def _places(
        self, features: ImageFeatures, hints: Sequence[Pose], explained: NDArray[np.bool_]
    ) -> Iterator[Indices]:
        """Yield groups of keyframes, none in `explained`, that share landmarks and may be where the image is."""
        if len(features.descriptors) == 0:
            return
        for hint in hints:
            near = self._keyframes.near(hint, PLACE_SIZE)
            if len(near) and not explained[near[0]]:
                yield near
        similarity = self._globals @ self._vlad.describe(features.descriptors)
        ranked = np.argsort(-similarity, kind="stable")
        grouped = np.zeros(len(ranked), dtype=bool)
        for _ in range(MAX_PLACES):
            ranked = ranked[~(grouped | explained)[ranked]]
            if len(ranked) == 0:
                return
            neighbours = self._keyframes.covisible(int(ranked[0]))
            similar = ranked[1:CANDIDATES]
            similar = similar[np.isin(similar, neighbours)]
            others = neighbours[~np.isin(neighbours, similar)]
            grouped[neighbours] = grouped[ranked[0]] = True
            yield np.concatenate([ranked[:1], similar, others])[:PLACE_SIZE]

    def _placed(
        self, features: ImageFeatures, camera: Camera, place: Indices, found: list[CameraPose]
    ) -> CameraPose | None:
        """Place the camera among the landmarks of one place; None where it is found already, or far fewer agree."""
        shown = self._keyframes.seen_by(place)
        rows, columns = match_nearest(
            features.descriptors, self._landmarks.unit_descriptors(shown), self._landmarks.kind.likeness
        )
        if len(rows) < RIVAL_SUPPORT * max((len(other.inliers) for other in found), default=0):
            return None
        pose = solve_pnp(features.pixels[rows], self._landmarks.xyz[shown[columns]], camera)
        return None if pose is None or any(explains(other, pose, camera) for other in found) else pose


def best_supported(found: Sequence[CameraPose]) -> list[CameraPose]:
    """Sort poses of different places, the best supported first, without those that it leaves no chance."""
    ranked = sorted(found, key=lambda pose: -len(pose.inliers))
    return [pose for pose in ranked if len(pose.inliers) >= RIVAL_SUPPORT * len(ranked[0].inliers)]


def explains(pose: CameraPose, other: CameraPose, camera: Camera) -> bool:
    """Tell whether two poses are one: the first shows most landmarks of the other where that has found them."""
    expected = camera.project(pose.world_from_cam.inverse().transform(other.xyz))
    distances = np.linalg.norm(expected - other.pixels, axis=1)
    return bool(np.mean(distances < 2.0 * MAX_REPROJECTION * camera.width) > 0.5)  # NaN behind the camera: farther
