"""A COLMAP model of images from learned features, matched among those near in time and those most alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.real.colmap_stages import run_stage
from benchmarks.real.kept import kept
from benchmarks.real.learned_features import FEATURES, LONG_SIDE, extracted, feature_file, matched, read_matches
from benchmarks.real.mappers import BestModel, best_model, images_in
from benchmarks.real.pairs import all_pairs, most_alike, near_in_time, write_pairs
from benchmarks.real.picture_features import PictureFeatures, read_learned
from benchmarks.real.pictures import Images, groups_by_size
from campose_core.camera import pixels_to_colmap
from campose_core.cli.console import say
from campose_core.errors import MappingError
from campose_core.landmark_map.colmap import load_pycolmap

VERSION = 1
EXHAUSTIVE_UP_TO = 60  # images
NEIGHBOURS = 5
MAX_ALIKE = 12


@dataclass(frozen=True)
class LearnedFeatures:
    """Features of recordings, kept each in a folder below `out` by the name of the recording."""

    kind: str
    out: Path

    def extract(self, pictures: Images) -> float:
        """Seconds that it took, when it was done."""

        def compute(folder: Path) -> dict[str, Any]:
            say(f"{pictures.folder}: {self.kind} features")
            started = time.monotonic()
            masks = {name: str(pictures.mask) for name in pictures.files} if pictures.mask else {}
            extracted(self.kind, pictures.folder.parent, pictures.files, masks, folder)
            return {"seconds": time.monotonic() - started}

        inputs = {"version": VERSION, "pictures": pictures.digest, "count": FEATURES, "side": LONG_SIDE}
        return float(kept(self.out / pictures.name, inputs, compute)["seconds"])

    def read(self, names: Iterable[str]) -> dict[str, PictureFeatures]:
        """By the names that `Images.files` gives."""
        return {name: read_learned(self.file(name)) for name in names}

    def file(self, name: str) -> Path:
        return feature_file(self.out / name.split("/")[0], name)


def learned_model(
    features: LearnedFeatures,
    pictures: Sequence[Images],
    out: Path,
    what: str,
    worth: Callable[[Path], int] = images_in,
) -> BestModel:
    """A model of all images together, kept in `out`. what: for the lines on the way. worth: see `best_model`.

    Raises:
        MappingError: features or matching failed.
    """
    seconds = sum(features.extract(part) for part in pictures)
    inputs = {
        "version": VERSION,
        "kind": features.kind,
        "pictures": [part.digest for part in pictures],
        "pairs": [EXHAUSTIVE_UP_TO, NEIGHBOURS, MAX_ALIKE],
    }
    matching = kept(out / "matched", inputs, lambda folder: _match(features, pictures, folder, what))
    frames = sum(len(part.stamps_ns) for part in pictures)
    root = pictures[0].folder.parent
    best = best_model(out, inputs, matches_of(out), root, frames, what, worth)
    return BestModel(best.model, best.models, seconds + matching["seconds"] + best.seconds, best.error)


def matches_of(out: Path) -> Path:
    """COLMAP's database that the model in `out` was made from."""
    return out / "matched" / "database.db"


def _match(features: LearnedFeatures, pictures: Sequence[Images], folder: Path, what: str) -> dict[str, Any]:
    started = time.monotonic()
    sequences = [part.files for part in pictures]
    names = [name for sequence in sequences for name in sequence]
    found = features.read(names)
    if len(names) <= EXHAUSTIVE_UP_TO:
        pairs = write_pairs(folder / "pairs.txt", all_pairs(names))
    else:
        alike = most_alike(names, [found[name] for name in names], MAX_ALIKE)
        pairs = write_pairs(folder / "pairs.txt", near_in_time(sequences, NEIGHBOURS), alike)
    say(f"{what}: {len(pairs)} pairs of {len(names)} images")
    together = folder / "features"
    together.mkdir()
    for name in names:
        feature_file(together, name).symlink_to(features.file(name).resolve())
    matched(features.kind, together, pairs, folder)
    database = folder / "database.db"
    root, groups = str(pictures[0].folder.parent), groups_by_size(pictures)
    run_stage("images", folder / "images.log", database=str(database), folder=root, groups=groups)
    _write_matches(database, found, pairs, read_matches(folder))
    run_stage("verify", folder / "verify.log", database=str(database), pairs=str(folder / "pairs.txt"))
    return {"seconds": time.monotonic() - started, "pairs": len(pairs)}


def _write_matches(
    database: Path,
    features: dict[str, PictureFeatures],
    pairs: Sequence[tuple[str, str]],
    matches: Sequence[NDArray[np.int64]],
) -> None:
    pycolmap = load_pycolmap()
    with pycolmap.Database.open(database) as db:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        missing = features.keys() - ids.keys()
        if missing:
            raise MappingError(f"COLMAP took no image {min(missing)}")
        for name, found in features.items():
            db.write_keypoints(ids[name], pixels_to_colmap(found.pixels).astype(np.float32))
        for (first, second), rows in zip(pairs, matches, strict=True):
            if len(rows):
                db.write_matches(ids[first], ids[second], rows.astype(np.uint32))
