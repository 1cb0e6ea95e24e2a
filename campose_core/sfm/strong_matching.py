"""The strong matching: SIFT of the whole image, and XFeat with LighterGlue, in one database; a stage of mapping.

It takes seconds a keyframe, and holds what SIFT alone does not: blurred, pale and compressed images, views that lie far
apart, loops. Which pairs are tried, XFeat decides: its mutual nearest neighbours, which are too many to be believed,
still tell which images are worth a look.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from campose_core.errors import MappingError
from campose_core.features.base import FeatureKind
from campose_core.features.matching import Float32, nearest_in
from campose_core.features.registry import FEATURES
from campose_core.joining.loop_proof import NEIGHBOURS, drop_unproven
from campose_core.landmark_map.colmap import load_pycolmap
from campose_core.sfm.colmap_database import match_pairs
from campose_core.sfm.joint_database import copy_database, joined
from campose_core.sfm.pair_selection import verified_pairs
from campose_core.sfm.report import MapReport
from campose_core.sfm.triangulation import MIN_LANDMARKS

ALONE = "that alone is not believed, alike things look like one to it"
ALIKE = 10  # images that have most in common with each, besides
STRONGEST = 700  # features of each image that are compared to find these: a millisecond a pair

log = logging.getLogger(__name__)


def strong_matches(
    *, features: list[str], kinds: list[str], database: str, names: dict[str, list[str]]
) -> dict[str, Any]:
    """Match images with neighbours in time and those most like them, by two kinds of features, into one database.

    features: databases of the two kinds, which `kinds` names; the second tells what is alike. names: keyframes by
    source, in time order.

    Raises:
        MappingError: the first kind matches next to nothing of what the second does.
    """
    pycolmap = load_pycolmap()
    pycolmap.logging.minloglevel = 0
    first, second = FEATURES.load(kinds[0]), FEATURES.load(kinds[1])
    near = neighbours(list(names.values()))
    pairs = sorted(near | _most_alike(features[1], [name for sequence in names.values() for name in sequence], second))
    matched = [Path(database).with_suffix(f".{kind}.db") for kind in kinds]
    for source, one, kind in zip(features, matched, kinds, strict=True):
        copy_database(Path(source), one)
        match_pairs(str(one), one.with_suffix(".pairs.txt"), pairs, kind)
    agreeing = joined(matched[0], matched[1], Path(database), (first, second))
    if agreeing < MIN_LANDMARKS:  # no landmark has less than one match: before the minutes that the rest takes
        raise MappingError(f"{kinds[0]} has {agreeing} matches where {kinds[1]} holds images together: {ALONE}")
    with pycolmap.Database.open(database) as db:
        dropped = drop_unproven(db, list(names.values()))
        verified = verified_pairs(db)
    loops = [pair for pair in pairs if pair not in near]
    closed = sum(pair in verified or pair[::-1] in verified for pair in loops)
    return MapReport(
        pairs=len(pairs), verified=len(verified), loops=len(loops), verified_loops=closed, loops_refused=dropped
    ).to_dict()


def neighbours(sequences: Sequence[Sequence[str]]) -> set[tuple[str, str]]:
    """Return pairs of images at most NEIGHBOURS apart in one recording, the lesser name first."""
    return {
        (min(pair), max(pair))
        for sequence in sequences
        for step in range(1, NEIGHBOURS + 1)
        for pair in zip(sequence, sequence[step:], strict=False)
    }


def _most_alike(database: str, names: Sequence[str], kind: type[FeatureKind]) -> set[tuple[str, str]]:
    with load_pycolmap().Database.open(database) as db:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        strongest = [kind.to_unit(db.read_descriptors(ids[name]).data[:STRONGEST]) for name in names]
    common = in_common(strongest, kind.likeness.similarity)
    best = np.argsort(-common, axis=1, kind="stable")[:, :ALIKE]
    return {
        (min(name, names[other]), max(name, names[other]))
        for row, name in enumerate(names)
        for other in best[row]
        if common[row, other] > 0
    }


def in_common(images: Sequence[Float32], similarity: float) -> NDArray[np.intp]:
    """Count (F, F) the mutual nearest neighbours of that cosine between the unit descriptors of each two images."""
    common = np.zeros((len(images), len(images)), dtype=np.intp)
    for row, one in enumerate(images):
        for column, other in enumerate(images[:row]):
            common[row, column] = common[column, row] = len(nearest_in(one @ other.T, 1.0, similarity)[0])
        log.info(f"Compared [{row + 1}/")
    return common
