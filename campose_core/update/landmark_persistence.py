"""Landmarks that are gone: how often later frames that should show one do, and what that says of its being there.

A persistence filter (Rosen, Mason and Leonard, "Towards lifelong feature-based mapping in semi-static environments",
ICRA 2016) for two hypotheses, still there or gone, whose rate of detection is each landmark's own: mapping has looked
at it h times with success and m without, so that with the map's usual rate r (worth KNOWN looks) its rate is
Beta(KNOWN r + h, KNOWN (1 - r) + m), and k detections in n later looks have the beta-binomial likelihood. Where it is
gone, a look detects something like it by chance, at FALSE_ALARM.

A look is a frame, well localized, in which the landmark would be seen if it were there: inside the image, from a
direction and a distance like those of its observations, and with something seen beside it that does not stand in front.
Frames from nearly the same place are one look: what hides a landmark in one of them hides it in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import betaln, expit, logit

from campose_core.camera import Camera
from campose_core.features.base import ImageFeatures
from campose_core.features.matching import nearest_in
from campose_core.geometry import Array, Pose, pose_error
from campose_core.landmark_map.grouped import Grouped
from campose_core.landmark_map.landmarks import Landmarks

RADIUS = 6.0 / 640.0  # of the image width: a feature so near to the projection may be the landmark's
BORDER = 16.0 / 640.0  # features are rare at the very edge
SAME_VIEW = np.cos(np.radians(25.0))  # descriptors hold for about so much of a turn
SAME_SCALE = 1.6  # and for so much nearer or farther
BESIDE = 48.0 / 640.0  # so far in the image may lie what shows that the view there is free
MIN_BESIDE = 2
IN_FRONT = 0.9  # of the landmark's distance: nearer, and it may hide the landmark
STILL_THERE = 0.9  # before anything is known: nine of ten landmarks outlast a visit
FALSE_ALARM = 0.05
KNOWN = 2.0  # looks that the map's usual rate of detection is worth
GONE = 0.1  # less probable than this, a landmark is removed
APART = 0.05  # of the depth in position, or radians in rotation, between two looks that count
MIN_LOOKS = 2  # at the landmark itself, for a removal
PIECE = 0.1  # of the map's median depth: landmarks so near to each other are moved together
COUPLING, BOUND = 2.0, 3.0  # weight of their mean log-likelihood ratio, and its bound


class View(NamedTuple):
    """A localized frame."""

    features: ImageFeatures
    camera: Camera
    world_from_cam: Pose


@dataclass(frozen=True, eq=False)
class Looks:
    """Of N landmarks: looks (N,) and hits (N,) float64; fractions where a frame sees little of anything."""

    hits: Array
    looks: Array

    def __add__(self, other: Looks) -> Looks:
        return Looks(self.hits + other.hits, self.looks + other.looks)

    def of(self, rows: NDArray[np.bool_]) -> Looks:
        """Keep those at some of the landmarks; rows: (N,)."""
        return Looks(self.hits[rows], self.looks[rows])

    @property
    def rate(self) -> float:
        """Return the share of all looks that hit; a half where there are none."""
        return float(self.hits.sum() / self.looks.sum()) if self.looks.any() else 0.5


def probability_there(landmarks: Landmarks, mapped: Looks, later: Looks) -> Array:
    """Compute for each landmark (N,) that it is still there, after the looks of mapping and the later ones.

    Things are moved as a piece: the mean evidence of the landmarks within PIECE, bounded, is added COUPLING times.
    """
    evidence = log_likelihood_ratio(mapped, later)
    # Landmarks that only the later frames have made say nothing of those that were there before.
    looked_at = np.flatnonzero((later.looks > 0) & (mapped.looks > 0))
    pooled = evidence.copy()
    if len(looked_at) > 1:
        tree = cKDTree(landmarks.xyz[looked_at])
        pairs = tree.query_pairs(PIECE * landmarks.median_depth, output_type="ndarray")
        first, second = looked_at[np.concatenate([pairs, pairs[:, ::-1]]).T]
        count = np.bincount(first, minlength=len(evidence))
        mean = np.bincount(first, weights=evidence[second], minlength=len(evidence)) / np.maximum(count, 1)
        pooled += np.where(count >= MIN_BESIDE, COUPLING * np.clip(mean, -BOUND, BOUND), 0.0)
    return np.asarray(expit(pooled + logit(STILL_THERE)))


def log_likelihood_ratio(mapped: Looks, later: Looks) -> Array:
    """Compute how likely what the later looks saw is, there over gone (N,), from each landmark's own looks."""
    usual = np.clip(mapped.rate, 0.05, 0.95)
    alpha = KNOWN * usual + mapped.hits
    beta = KNOWN * (1.0 - usual) + np.maximum(mapped.looks - mapped.hits, 0.0)
    hits, misses = later.hits, np.maximum(later.looks - later.hits, 0.0)
    there = betaln(alpha + hits, beta + misses) - betaln(alpha, beta)
    return np.asarray(there - hits * np.log(FALSE_ALARM) - misses * np.log1p(-FALSE_ALARM))


