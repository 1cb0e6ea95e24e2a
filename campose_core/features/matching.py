"""Which descriptors are of one thing: nearest neighbours, told from chance by their likeness."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
IndexPairs = tuple[NDArray[np.intp], NDArray[np.intp]]


class Likeness(NamedTuple):
    """When two unit descriptors are taken for those of one thing; the defaults are SIFT's.

    ratio: of the distances to the nearest and the second nearest of all descriptors (Lowe, IJCV 2004); 1 asks no
    second. similarity: their cosine at least. near_ratio, near_similarity: the same, among the few that lie where they
    are expected.
    """

    ratio: float = 0.8
    similarity: float = -np.inf
    near_ratio: float = 0.85
    near_similarity: float = 0.75


OF_SIFT = Likeness()


def match_nearest(descriptors: Float32, among: Float32, likeness: Likeness = OF_SIFT) -> IndexPairs:
    """Find index pairs (rows of `descriptors`, rows of `among`) of unit descriptors (N, D) that are nearest and alike.

    Each row occurs at most once on either side.
    """
    return nearest_in(descriptors @ among.T, likeness.ratio, likeness.similarity)


def match_mutual(one: Float32, other: Float32, likeness: Likeness = OF_SIFT) -> IndexPairs:
    """Find index pairs of unit descriptors (N, D) that are nearest to each other and alike, told from either side."""
    if len(one) < 2 or len(other) < 2:
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    similarity = one @ other.T
    rows, columns = nearest_in(similarity.copy(), likeness.ratio, likeness.similarity)
    seen = similarity[:, columns]
    mutual = np.argmax(seen, axis=0) == rows
    seen[rows, np.arange(len(rows))] = -1.0
    mutual &= (1.0 - similarity[rows, columns]) < likeness.ratio**2 * (1.0 - seen.max(axis=0))
    return rows[mutual], columns[mutual]


def nearest_in(similarity: Float32, ratio: float, at_least: float = -np.inf) -> IndexPairs:
    """Find index pairs (rows, columns) of the most similar, each row and column at most once; `similarity`, cosines of
    unit descriptors, is used up. Without a nearest, or a second where that is asked, there are none.

    ratio: of the distances to the nearest and the second nearest; 1 asks no second. at_least: the similarity of a pair.
    """
    if similarity.shape[1] < (2 if ratio < 1.0 else 1):
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    rows = np.arange(len(similarity))
    best = np.argmax(similarity, axis=1)
    nearest = similarity[rows, best]
    good = nearest > at_least
    if ratio < 1.0:
        similarity[rows, best] = -1.0
        # Unit vectors: squared distance = 2 - 2 * similarity.
        good &= (1.0 - nearest) < ratio**2 * (1.0 - similarity.max(axis=1))
    chosen = np.flatnonzero(good)
    order = chosen[np.argsort(-nearest[chosen], kind="stable")]
    _, first = np.unique(best[order], return_index=True)
    seen = np.sort(order[first])
    return seen, best[seen]
