"""Which parts of a reconstruction the images hold together, and which only happen to lie in one model.

A mapper that is short of evidence, at a fast turn or in a doorway, still puts both sides into one model, at any
distance and scale. It shows: features that were matched and verified between two images of both sides do not become
common landmarks, because no place of the cameras explains them. A model is therefore cut where no pair of images
across the cut has its matches explained; within what is left, the poses are as good as in any map.

What looks alike is put into one place as well: two fire extinguishers, or a corridor of many doors onto itself. Then
some pairs of images are explained, and others of the same two places are not. So a walk goes on from image to image
where the pairs next to that step explain more of their matches than others of them contradict. The runs of them join
where at least two more pairs speak for it than against it, and not where images that are next to each other would be
among those that are not explained: they are of one place, whatever looks alike elsewhere. A part in which many such are
is folded, and is no map. And nothing joins images that would stand side by side and see different things, see
`one_place`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.geometry import Pose
from campose_core.joining.loop_proof import Place, places_of
from campose_core.joining.one_place import SideBySide, side_by_side
from campose_core.landmark_map.colmap import load_pycolmap, model_poses
from campose_core.landmark_map.two_view_turn import MIN_INLIER_MATCHES

# What a pair needs to hold its two images together: common landmarks, and so many of those verified matches that have a
# landmark in either image. A match without any says nothing: its features move too little, as where a camera turns.
# Right maps of real walks by SIFT stay whole up to a share of 0.5. At 0.15 and 6 a rendered walk of few keyframes kept,
# by two kinds of features, a part that was bent off by 1.4 m, which at 0.3 and 12 it does not.
MIN_EXPLAINED, MIN_SHARE = 12, 0.3
# A pair with so many matches, of which less than that share is explained, contradicts its model. Of images next to each
# other, or next but one, no pair did in eleven right maps of real walks (of all but one in twenty a share of 0.46 and
# more is explained), and a quarter in one of a corridor that was put onto itself.
TELLING, UNEXPLAINED, MAX_CONTRADICTING = 20, 0.1, 0.1
NEXT = 2  # keyframes


class Explained(NamedTuple):
    """A pair of registered images: of its verified matches, how many are a landmark in either image, and in both the
    same."""

    first: str
    second: str
    shown: int
    common: int

    @property
    def holds(self) -> bool:
        """Return whether the pair holds its images together."""
        return self.common >= MIN_EXPLAINED and self.common >= MIN_SHARE * self.shown

    @property
    def contradicts(self) -> bool:
        """Return whether the images saw much in common that is not where the model has them."""
        return self.shown >= TELLING and self.common < UNEXPLAINED * self.shown


class Piece(NamedTuple):
    """Part of a model whose images hold together. world_from_cam by image name, in the frame of the model."""

    model: Any
    world_from_cam: dict[str, Pose]

    @property
    def is_whole(self) -> bool:
        """Return whether the piece has all registered images of its model."""
        return len(self.world_from_cam) == self.model.num_reg_images()


def explained_pairs(model: Any, database: Any) -> list[Explained]:
    """Return all verified pairs of a pycolmap Reconstruction's images; `database`: the open one it was made from."""
    pycolmap = load_pycolmap()
    landmark_of = {
        i: np.array([p.point3D_id if p.has_point3D() else 0 for p in model.image(i).points2D], dtype=np.uint64)
        for i in model.reg_image_ids()
    }
    found = []
    for pair_id, geometry in zip(*database.read_two_view_geometries(), strict=True):
        first, second = pycolmap.pair_id_to_image_pair(pair_id)
        if first not in landmark_of or second not in landmark_of or len(geometry.inlier_matches) < MIN_INLIER_MATCHES:
            continue
        rows = np.asarray(geometry.inlier_matches)
        a, b = landmark_of[first][rows[:, 0]], landmark_of[second][rows[:, 1]]
        shown, common = int(np.sum((a != 0) | (b != 0))), int(np.sum((a == b) & (a != 0)))
        found.append(Explained(model.image(first).name, model.image(second).name, shown, common))
    return found


