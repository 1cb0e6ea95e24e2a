"""Frames of a recording in a landmark map: similar keyframes, their landmarks, PnP; a frame helps its neighbours.

As `campose_core.localization.relocalizer`, but for frames that come one after the other and whatever the map's unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.camera import Camera
from campose_core.features.base import FeatureKind, ImageFeatures
from campose_core.features.matching import Float32
from campose_core.geometry import Array, Pose
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.pnp import solve_pnp
from campose_core.landmark_map.similar_keyframes import SimilarKeyframes
from campose_core.pixels.scene_images import read_image
from campose_core.progress import track
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.statistics import evenly_spaced

SIMILAR, NEAR = 20, 12  # keyframes whose landmarks are looked at: by likeness, and about where a neighbour was found
NEIGHBOUR_NS = 10**9
MAX_FRAMES = 1000  # that an update looks at closely; their features take 200 MB


class NewFrame(NamedTuple):
    """A frame with its features: pixels (N, 2) float32, descriptors (N, D) uint8 as in the landmark map."""

    name: str
    stamp_ns: int
    pixels: NDArray[np.float32]
    descriptors: NDArray[np.uint8]
    kind: type[FeatureKind]

    @property
    def features(self) -> ImageFeatures:
        """Return them as the localizer takes them: pixels float64, descriptors of unit length."""
        return ImageFeatures(self.pixels.astype(np.float64), self.kind.to_unit(self.descriptors))


class FoundFrame(NamedTuple):
    """world_from_cam of a frame; pixels (N, 2) of the inliers, and the landmarks (N,) they show."""

    world_from_cam: Pose
    pixels: Array
    shown: NDArray[np.intp]


def frames_with_features(scene: Scene, frames: Sequence[SceneFrame], landmarks: Landmarks) -> list[NewFrame]:
    """List frames in time order, with features as the landmarks have them; of more than MAX_FRAMES as many, spread."""
    ordered = sorted(frames, key=lambda frame: frame.stamp_ns)
    rows = evenly_spaced(len(ordered), MAX_FRAMES)
    extract, kind, result = landmarks.extractor(), landmarks.kind, []
    for frame in track([ordered[row] for row in rows], "features"):
        found = extract(read_image(scene, frame))
        bytes_ = kind.to_bytes(found.descriptors)
        result.append(NewFrame(frame.name, frame.stamp_ns, found.pixels.astype(np.float32), bytes_, kind))
    return result


class MapFinder:
    """Finds frames among the keyframes of a landmark map."""

    def __init__(self, landmarks: Landmarks) -> None:
        self._landmarks = landmarks
        self._keyframes = SimilarKeyframes(landmarks)

    def similar(self, frame: NewFrame, count: int) -> NDArray[np.intp]:
        """Return the rows of the keyframes that look most like it, the most similar first."""
        return self._keyframes.similar(frame.features, count)

    def describe(self, frame: NewFrame) -> Float32:
        """Compute its global descriptor, in the map's vocabulary."""
        return self._keyframes.describe(frame.features)

    def find(self, frame: NewFrame, camera: Camera, near: Pose | None = None) -> FoundFrame | None:
        """Look for the frame among the landmarks of similar keyframes and of those about `near` (world_from_cam)."""
        if len(frame.pixels) == 0:
            return None
        rows = self.similar(frame, SIMILAR)
        if near is not None:
            distances = np.linalg.norm(self._landmarks.frame_positions - near.translation, axis=1)
            rows = np.union1d(rows, np.argsort(distances, kind="stable")[:NEAR])
        features = frame.features
        seen, shown = self._keyframes.match(features, rows)
        found = solve_pnp(features.pixels[seen], self._landmarks.xyz[shown], camera)
        if found is None:
            return None
        return FoundFrame(found.world_from_cam, features.pixels[seen[found.inliers]], shown[found.inliers])

    def find_all(
        self, frames: Sequence[NewFrame], camera: Camera, known: Mapping[str, Pose] | None = None
    ) -> dict[str, FoundFrame]:
        """Find those frames, of one recording in time order, that can be; forwards, then backwards for the rest.

        known: poses of other frames of the recording, by name, that are `frames` too.
        """
        found: dict[str, FoundFrame] = {}
        for direction in (1, -1):
            found |= self._pass(frames[::direction], camera, found, known or {})
        return self._believable(frames, found)

    def _pass(
        self, frames: Iterable[NewFrame], camera: Camera, before: Mapping[str, FoundFrame], known: Mapping[str, Pose]
    ) -> dict[str, FoundFrame]:
        found: dict[str, FoundFrame] = {}
        last: tuple[int, Pose] | None = None
        for frame in track(frames, "localize"):
            near = last[1] if last is not None and abs(frame.stamp_ns - last[0]) <= NEIGHBOUR_NS else None
            if frame.name in before:
                last = frame.stamp_ns, before[frame.name].world_from_cam
                continue
            if before and near is None:
                continue  # the second pass adds nothing where no neighbour helps
            result = self.find(frame, camera, near)
            if result is not None:
                found[frame.name] = result
                last = frame.stamp_ns, result.world_from_cam
            elif frame.name in known:
                last = frame.stamp_ns, known[frame.name]
        return found

    def _believable(self, frames: Sequence[NewFrame], found: dict[str, FoundFrame]) -> dict[str, FoundFrame]:
        """Without those that lie farther from all neighbours in time than from what they see: two places look alike."""
        ordered = [frame for frame in frames if frame.name in found]
        stamps = np.array([frame.stamp_ns for frame in ordered])
        places = np.array([found[frame.name].world_from_cam.translation for frame in ordered]).reshape(-1, 3)
        believed = {}
        for row, frame in enumerate(ordered):
            near = np.abs(stamps - frame.stamp_ns) <= NEIGHBOUR_NS
            near[row] = False
            seen = self._landmarks.xyz[found[frame.name].shown]
            depth = np.median(np.linalg.norm(seen - places[row], axis=1))
            if not near.any() or np.linalg.norm(places[near] - places[row], axis=1).min() < depth:
                believed[frame.name] = found[frame.name]
        return believed
