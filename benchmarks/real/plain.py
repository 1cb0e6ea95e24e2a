"""The plain way: COLMAP as it comes.

Its own SIFT with its defaults, frames undistorted where the camera is known, one camera for all recordings otherwise;
every pair up to 250 frames, beyond that ten neighbours and those in powers of two, and the 20 frames most alike; the
global and the incremental mapper, of which that with more frames in its largest model is taken. A query's features
are compared with all landmarks (ratio 0.8), and PnP with COLMAP's defaults answers where 20 matches agree.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.real.colmap_stages import run_stage
from benchmarks.real.kept import kept
from benchmarks.real.landmark_search import LandmarkTable, Row
from benchmarks.real.mappers import BestModel, best_model
from benchmarks.real.pairs import all_pairs, most_alike, near_in_time, write_pairs
from benchmarks.real.picture_features import PictureFeatures, read_sift
from benchmarks.real.pictures import Images, groups_by_size
from benchmarks.real.way import Way
from campose_core.cli.console import say

EXHAUSTIVE_UP_TO = 250  # frames
NEIGHBOURS = 10
MAX_ALIKE = 20


class PlainMap(Way):
    method = "plain"
    version = 1

    def make_map(self) -> BestModel:
        features = kept(self.out / "features", self.inputs, self._extract)
        matched = kept(self.out / "matched", self.inputs, self._match)
        frames = sum(len(part.stamps_ns) for part in self.mapping)
        database, pictures = self.out / "matched" / "database.db", self.mapping[0].folder.parent
        best = best_model(self.out, self.inputs, database, pictures, frames, self.what)
        return BestModel(best.model, best.models, features["seconds"] + matched["seconds"] + best.seconds, best.error)

    def locate(self, other: PlainMap, pictures: Sequence[Images]) -> dict[str, Row]:
        found = other.query_features()
        rows: dict[str, Row] = {}
        for part in pictures:
            camera = other.camera_of(part)
            rows.update({key: self._landmarks.answer(found[f"{key}.jpg"], camera) for key in part.keys})
        return rows

    def query_features(self) -> dict[str, PictureFeatures]:
        """Of all query recordings of the set, by name of the image."""
        pictures = [self.pictures[recording.name] for recording in (*self.set.queries, *self.set.wrong)]
        inputs = {"version": self.version, "queries": [part.digest for part in pictures]}

        def compute(folder: Path) -> dict[str, Any]:
            _extract(folder, pictures)
            return {}

        kept(self.out / "query_features", inputs, compute)
        return read_sift(self.out / "query_features" / "database.db")

    @cached_property
    def _landmarks(self) -> LandmarkTable:
        return LandmarkTable.of_model(self.model, read_sift(self.out / "features" / "database.db"))

    def _extract(self, folder: Path) -> dict[str, Any]:
        say(f"{self.what}: features")
        started = time.monotonic()
        _extract(folder, self.mapping)
        return {"seconds": time.monotonic() - started}

    def _match(self, folder: Path) -> dict[str, Any]:
        started = time.monotonic()
        shutil.copyfile(self.out / "features" / "database.db", folder / "database.db")
        sequences = [part.files for part in self.mapping]
        names = [name for sequence in sequences for name in sequence]
        if len(names) <= EXHAUSTIVE_UP_TO:
            pairs = write_pairs(folder / "pairs.txt", all_pairs(names))
        else:
            found = read_sift(folder / "database.db")
            alike = most_alike(names, [found[name] for name in names], MAX_ALIKE)
            pairs = write_pairs(folder / "pairs.txt", near_in_time(sequences, NEIGHBOURS, quadratic=True), alike)
        say(f"{self.what}: {len(pairs)} pairs of {len(names)} frames")
        database = str(folder / "database.db")
        run_stage("match", folder / "match.log", database=database, pairs=str(folder / "pairs.txt"))
        return {"seconds": time.monotonic() - started, "pairs": len(pairs)}


def _extract(folder: Path, pictures: Sequence[Images]) -> None:
    root, groups = str(pictures[0].folder.parent), groups_by_size(pictures)
    run_stage("features", folder / "features.log", database=str(folder / "database.db"), folder=root, groups=groups)