def gone(landmarks: Landmarks, mapped: Looks, later: Looks) -> NDArray[np.bool_]:
    """Tell which landmarks (N,) are to be removed."""
    return np.asarray((probability_there(landmarks, mapped, later) < GONE) & (later.looks >= MIN_LOOKS))


def from_other_places(views: Sequence[View], depth: float) -> list[View]:
    """Choose views, in time order, that look from elsewhere than the one before: a camera at rest tells a thing once.

    depth: how far landmarks usually are, in the unit of the poses.
    """
    chosen: list[View] = []
    for view in views:
        if chosen:
            distance, angle = pose_error(view.world_from_cam, chosen[-1].world_from_cam)
            if distance / depth + angle < APART:
                continue
        chosen.append(view)
    return chosen


class Observer:
    """Looks of frames at the landmarks of a map."""

    def __init__(self, landmarks: Landmarks) -> None:
        self._landmarks = landmarks
        offsets = -landmarks.sights
        self._distances = np.linalg.norm(offsets, axis=1)
        self._directions = offsets / np.maximum(self._distances, 1e-12)[:, None]
        self._observations = Grouped(landmarks.observed, np.arange(len(landmarks.observed)), len(landmarks.xyz))

    def looks(self, views: Sequence[View], usual_rate: float | None = None) -> Looks:
        """Add up the looks of all these frames.

        usual_rate: the share of its looks in which a landmark is seen when nothing has changed; a frame of less (blur,
        other light) says as much less of each landmark. None counts every frame in full.
        """
        hits, looks = np.zeros(len(self._landmarks.xyz)), np.zeros(len(self._landmarks.xyz))
        for view in views:
            looked_at, seen = self.look(view)
            if len(looked_at) == 0:
                continue
            weight = 1.0 if usual_rate is None else min(1.0, float(seen.mean()) / max(usual_rate, 1e-6))
            looks[looked_at] += np.where(seen, 1.0, weight)
            hits[looked_at[seen]] += 1.0
        return Looks(hits, looks)

    def look(self, view: View) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return the landmarks (M,) that the frame would show, and which of them (M,) it does."""
        expected, pixels, depths = self._expected(view)
        if len(expected) == 0 or len(view.features.pixels) == 0:
            return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=bool)
        seen = self._seen(view, expected, pixels)
        comparable = self._seen_like_this_before(view.world_from_cam.translation, expected)
        free = _free_view(pixels, depths, seen, BESIDE * view.camera.width)
        counted = seen | (comparable & free)
        return expected[counted], seen[counted]

    def _expected(self, view: View) -> tuple[NDArray[np.intp], Array, Array]:
        """Landmarks inside the image, their pixels and depths."""
        points = view.world_from_cam.inverse().transform(self._landmarks.xyz)
        rows = np.flatnonzero(points[:, 2] > 0)
        pixels = view.camera.project(points[rows])
        border = BORDER * view.camera.width
        size = np.array((view.camera.width, view.camera.height))
        inside = (pixels > border).all(axis=1) & (pixels < size - border).all(axis=1)
        return rows[inside], pixels[inside], np.linalg.norm(points[rows[inside]], axis=1)

    def _seen(self, view: View, expected: NDArray[np.intp], pixels: Array) -> NDArray[np.bool_]:
        """Which of them have a feature like theirs where they should be; a feature is of one landmark only."""
        similarity = view.features.descriptors @ self._landmarks.unit_descriptors(expected).T
        near = cKDTree(view.features.pixels).sparse_distance_matrix(
            cKDTree(pixels), RADIUS * view.camera.width, output_type="coo_matrix"
        )
        allowed = np.full(similarity.shape, -1.0, dtype=np.float32)
        allowed[near.row, near.col] = similarity[near.row, near.col]
        _, columns = nearest_in(allowed, 1.0, self._landmarks.kind.likeness.near_similarity)
        seen = np.zeros(len(expected), dtype=bool)
        seen[columns] = True
        return seen

    def _seen_like_this_before(self, position: Array, expected: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which were observed by a keyframe from about this direction and distance."""
        offsets = position - self._landmarks.xyz[expected]
        distances = np.linalg.norm(offsets, axis=1)
        directions = offsets / np.maximum(distances, 1e-12)[:, None]
        owner = np.repeat(np.arange(len(expected)), self._observations.counts(expected))
        rows = self._observations.of(expected)
        ratio = distances[owner] / np.maximum(self._distances[rows], 1e-12)
        alike = (np.einsum("nd,nd->n", directions[owner], self._directions[rows]) > SAME_VIEW) & (
            (ratio < SAME_SCALE) & (ratio > 1.0 / SAME_SCALE)
        )
        return np.bincount(owner[alike], minlength=len(expected)) > 0


def _free_view(pixels: Array, distances: Array, seen: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """Beside which landmarks enough is seen, and none of it clearly nearer: nothing new stands in front of them."""
    free = np.zeros(len(pixels), dtype=bool)
    if not seen.any():
        return free
    shown = distances[seen]
    neighbours: Any = cKDTree(pixels[seen]).query_ball_point(pixels, radius)
    for row, beside in enumerate(neighbours):
        free[row] = len(beside) >= MIN_BESIDE and bool((shown[beside] > IN_FRONT * distances[row]).all())
    return free
