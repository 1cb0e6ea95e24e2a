"""`map_from_sfm` from printed markers (AprilTag, ArUco) of known size, and of known place where it was measured.

The corners are triangulated with the poses of the reconstruction. Their edges give the scale; where places are known,
the corners are point pairs, which give all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from campose_core.errors import AlignmentError
from campose_core.geometry import Array, Pose, positions_of
from campose_core.joining.contradicting_markers import marker_contradiction
from campose_core.joining.robust_fit import umeyama_or_advice
from campose_core.residual import Residual
from campose_core.scene.alignment import Alignment

MIN_VIEWS = 2
PAIRS = 100
NOISE_RAD = 0.005  # a pixel or two: views that miss by less agree
MIN_PARALLAX_DEG = 2.0  # between the views of a marker: below, its depth is a guess
EDGE = 0.01  # corners are found a quarter of a pixel inside: of a small marker this is a percent
SQUARE = 0.1  # edges of one marker may differ by this share, or its corners were triangulated wrongly
# Corners in units of the size, x to the right and y up on the printed side: the order in which cv2.aruco finds them.
CORNERS = np.array([[-0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.5, -0.5, 0.0], [-0.5, -0.5, 0.0]])


@dataclass(frozen=True, eq=False)
class MarkerScale:
    """scale: metres per unit of sfm, the median over the markers. sigma: relative. markers: how many it is of."""

    scale: float
    sigma: float
    markers: int


def triangulate_corners(sfm_from_cams: list[Pose], rays: Array) -> Array | None:
    """Place the four corners (4, 3) in sfm from V views: rays (V, 4, 2), undistorted (x / z, y / z). None: not certain.

    Pairs of views propose the place, the median angle by which all views miss it judges, and the views that agree are
    intersected: a wrong detection among several moves nothing.
    """
    if len(rays) < MIN_VIEWS:
        return None
    origins = positions_of(sfm_from_cams)
    directions = np.dstack([rays, np.ones(rays.shape[:2])])
    directions = np.array([pose.rotation.apply(d) for pose, d in zip(sfm_from_cams, directions, strict=True)])
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    agreeing = _agreeing_views(origins, directions)
    if agreeing.sum() < MIN_VIEWS:
        return None
    origins, directions = origins[agreeing], directions[agreeing]
    corners = np.array([_nearest_point(origins, directions[:, corner]) for corner in range(4)])
    middle = corners.mean(axis=0)
    seen_from = middle - origins
    seen_from /= np.linalg.norm(seen_from, axis=1, keepdims=True)
    parallax_deg = np.degrees(np.arccos(np.clip(seen_from @ seen_from.T, -1, 1))).max()
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
    certain = parallax_deg > MIN_PARALLAX_DEG and np.ptp(edges) < SQUARE * 2 * edges.mean()
    return corners if certain else None


def _agreeing_views(origins: Array, directions: Array) -> NDArray[np.bool_]:
    """Which of V views (V, 3), (V, 4, 3) see the marker at the place on which most of them agree."""
    generator = np.random.default_rng(0)
    views = len(origins)
    pairs = list(combinations(range(views), 2))
    if len(pairs) > PAIRS:
        pairs = [tuple(generator.choice(views, 2, replace=False)) for _ in range(PAIRS)]
    best, best_median = np.zeros(views), np.inf
    for pair in pairs:
        chosen = list(pair)
        corners = np.array([_nearest_point(origins[chosen], directions[chosen, i]) for i in range(4)])
        misses = np.stack([_misses(corners[i], origins, directions[:, i]) for i in range(4)]).max(axis=0)
        if np.median(misses) < best_median:
            best, best_median = misses, float(np.median(misses))
    return np.asarray(best <= max(3 * best_median, NOISE_RAD))


def _misses(point: Array, origins: Array, directions: Array) -> Array:
    """Angles (V,) between rays and the direction in which a point (3,) lies; behind counts as a half turn."""
    towards = point - origins
    return np.asarray(
        np.arctan2(np.linalg.norm(np.cross(directions, towards), axis=1), np.sum(directions * towards, axis=1))
    )


def _nearest_point(origins: Array, directions: Array) -> Array:
    """argmin over x of the sum of |(I - d d') (x - o)|^2 / |x - o|^2: the point that rays (V, 3) miss least."""
    across = np.eye(3) - directions[:, :, None] * directions[:, None, :]
    weights = np.ones(len(origins))
    for _ in range(3):
        normal = np.einsum("v,vij->ij", weights, across) + 1e-12 * weights.sum() * np.eye(3)
        point = np.linalg.solve(normal, np.einsum("v,vij,vj->i", weights, across, origins))
        weights = 1.0 / np.maximum(np.sum((point - origins) ** 2, axis=1), 1e-18)
    return np.asarray(point)


def scale_of_markers(corners: Mapping[int, Array], sizes_m: Mapping[int, float]) -> MarkerScale:
    """Measure the scale by the triangulated corners (4, 3) of each marker, in sfm, and the length of its printed edge.

    Raises:
        AlignmentError: no marker was triangulated.
    """
    if not corners:
        raise AlignmentError("no marker was seen from two places that are far enough apart: walk round one of them")
    scales, spreads = [], []
    for number, four in corners.items():
        edges = np.linalg.norm(four - np.roll(four, 1, axis=0), axis=1)
        scales.append(sizes_m[number] / float(edges.mean()))
        spreads.append(float(np.std(edges, ddof=1) / edges.mean()) / 2)
    scale = float(np.median(scales))
    between = float(np.median(np.abs(np.array(scales) / scale - 1)))
    return MarkerScale(scale, max(between, float(np.median(spreads)), EDGE), len(scales))


def align_to_markers(
    corners: Mapping[int, Array], sizes_m: Mapping[int, float], map_from_markers: Mapping[int, Pose]
) -> Alignment:
    """Find `map_from_sfm` from the triangulated markers, corners (4, 3) in sfm, whose place is known.

    `residual`: markers, median_m and max_m over the corners, and scale_percent, by how much the markers' own size
    contradicts their places.

    Raises:
        AlignmentError: none of those whose place is known was triangulated, or their places or size contradict them.
    """
    known = sorted(corners.keys() & map_from_markers.keys())
    if not known:
        seen = ", ".join(map(str, sorted(corners))) or "none"
        asked = ", ".join(map(str, sorted(map_from_markers)))
        raise AlignmentError(f"no marker of known place ({asked}) was triangulated; triangulated: {seen}")
    source = np.concatenate([corners[number] for number in known])
    target = np.concatenate([map_from_markers[number].transform(sizes_m[number] * CORNERS) for number in known])
    similarity = umeyama_or_advice(source, target)
    residual = np.linalg.norm(similarity.transform(source) - target, axis=1)
    by_size = scale_of_markers({number: corners[number] for number in known}, sizes_m).scale
    if wrong := marker_contradiction(source, target, known, by_size / similarity.scale):
        raise AlignmentError(wrong)
    return Alignment(
        similarity,
        "markers",
        Residual(
            markers=float(len(known)),
            median_m=float(np.median(residual)),
            max_m=float(residual.max()),
            scale_percent=100 * (by_size / similarity.scale - 1),
        ),
    )
