"""The surfaces that landmarks lie on: a normal for each landmark, and the large planes of the scene.

A plane has two sides, and the cameras stood on the free one: a landmark's normal points to where it was seen from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from campose_core.geometry import Array
from campose_core.landmark_map.landmarks import Landmarks

NEIGHBOURS = 20
FLAT = 0.25  # thickness of a neighbourhood over its smaller width, at most, for it to be a surface
MIN_VIEWS = 3
PLANE_TRIALS = 300
MAX_SCORED = 6000  # landmarks that judge a plane
# How far a landmark may lie off its plane, of the distance that landmarks are seen from: what matches of a pixel and
# a base line of a tenth of the distance leave.
OFF_PLANE = 0.008
AGREEING_DEG = 20.0


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """Landmarks on surfaces: rows (M,) of the landmark map, xyz (M, 3) and unit normals (M, 3) towards the cameras.

    depth: the median distance from which landmarks were seen, in the units of the map.
    """

    rows: NDArray[np.int64]
    xyz: Array
    normals: Array
    depth: float


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane of the scene: unit normal (3,) towards the cameras, centre (3,), and how many landmarks lie on it.

    information: of its normal's direction, as 1 / rad^2 from the least squares fit.
    """

    normal: Array
    centre: Array
    landmarks: int
    information: float


def surface_points(landmarks: Landmarks, flat: float = FLAT) -> SurfacePoints:
    """Find landmarks whose neighbours lie on a plane with them (principal components), with that plane's normal."""
    towards = np.zeros((len(landmarks.xyz), 3))
    sight = -landmarks.sights
    distance = np.linalg.norm(sight, axis=1)
    for axis in range(3):
        towards[:, axis] = np.bincount(
            landmarks.observed, sight[:, axis] / np.maximum(distance, 1e-12), minlength=len(towards)
        )
    views = np.bincount(landmarks.observed, minlength=len(towards))
    depth = float(np.median(distance))
    kept = np.flatnonzero(views >= MIN_VIEWS)
    xyz = landmarks.xyz[kept]
    if len(kept) <= NEIGHBOURS:
        return SurfacePoints(kept[:0], xyz[:0], xyz[:0], depth)
    apart, near = (np.asarray(found) for found in cKDTree(xyz).query(xyz, NEIGHBOURS))
    offsets = xyz[near] - xyz[near].mean(axis=1, keepdims=True)
    values, vectors = np.linalg.eigh(np.einsum("nki,nkj->nij", offsets, offsets) / NEIGHBOURS)
    on_surface = (values[:, 0] < flat**2 * values[:, 1]) & (apart[:, -1] < 0.3 * depth)
    normals = vectors[:, :, 0]
    normals = normals * np.where(np.sum(normals * towards[kept], axis=1) < 0, -1.0, 1.0)[:, None]
    return SurfacePoints(kept[on_surface], xyz[on_surface], normals[on_surface], depth)


def planes_of(points: SurfacePoints, most: int = 24, least_share: float = 0.01) -> list[Plane]:
    """Find large planes, the one with the most landmarks first.

    RANSAC with one oriented point a hypothesis (Schnabel, Wahl and Klein, "Efficient RANSAC for point-cloud shape
    detection", 2007), least squares on the landmarks that agree, which are then taken out.
    """
    generator = np.random.default_rng(0)
    tolerance, cosine = OFF_PLANE * points.depth, np.cos(np.radians(AGREEING_DEG))
    left = np.arange(len(points.xyz))
    least = max(30, round(least_share * len(left)))
    found: list[Plane] = []
    while len(left) >= least and len(found) < most:
        xyz, normals = points.xyz[left], points.normals[left]
        judges = generator.choice(len(left), min(MAX_SCORED, len(left)), replace=False)
        trials = generator.choice(len(left), min(PLANE_TRIALS, len(left)), replace=False)
        offsets = np.sum(normals[trials] * xyz[trials], axis=1)
        agree = (np.abs(xyz[judges] @ normals[trials].T - offsets) < tolerance) & (
            normals[judges] @ normals[trials].T > cosine
        )
        best = trials[int(np.argmax(agree.sum(axis=0)))]
        normal, centre = normals[best], xyz[best]
        for _ in range(3):
            on = (np.abs((xyz - centre) @ normal) < tolerance) & (normals @ normal > cosine)
            if on.sum() < least:
                break
            centre = xyz[on].mean(axis=0)
            values, vectors = np.linalg.eigh(np.cov(xyz[on].T))
            normal = vectors[:, 0] * np.sign(vectors[:, 0] @ normal)
        if on.sum() < least:
            break
        # A tilt by e about the longer axis moves points by e * width: the narrower width limits the direction.
        information = on.sum() * values[1] / max(values[0], 1e-12)
        found.append(Plane(normal, centre, int(on.sum()), float(information)))
        left = left[~on]
    return found
