"""One database of two kinds of features: what either says of two images counts together.

The keypoints of the first kind come first, those of the second after them, and no match mixes them, so that a landmark
is of one kind. When the images have their places, each kind gets its own database again, with the cameras that the
mapping left in the joint one.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from campose_core.features.base import FeatureKind
from campose_core.landmark_map.colmap import load_pycolmap
from campose_core.sfm.colmap_database import verification, write_pairs

Rows = NDArray[np.uint32]


def joined(first: Path, second: Path, out: Path, kinds: tuple[type[FeatureKind], type[FeatureKind]]) -> int:
    """Write `out`, with the images of `first` and the matches of both databases, verified together.

    A pair stays where enough matches of one kind agree, whatever the other kind says.

    Returns:
        How many matches of the first kind agree, in all pairs together.
    """
    pycolmap = load_pycolmap()
    copy_database(first, out)
    with pycolmap.Database.open(second) as one, pycolmap.Database.open(out) as db:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        others = {image.name: image.image_id for image in one.read_all_images()}
        known, added = (
            _matches_of(db, {v: k for k, v in ids.items()}),
            _matches_of(one, {v: k for k, v in others.items()}),
        )
        counts = {}
        for name, image_id in ids.items():
            keypoints = db.read_keypoints(image_id)[:, :2], one.read_keypoints(others[name])[:, :2]
            counts[name] = len(keypoints[0])
            db.update_keypoints(image_id, np.concatenate(keypoints).astype(np.float32))
        db.clear_matches()
        db.clear_two_view_geometries()
        pairs = sorted(known.keys() | added.keys())
        nothing = np.zeros((0, 2), dtype=np.uint32)
        for a, b in pairs:
            behind = added.get((a, b), nothing) + np.array([counts[a], counts[b]], dtype=np.uint32)
            rows = np.concatenate([known.get((a, b), nothing), behind])
            if len(rows):
                db.write_matches(ids[a], ids[b], rows)
    pair_file = out.with_suffix(".pairs.txt")
    write_pairs(pair_file, pairs)
    pycolmap.verify_matches(out, pair_file, verification(min(kind.min_inliers for kind in kinds)))
    agreeing_of_first = 0
    with pycolmap.Database.open(out) as db:
        for a, b in pairs:
            if not db.exists_two_view_geometry(ids[a], ids[b]):
                continue
            agreeing = np.asarray(db.read_two_view_geometry(ids[a], ids[b]).inlier_matches)
            of_first = int(np.sum(agreeing[:, 0] < counts[a])) if len(agreeing) else 0
            if of_first < kinds[0].min_inliers and len(agreeing) - of_first < kinds[1].min_inliers:
                db.delete_two_view_geometry(ids[a], ids[b])
            else:
                agreeing_of_first += of_first
    return agreeing_of_first


def of_one_kind(joint: Path, features: Path, out: Path, kind: type[FeatureKind], is_first: bool) -> None:
    """Write `out`, a copy of the joint database that holds one kind of its features.

    features: a database with that kind's keypoints and descriptors, as before they were joined. is_first: its
    keypoints are the first ones.
    """
    pycolmap = load_pycolmap()
    copy_database(joint, out)
    with pycolmap.Database.open(features) as own, pycolmap.Database.open(out) as db:
        sources = {image.name: image.image_id for image in own.read_all_images()}
        offsets, counts = {}, {}
        db.clear_descriptors()
        for image in db.read_all_images():
            keypoints = own.read_keypoints(sources[image.name])
            joint_count = len(db.read_keypoints(image.image_id))
            counts[image.image_id] = len(keypoints)
            offsets[image.image_id] = 0 if is_first else joint_count - len(keypoints)
            db.update_keypoints(image.image_id, keypoints)
            db.write_descriptors(image.image_id, own.read_descriptors(sources[image.name]))

        def own_rows(pair_id: int, rows: Any) -> Rows:
            a, b = pycolmap.pair_id_to_image_pair(pair_id)
            shifted = np.asarray(rows, dtype=np.int64).reshape(-1, 2) - [offsets[a], offsets[b]]
            inside = (shifted >= 0).all(axis=1) & (shifted < [counts[a], counts[b]]).all(axis=1)
            return shifted[inside].astype(np.uint32)

        matches = [(pair_id, own_rows(pair_id, rows)) for pair_id, rows in zip(*db.read_all_matches(), strict=True)]
        geometries = list(zip(*db.read_two_view_geometries(), strict=True))
        db.clear_matches()
        db.clear_two_view_geometries()
        for pair_id, rows in matches:
            if len(rows):
                db.write_matches(*pycolmap.pair_id_to_image_pair(pair_id), rows)
        for pair_id, geometry in geometries:
            geometry.inlier_matches = own_rows(pair_id, geometry.inlier_matches)
            if len(geometry.inlier_matches):
                db.write_two_view_geometry(*pycolmap.pair_id_to_image_pair(pair_id), geometry)


def copy_database(source: Path, out: Path) -> None:
    """Copy a database that nobody has open; what SQLite left beside an earlier `out` goes."""
    for left in out.parent.glob(f"{out.name}*"):
        left.unlink()
    shutil.copyfile(source, out)


def _matches_of(db: Any, names: dict[int, str]) -> dict[tuple[str, str], Rows]:
    """Return all matches by the names of their images, the lesser name first."""
    found = {}
    for pair_id, rows in zip(*db.read_all_matches(), strict=True):
        a, b = (names[image_id] for image_id in load_pycolmap().pair_id_to_image_pair(pair_id))
        found[min(a, b), max(a, b)] = np.asarray(rows, dtype=np.uint32).reshape(-1, 2)[:, :: 1 if a < b else -1]
    return found