def pieces_of(model: Any, explained: Sequence[Explained], sequences: Sequence[Sequence[str]]) -> list[Piece]:
    """Find the pieces of a model, the largest first; images that nothing holds are in none.

    explained: all its pairs. sequences: names of each recording's keyframes in time order.
    """
    poses, place = model_poses(model), places_of(sequences)
    names = sorted(poses)
    row_of = {name: row for row, name in enumerate(names)}
    beside = side_by_side(model, names)
    next_to = [pair for pair in explained if _apart(pair, place) <= NEXT]
    links = {frozenset((row_of[p.first], row_of[p.second])): _goes_on(p) for p in next_to}
    run_of = _joined(np.arange(len(names)), links, beside, more_than=MIN_EXPLAINED - 1.0)
    joint: defaultdict[frozenset[int], float] = defaultdict(float)
    for pair in explained:
        between = frozenset(int(run_of[row_of[name]]) for name in (pair.first, pair.second))
        if len(between) == 2:
            joint[between] += _vote(pair, _apart(pair, place))
    labels = _joined(run_of, joint, beside, more_than=1.0)
    members = [[names[row] for row in np.flatnonzero(labels == label)] for label in np.unique(labels)]
    pieces = [Piece(model, {name: poses[name] for name in group}) for group in members if len(group) > 2]
    return sorted(pieces, key=lambda piece: len(piece.world_from_cam), reverse=True)


def _goes_on(pair: Explained) -> float:
    """Return how many matches of a pair speak for a walk that goes on past its images, or, below zero, deny it.

    Most pairs of a step may explain little, where a camera turns past a tree: of a campus the three next to one step
    explain 130 of 464, 113 of 360 and 56 of 380. From one building to another, in images put one after the other, a
    box of one make explains 30 of 79, and the others 7 of 33 and none of 41.
    """
    if pair.contradicts:
        return float(pair.common - pair.shown)
    return float(pair.common) if pair.common >= MIN_SHARE * pair.shown else 0.0


def _vote(pair: Explained, apart: float) -> float:
    """Return what a pair says of joining the two runs of its images, which are where the sum passes 1."""
    if pair.holds:
        return 1.0
    if apart <= NEXT and pair.shown >= TELLING:
        return -np.inf
    return -1.0 if pair.contradicts else 0.0


def _joined(
    labels: NDArray[np.intp], votes: Mapping[frozenset[int], float], beside: SideBySide, more_than: float
) -> NDArray[np.intp]:
    """Join parts (a label for each image), those with the most votes first, while there are `more_than` that.

    Not parts whose images, side by side then, would see different things.
    """
    votes = {between: count for between, count in votes.items() if len(between) == 2}
    while votes:
        best, most = max(votes.items(), key=lambda item: (item[1], *(-label for label in sorted(item[0]))))
        if most <= more_than:
            break
        kept, gone = sorted(best)
        if beside.deny(labels == kept, labels == gone):
            votes = {between: count for between, count in votes.items() if between != best}
            continue
        labels = np.where(labels == gone, kept, labels)
        moved: defaultdict[frozenset[int], float] = defaultdict(float)
        for between, count in votes.items():
            both = frozenset(kept if label == gone else label for label in between)
            if len(both) == 2:
                moved[both] += count
        votes = moved
    return labels


def is_folded(piece: Piece, explained: Sequence[Explained], sequences: Sequence[Sequence[str]]) -> bool:
    """Return whether a piece puts alike things into one place at the cost of images that are next to each other."""
    place = places_of(sequences)
    told = [
        pair.contradicts
        for pair in explained
        if pair.shown >= TELLING
        and pair.first in piece.world_from_cam
        and pair.second in piece.world_from_cam
        and _apart(pair, place) <= NEXT
    ]
    return bool(told) and float(np.mean(told)) > MAX_CONTRADICTING


def _apart(pair: Explained, place: Mapping[str, Place]) -> float:
    """How many keyframes lie from one image of a pair to the other; infinity in two recordings."""
    (source, i), (other, j) = place[pair.first], place[pair.second]
    return abs(i - j) if source == other else np.inf
