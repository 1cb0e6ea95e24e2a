"""What holds a landmark map together, from which keyframes share which landmarks.

A weak link is a few landmarks, or a few keyframes, that are all that two parts of the map have in common: there the
map may bend, and without them it would fall apart. An open loop is a place that was passed twice and whose two passes
share nothing: the map does not know that they are one place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from campose_core.geometry import Array
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.pnp import MIN_INLIERS
from campose_core.sfm.cross_validation import LINKING_LANDMARKS

WEAK_LANDMARKS = 4 * LINKING_LANDMARKS  # that two parts share
WEAK_KEYFRAMES = 2  # that the parts hang on
MIN_PART = 5  # keyframes: less is no part of a map
MIN_PART_SHARE = 0.02
CUTS_LOOKED_AT = 60
THIN = 3 * MIN_INLIERS  # landmarks of a keyframe: few more than a pose needs
SAME_VIEW = 0.3  # of the median distance of landmarks: so near by, and turned so little, two views show the same
LATER_S = 20.0  # a camera that is back after so long has come back
MIN_STRETCH = 3  # keyframes in a row
PAUSE_S = 5.0  # without a keyframe, that ends a stretch

Seconds = Mapping[str, tuple[str, float]]  # frame name -> source, and seconds since that source's first frame


class WeakLink(NamedTuple):
    """landmarks: that the parts share. keyframes: the few that they hang on, by row, or () where it is more than a few.
    border: rows of the keyframes that see the shared landmarks. part: rows of the smaller part."""

    landmarks: int
    keyframes: tuple[int, ...]
    border: NDArray[np.intp]
    part: NDArray[np.intp]


class Stretch(NamedTuple):
    """Keyframes of one source in a row (rows of the landmark map), and what is said of them."""

    rows: NDArray[np.intp]
    others: NDArray[np.intp]


def weak_links(landmarks: Landmarks) -> list[WeakLink]:
    """List the weak links, the weakest first.

    The cuts of a maximum spanning tree over the numbers of shared landmarks are looked at (Kruskal: no link between the
    parts of such a cut is stronger than the edge of the tree), those of the weakest edges first.
    """
    sees = _sees(landmarks)
    count = len(landmarks.frame_names)
    shared = (sees.T @ sees).tocsr()
    shared.setdiag(0)
    shared.eliminate_zeros()
    least = max(MIN_PART, int(MIN_PART_SHARE * count))
    found: list[WeakLink] = []
    parts, part_of = connected_components(shared, directed=False)
    for part in np.argsort(np.bincount(part_of))[: parts - 1]:
        rows = np.flatnonzero(part_of == part)
        if len(rows) >= least:
            found.append(WeakLink(0, (), rows, rows))
    tree = shared.copy()
    tree.data = 1.0 / tree.data
    tree = minimum_spanning_tree(tree).tocoo()
    for edge in np.argsort(-tree.data, kind="stable")[:CUTS_LOOKED_AT]:
        part = _smaller_part(tree, int(edge), part_of)
        if len(part) < least or any(_same_cut(part, other.part, least) for other in found):
            continue
        link = _link(sees, part)
        if link.landmarks < WEAK_LANDMARKS or 0 < len(link.keyframes) <= WEAK_KEYFRAMES:
            found.append(link)
    return sorted(found, key=lambda link: (link.landmarks, -len(link.part)))


def open_loops(landmarks: Landmarks, seconds: Seconds, separated: Callable[[Array, Array], bool]) -> list[Stretch]:
    """List where the camera came back, seeing the same view, and shares too few landmarks with its earlier pass.

    separated: whether something stands between two positions (3,), so that the views are of two places.
    """
    depth = landmarks.median_depth
    ahead = Rotation.from_quat(landmarks.frame_quats_xyzw).apply([0.0, 0.0, 1.0])
    views = cKDTree(np.hstack([landmarks.frame_positions, depth * ahead]))
    near = views.query_pairs(SAME_VIEW * depth, output_type="ndarray")
    names = [seconds[str(name)] for name in landmarks.frame_names]
    sees = _sees(landmarks).T.tocsr()
    best: dict[int, int] = {}
    partners: dict[int, list[int]] = {}
    for a, b in near:
        if names[a][0] == names[b][0] and abs(names[a][1] - names[b][1]) < LATER_S:
            continue
        if separated(landmarks.frame_positions[a], landmarks.frame_positions[b]):
            continue
        common = int(sees[a].multiply(sees[b]).sum())
        for one, other in ((int(a), int(b)), (int(b), int(a))):
            best[one] = max(best.get(one, 0), common)
            partners.setdefault(one, []).append(other)
    lonely = [row for row, common in best.items() if common < LINKING_LANDMARKS]
    stretches = in_a_row(lonely, landmarks, seconds)
    found: list[Stretch] = []
    told: set[int] = set()
    for rows in stretches:
        others = np.unique([other for row in rows for other in partners[row]])
        if len(rows) >= MIN_STRETCH and not told.intersection(rows.tolist()):
            told.update(others.tolist())  # the earlier pass is lonely as well, and is the same loop
            found.append(Stretch(rows, others))
    return found


def thin_stretches(landmarks: Landmarks, seconds: Seconds) -> list[Stretch]:
    """List where keyframes see hardly more landmarks than a pose needs."""
    seen = np.bincount(landmarks.observed_by, minlength=len(landmarks.frame_names))
    rows = in_a_row(np.flatnonzero(seen < THIN).tolist(), landmarks, seconds)
    return [Stretch(stretch, np.zeros(0, dtype=np.intp)) for stretch in rows if len(stretch) >= MIN_STRETCH]


def in_a_row(rows: Sequence[int], landmarks: Landmarks, seconds: Seconds) -> list[NDArray[np.intp]]:
    """Split the keyframes `rows` into stretches: of one source, without another keyframe of it, or a pause, between."""
    names = [str(name) for name in landmarks.frame_names]
    order = sorted(range(len(names)), key=lambda row: seconds[names[row]])
    place = {row: i for i, row in enumerate(order)}
    ranked = sorted(rows, key=place.__getitem__)

    def ends_after(a: int, b: int) -> bool:
        (source, before_s), (other, after_s) = seconds[names[a]], seconds[names[b]]
        return place[b] != place[a] + 1 or source != other or after_s - before_s > PAUSE_S

    ends = [i + 1 for i, (a, b) in enumerate(pairwise(ranked)) if ends_after(a, b)]
    return [np.array(part, dtype=np.intp) for part in np.split(np.array(ranked, dtype=np.intp), ends) if len(part)]


def _sees(landmarks: Landmarks) -> Any:
    """Sparse (N, F): 1 where the keyframe sees the landmark."""
    ones = np.ones(len(landmarks.observed), dtype=np.int32)
    shape = (len(landmarks.xyz), len(landmarks.frame_names))
    sees = csr_matrix((ones, (landmarks.observed, landmarks.observed_by)), shape=shape)
    sees.data[:] = 1
    return sees


def _smaller_part(tree: Any, edge: int, part_of: NDArray[np.int32]) -> NDArray[np.intp]:
    """Return the keyframes on the side of an edge of the spanning tree that holds fewer."""
    kept = np.arange(len(tree.data)) != edge
    rest = csr_matrix((tree.data[kept], (tree.row[kept], tree.col[kept])), shape=tree.shape)
    labels = connected_components(rest, directed=False)[1]
    first, second = (np.flatnonzero(labels == labels[end[edge]]) for end in (tree.row, tree.col))
    return first if len(first) <= len(second) else second


def _same_cut(part: NDArray[np.intp], other: NDArray[np.intp], least: int) -> bool:
    return len(np.setxor1d(part, other)) < 2 * least


def _link(sees: Any, part: NDArray[np.intp]) -> WeakLink:
    """Find what the part has in common with the rest: landmarks, and the keyframes without which it would be too few.

    The keyframe that most of the common landmarks depend on goes first, each of n that see a landmark from one side
    counting 1 / n for it.
    """
    inside = np.zeros(sees.shape[1], dtype=bool)
    inside[part] = True
    mine, theirs = sees[:, inside].sum(axis=1).A1, sees[:, ~inside].sum(axis=1).A1
    common = sees[np.flatnonzero((mine > 0) & (theirs > 0))]
    landmarks = common.shape[0]
    border = np.flatnonzero(common.sum(axis=0).A1 > 0)
    gone: list[int] = []
    while common.shape[0] >= LINKING_LANDMARKS and len(gone) <= WEAK_KEYFRAMES:
        mine, theirs = common[:, inside].sum(axis=1).A1, common[:, ~inside].sum(axis=1).A1
        depends = np.where(inside, common.T @ (1.0 / mine), common.T @ (1.0 / theirs))
        worst = int(np.argmax(depends))
        gone.append(worst)
        keep = np.ones(sees.shape[1], dtype=np.int32)
        keep[gone] = 0
        common = common.multiply(keep).tocsr()
        mine, theirs = common[:, inside].sum(axis=1).A1, common[:, ~inside].sum(axis=1).A1
        common = common[np.flatnonzero((mine > 0) & (theirs > 0))]
    return WeakLink(landmarks, tuple(gone) if len(gone) <= WEAK_KEYFRAMES else (), border, part)
