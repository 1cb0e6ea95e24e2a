"""Where a camera is from one image alone, by what it has in common with single keyframes: LighterGlue, then PnP.

Nearest descriptors find too little at dusk of what was mapped in the afternoon; LighterGlue, which sees all features of
both images, finds it, for some 0.1 s a keyframe on one core. So few keyframes are asked, one after the other, and no
more as soon as enough landmarks agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from campose_core.camera import Camera
from campose_core.features.base import ImageFeatures, SizedFeatures
from campose_core.features.lighterglue import LighterGlue
from campose_core.features.matching import nearest_in
from campose_core.features.vlad import Vlad
from campose_core.geometry import Pose
from campose_core.landmark_map.covisibility import Indices, Keyframes
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.pnp import CameraPose, refine_pnp, solve_pnp
from campose_core.localization.relocalizer import RIVAL_SUPPORT, best_supported, explains

# The floors of a tower look alike: images of other floors have up to 175 landmarks in common with the mapped one, more
# than a flat at dusk (57 to 124). Images of other buildings have none.
MIN_SUPPORT = 200
# But what is the same thing, seen from where it was mapped, looks the same to XFeat in whatever light, and what is only
# alike does not. With fewer landmarks a pose is believed where, of the landmarks that should be in view, so many have a
# feature of this cosine within this share of the image's longer side: of the flat 59 to 122 (one blurred image 4),
# of 126 images of such floors at most 40.
FEW_SUPPORT, SAME, NEARBY, MIN_SAME = 40, 0.92, 0.01, 50
# From elsewhere the same thing changes its look: seven images of a campus between 0.1 and 0.4 of the median depth from
# the nearest keyframe had 9 to 20 such features, and 83 to 164 landmarks; of those floors, so far aside, at most 112.
# An eighth more, as above.
ASIDE, ASIDE_SUPPORT = 0.15, 128
# For a pose that SIFT has found, features whose landmark is expected so near: the right ones of an office lobby, some
# of which look where no keyframe does, have 18 and more, of a campus 74; of the three of another floor one had none
# (the others 90: they look alike in all).
CONFIRMING, VIEWS = 15, 8
MAX_FEATURES = 1000  # the strongest: as many images of that flat are found as with 1500, in two thirds of the time
# Some images of an office lobby have the right keyframe first by VLAD, some of the flat at dusk by what they have in
# common with its landmarks: both are asked in turn.
CANDIDATES = 20
ALIKE, FEW = 0.7, 50
SEEDS = 2  # keyframes of different places
PLACE_SIZE = 3  # keyframes
AROUND = 5  # keyframes nearest to a pose, whose landmarks should be in view
MIN_MATCHES = 40  # with the first of a place, to go on there; of unrelated places none had 40
# Landmarks that agree, from which on no further keyframe of the place is asked: a pose of the flat from 51 of them was
# too uncertain to be told, from 117 it is not.
SETTLED = 80


class PairRelocalizer:
    """Finds a camera among the keyframes of a map of XFeat landmarks in metres. cameras: of each keyframe."""

    def __init__(self, landmarks: Landmarks, keyframes: Keyframes, cameras: Sequence[Camera]) -> None:
        self._landmarks, self._keyframes, self._cameras = landmarks, keyframes, cameras
        self._vlad = Vlad(landmarks.vlad_words)
        self._globals = landmarks.frame_globals.astype(np.float32)
        self._match = LighterGlue()

    def __call__(self, features: ImageFeatures, camera: Camera, hints: Sequence[Pose] = ()) -> list[CameraPose]:
        """List where the camera that saw these features may be, the best supported first; [] where none is sure.

        Several where places look alike: one more place is looked at than the best. Keyframes near `hints`
        (map_from_cam) are asked first.
        """
        image = _strongest(features, camera)
        found: list[CameraPose] = []
        asked = np.zeros(len(self._keyframes), dtype=bool)
        seeds = (seed for seed in self._seeds(image, hints) if not asked[seed])
        for count, seed in enumerate(seeds):
            if not found and count == SEEDS + len(hints):
                break
            asked[self._keyframes.covisible(seed)] = asked[seed] = True
            enough = RIVAL_SUPPORT * _support(found[0]) if found else FEW_SUPPORT
            pose = self._placed(image, camera, seed, enough)
            if found:
                if pose is None or explains(found[0], pose, camera):
                    return found
                return best_supported([*found, pose])
            found = [] if pose is None else [pose]
        return found

    def confirmed(self, features: ImageFeatures, camera: Camera, pose: CameraPose) -> CameraPose | None:
        """Refine a pose found by other landmarks with what these features show where it expects them.

        None where that is too little to speak for the pose.
        """
        image = _strongest(features, camera)
        near = self._by_common(image, self._keyframes.nearest(pose.world_from_cam, VIEWS))[:PLACE_SIZE]
        rows, landmarks = np.unique(np.concatenate([self._common(image, keyframe) for keyframe in near]), axis=0).T
        expected = camera.project(pose.world_from_cam.inverse().transform(self._landmarks.xyz[landmarks]))
        off = np.linalg.norm(expected - image.pixels[rows], axis=1)
        agree = off < NEARBY * max(image.size)
        if len(np.unique(rows[agree])) < CONFIRMING:
            return None
        pixels = np.concatenate([pose.pixels, image.pixels[rows[agree]]])
        xyz = np.concatenate([pose.xyz, self._landmarks.xyz[landmarks[agree]]])
        return refine_pnp(pixels, xyz, camera, pose.world_from_cam) or pose

    def _seeds(self, image: SizedFeatures, hints: Sequence[Pose]) -> Iterator[int]:
        """Yield keyframes that may show what the image shows, the likeliest first, some more than once."""
        if len(image.pixels) == 0:
            return
        for hint in hints:
            near = self._keyframes.near(hint, CANDIDATES)
            yield from self._by_common(image, near)[:1]
        similarity = self._globals @ self._vlad.describe(image.descriptors)
        similar = np.argsort(-similarity, kind="stable")[:CANDIDATES]
        in_turn = chain.from_iterable(zip(similar, self._by_common(image, similar), strict=True))
        yield from (int(seed) for seed in in_turn)

    def _by_common(self, image: SizedFeatures, keyframes: Indices) -> list[int]:
        """Sort keyframes by how many features have a like landmark, of as many as chance gives those that see more."""
        common = []
        for keyframe in keyframes:
            shown = self._keyframes.seen_by([keyframe])
            similarity = image.descriptors @ self._landmarks.unit_descriptors(shown).T
            alike = len(nearest_in(similarity, 1.0, ALIKE)[0])
            common.append(alike / np.sqrt(len(shown) + FEW))
        return [int(keyframes[row]) for row in np.argsort(-np.array(common), kind="stable")]

    def _placed(self, image: SizedFeatures, camera: Camera, seed: int, enough: float) -> CameraPose | None:
        """Place the camera by the landmarks of one place, keyframe after keyframe until enough agree; else None."""
        matches, best = np.zeros((0, 2), dtype=np.intp), None
        for keyframe in (seed, *self._keyframes.covisible(seed, PLACE_SIZE - 1)):
            matches = np.unique(np.concatenate([matches, self._common(image, int(keyframe))]), axis=0)
            if len(matches) < MIN_MATCHES:
                return None
            pose = solve_pnp(image.pixels[matches[:, 0]], self._landmarks.xyz[matches[:, 1]], camera)
            support = _support(pose) if pose else 0
            if pose is None or support < enough:
                continue
            if support >= self._least(pose) or self._same(image, camera, pose) >= MIN_SAME:
                best, enough = pose, support  # another has to have as many
                if support >= SETTLED:
                    break
        return best

    def _least(self, pose: CameraPose) -> int:
        """Return how many landmarks make a pose sure by themselves."""
        nearest = self._keyframes.nearest(pose.world_from_cam, 1)[0]
        away = np.linalg.norm(self._landmarks.frame_positions[nearest] - pose.world_from_cam.translation)
        return ASIDE_SUPPORT if away > ASIDE * self._keyframes.depth else MIN_SUPPORT

    def _same(self, image: SizedFeatures, camera: Camera, pose: CameraPose) -> int:
        """Count the landmarks in view of a pose that have a feature of just their look where they should be."""
        near = self._keyframes.nearest(pose.world_from_cam, AROUND)
        shown = self._keyframes.seen_by(near)
        pixels = camera.project(pose.world_from_cam.inverse().transform(self._landmarks.xyz[shown]))
        seen = np.isfinite(pixels).all(axis=1)
        similarity = self._landmarks.unit_descriptors(shown[seen]) @ image.descriptors.T
        landmarks, features = np.nonzero(similarity > SAME)
        off = np.linalg.norm(pixels[seen][landmarks] - image.pixels[features], axis=1)
        return len(np.unique(landmarks[off < NEARBY * max(image.size)]))

    def _common(self, image: SizedFeatures, keyframe: int) -> NDArray[np.intp]:
        """Find index pairs (K, 2) of features and landmarks.

        The keyframe's own features are not kept, and need not be: where its pose puts the landmarks that it sees, with
        their mean descriptors, LighterGlue finds as many (a flat at dusk: 12 images by either, with 135 landmarks in
        the median against 121).
        """
        shown, camera = self._keyframes.seen_by([keyframe]), self._cameras[keyframe]
        cam_from_map = self._landmarks.world_from_cam(keyframe).inverse()
        pixels = camera.project(cam_from_map.transform(self._landmarks.xyz[shown]))
        seen = np.isfinite(pixels).all(axis=1)
        descriptors = self._landmarks.unit_descriptors(shown[seen])
        pairs = self._match(image, SizedFeatures(pixels[seen], descriptors, (camera.width, camera.height)))
        return np.column_stack([pairs[:, 0], shown[seen][pairs[:, 1]]])


def _strongest(features: ImageFeatures, camera: Camera) -> SizedFeatures:
    pixels, descriptors = features.pixels[:MAX_FEATURES], features.descriptors[:MAX_FEATURES]
    return SizedFeatures(pixels, descriptors, (camera.width, camera.height))


def _support(pose: CameraPose) -> int:
    """Count the features that agree: one may show two landmarks, which are the same thing."""
    return len(np.unique(pose.pixels, axis=0))
