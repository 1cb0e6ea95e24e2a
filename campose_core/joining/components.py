"""Which parts of a reconstruction the images hold together, and which only happen to lie in one model.

A mapper that is short of evidence, at a fast turn or in a doorway, still puts both sides into one model, at any
distance and scale. It shows: features that were matched and verified between two images of both sides do not become
common landmarks, because no place of the cameras explains them. A model is therefore cut where no pair of images
across the cut has its matches explained; within what is left, the poses are as good as in any map.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from campose_core.geometry import Pose
from campose_core.landmark_map.colmap import load_pycolmap, model_poses
from campose_core.landmark_map.two_view_turn import MIN_INLIER_MATCHES

# What a pair needs to hold its two images together: common landmarks, and so many of those verified matches that have a
# landmark in either image. A match without any says nothing: its features move too little, as where a camera turns.
# Right maps of real walks by SIFT stay whole up to a share of 0.5. At 0.15 and 6 a rendered walk of few keyframes kept,
# by two kinds of features, a part that was bent off by 1.4 m, which at 0.3 and 12 it does not.
MIN_EXPLAINED, MIN_SHARE = 12, 0.3


class Explained(NamedTuple):
    """A pair of registered images: of its verified matches, how many are a landmark in either image, and in both the
    same."""

    first: str
    second: str
    shown: int
    common: int


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


def pieces_of(model: Any, database: Any) -> list[Piece]:
    """Find the pieces of a model, the largest first; images that nothing holds are in none."""
    poses = model_poses(model)
    names = sorted(poses)
    row_of = {name: row for row, name in enumerate(names)}
    holding = [
        (row_of[pair.first], row_of[pair.second])
        for pair in explained_pairs(model, database)
        if pair.common >= MIN_EXPLAINED and pair.common >= MIN_SHARE * pair.shown
    ]
    rows, columns = np.array(holding, dtype=np.intp).reshape(-1, 2).T
    links = coo_matrix((np.ones(len(rows)), (rows, columns)), (len(names), len(names)))
    _, labels = connected_components(links, directed=False)
    members = [[names[row] for row in np.flatnonzero(labels == label)] for label in np.unique(labels)]
    pieces = [Piece(model, {name: poses[name] for name in group}) for group in members if len(group) > 2]
    return sorted(pieces, key=lambda piece: len(piece.world_from_cam), reverse=True)
