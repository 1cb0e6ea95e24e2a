"""Which keyframes are matched with which, and COLMAP's matching and two-view verification of those pairs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.features.registry import FEATURES
from campose_core.features.vlad import Vlad
from campose_core.joining.loop_proof import places_of
from campose_core.landmark_map.colmap import load_pycolmap
from campose_core.landmark_map.two_view_turn import MIN_INLIER_MATCHES
from campose_core.sfm.colmap_database import SEED, match_pairs
from campose_core.sfm.report import MapReport
from campose_core.sfm.rig_constraints import rig_pairs

SEQUENTIAL_OVERLAP = 10  # neighbours on either side, and in powers of two beyond


def matches(
    *, features: str, database: str, names: dict[str, list[str]], rigs: list[dict[str, Any]], alike: int, kind: str
) -> dict[str, Any]:
    """Match frames near in time, and with the `alike` that look most like each (loops), and verify them as two views.

    kind: of the features in the database `features`.
    """
    pycolmap = load_pycolmap()
    pycolmap.logging.minloglevel = 0
    shutil.copyfile(features, database)
    pairs: list[tuple[str, str]] = []
    for sequence in names.values():
        near = list(range(1, SEQUENTIAL_OVERLAP + 1)) + [2**k for k in range(4, SEQUENTIAL_OVERLAP)]
        pairs += [
            (sequence[i], sequence[i + step]) for i in range(len(sequence)) for step in near if i + step < len(sequence)
        ]
    pairs += rig_pairs(rigs)
    known = set(pairs)
    loops = [
        pair for pair in _loop_pairs(database, names, alike, kind) if pair not in known and pair[::-1] not in known
    ]
    match_pairs(database, _pair_file(database), pairs + loops, kind)
    with pycolmap.Database.open(database) as db:
        verified = verified_pairs(db)
    loop_count = sum(1 for pair in loops if pair in verified or pair[::-1] in verified)
    return MapReport(
        pairs=len(pairs) + len(loops), verified=len(verified), loops=len(loops), verified_loops=loop_count
    ).to_dict()


def match_again(database: str, pairs: Sequence[tuple[str, str]], kind: str) -> None:
    """Match pairs anew, a second time along the epipolar line of the first, which finds more of what is blurred."""
    pycolmap = load_pycolmap()
    with pycolmap.Database.open(database) as db:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        for first, second in pairs:
            if db.exists_matches(ids[first], ids[second]):
                db.delete_matches(ids[first], ids[second])
            if db.exists_two_view_geometry(ids[first], ids[second]):
                db.delete_two_view_geometry(ids[first], ids[second])
    match_pairs(database, _pair_file(database), pairs, kind, guided=True)


def _pair_file(database: str) -> Path:
    return Path(database).with_suffix(".pairs.txt")


def verified_pairs(db: Any) -> set[tuple[str, str]]:
    """Return names of the images of each pair that COLMAP will use."""
    names = {image.image_id: image.name for image in db.read_all_images()}
    ids, geometries = db.read_two_view_geometries()
    pycolmap = load_pycolmap()
    verified = set()
    for pair_id, geometry in zip(ids, geometries, strict=True):
        if len(geometry.inlier_matches) >= MIN_INLIER_MATCHES:
            a, b = pycolmap.pair_id_to_image_pair(pair_id)
            verified.add((names[a], names[b]))
    return verified


def _loop_pairs(database: str, names: dict[str, list[str]], count: int, kind: str) -> list[tuple[str, str]]:
    """For each frame the most similar ones that are not its neighbours in time, and of other recordings (global
    descriptor, no vocabulary)."""
    pycolmap = load_pycolmap()
    with pycolmap.Database.open(database) as db:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        ordered = [name for sequence in names.values() for name in sequence]
        local = [db.read_descriptors(ids[name]).data for name in ordered]
    to_unit = FEATURES.load(kind).to_unit
    vlad = Vlad.of_images(local, seed=SEED, to_unit=to_unit)
    table = np.stack([vlad.describe(to_unit(descriptors)) for descriptors in local])
    position = places_of(list(names.values()))
    similarity = table @ table.T
    pairs = []
    for row, name in enumerate(ordered):
        source, index = position[name]
        # As many of other recordings too: what was recorded the same day looks more alike than the same place later.
        wanted = {"all": count, "others": count if len(names) > 1 else 0}
        for other in np.argsort(-similarity[row]):
            other_source, other_index = position[ordered[other]]
            if other_source == source and abs(other_index - index) <= 2 * SEQUENTIAL_OVERLAP:
                continue
            if wanted["all"] > 0 or (wanted["others"] > 0 and other_source != source):
                pairs.append((name, ordered[other]))
                wanted["all"] -= 1
                wanted["others"] -= other_source != source
            if max(wanted.values()) <= 0:
                break
    return sorted({tuple(sorted(pair)) for pair in pairs})
