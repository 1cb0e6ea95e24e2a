"""The plain way: COLMAP as it comes.

Its own SIFT with its defaults, frames undistorted where the camera is known, one camera for all recordings otherwise;
every pair up to 250 frames, beyond that ten neighbours and those in powers of two, and the 20 frames most alike; the
global and the incremental mapper, of which that with more frames in its largest model is taken. A query's features
are compared with all landmarks (ratio 0.8), and PnP with COLMAP's defaults answers where 20 matches agree.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.real.answers import Answers, answered_from_json, poses_from_json, poses_to_json
from benchmarks.real.colmap_stages import run_stage
from benchmarks.real.kept import kept
from benchmarks.real.landmark_search import (
    LandmarkTable,
    PictureFeatures,
    answers_of,
    model_cameras,
    model_poses_by_frame,
    read_features,
)
from benchmarks.real.pairs import all_pairs, most_alike, near_in_time, write_pairs
from benchmarks.real.pictures import Pictures
from benchmarks.real.sets import RealSet
from campose_core.camera import Camera
from campose_core.errors import MappingError
from campose_core.progress import say

VERSION = 1
EXHAUSTIVE_UP_TO = 250  # frames
NEIGHBOURS = 10
MOST_ALIKE = 20
MAPPER_S = 1800  # for each of the two


def groups_by_size(pictures: Sequence[Pictures]) -> list[dict[str, Any]]:
    """Pictures that share a camera, as `colmap_stages` takes them: those of one size."""
    groups: dict[tuple[int, int], list[Pictures]] = {}
    for part in pictures:
        groups.setdefault(part.size, []).append(part)
    return [
        {
            "names": [file for part in parts for file in part.files],
            "camera": parts[0].camera.to_dict() if parts[0].camera else None,
            "mask": str(parts[0].mask) if parts[0].mask else None,
        }
        for parts in groups.values()
    ]


class PlainMap:
    """The plain map of a set, kept in a folder; `error` says why there is none."""

    method = "plain"

    def __init__(self, real_set: RealSet, pictures: dict[str, Pictures], out: Path) -> None:
        self._set, self._pictures, self._out = real_set, pictures, out
        self._mapping = [pictures[recording.name] for recording in real_set.mapping]
        self._inputs = {"version": VERSION, "mapping": [part.digest for part in self._mapping]}
        self.error: str | None = None
        self.seconds = 0.0
        self.models: dict[str, Any] = {}
        self._model = self._best_model()

    @property
    def pictures_root(self) -> Path:
        return self._mapping[0].folder.parent

    def answers(self, others: Mapping[str, PlainMap]) -> Answers:
        """Of the set's own queries, and of those of `others` (by name of the set)."""
        frames = sum(len(part.stamps_ns) for part in self._mapping)
        if self._model is None:
            return Answers(self.method, frames=frames, seconds=self.seconds, error=self.error)
        mapped = {key: pose for key, pose in model_poses_by_frame(self._model).items() if pose}
        own = self._answer(self, [*self._set.queries, *self._set.wrong])
        foreign = {name: self._answer(other, other._set.queries) for name, other in others.items() if other is not self}
        return Answers(
            self.method,
            frames=frames,
            mapped=mapped,
            queries=answered_from_json(own["answers"]),
            foreign={name: answered_from_json(rows["answers"]) for name, rows in foreign.items()},
            seconds=self.seconds + own["seconds"],
            notes={"models": self.models},
        )

    def _best_model(self) -> Path | None:
        """The folder of the larger model of the two mappers."""
        name = f"{self._set.name}, {self.method}"
        try:
            features = kept(self._out / "features", self._inputs, self._extract)
            matched = kept(self._out / "matched", self._inputs, self._match)
            self.seconds = features["seconds"] + matched["seconds"]
        except MappingError as error:
            self.error = str(error)
            return None
        frames, best, largest = sum(len(part.stamps_ns) for part in self._mapping), None, 0
        for mapper in ("global", "incremental"):
            if largest == frames:
                break  # the other cannot hold more
            say(f"{name}: {mapper} mapper")
            inputs = {**self._inputs, "limit_s": MAPPER_S}
            result = kept(self._out / mapper, inputs, lambda beside, mapper=mapper: self._map(mapper, beside))
            self.seconds += result["seconds"]
            self.models[mapper] = result["models"]
            say(f"{name}: {mapper} mapper: models of {result['models']} in {result['seconds']:.0f} s {result['error']}")
            if max(result["models"], default=0) > largest:
                best, largest = self._out / mapper / "largest", max(result["models"])
            self.error = result["error"] or "COLMAP's mappers made no model"
        if best:
            self.error = None
        return best

    def _extract(self, folder: Path) -> dict[str, Any]:
        say(f"{self._set.name}, {self.method}: features")
        started = time.monotonic()
        self._extract_into(folder, self._mapping)
        return {"seconds": time.monotonic() - started}

    def _extract_into(self, folder: Path, pictures: Sequence[Pictures]) -> None:
        groups = groups_by_size(pictures)
        arguments = {"database": str(folder / "database.db"), "folder": str(self.pictures_root), "groups": groups}
        run_stage("features", folder / "features.log", **arguments)

    def _match(self, folder: Path) -> dict[str, Any]:
        started = time.monotonic()
        shutil.copyfile(self._out / "features" / "database.db", folder / "database.db")
        sequences = [part.files for part in self._mapping]
        names = [name for sequence in sequences for name in sequence]
        if len(names) <= EXHAUSTIVE_UP_TO:
            pairs = write_pairs(folder / "pairs.txt", all_pairs(names))
        else:
            found = read_features(folder / "database.db")
            alike = most_alike(names, [found[name].descriptors for name in names], MOST_ALIKE)
            pairs = write_pairs(folder / "pairs.txt", near_in_time(sequences, NEIGHBOURS, quadratic=True), alike)
        say(f"{self._set.name}, {self.method}: {len(pairs)} pairs of {len(names)} frames")
        arguments = {"database": str(folder / "database.db"), "pairs": str(folder / "pairs.txt")}
        run_stage("match", folder / "match.log", **arguments)
        return {"seconds": time.monotonic() - started, "pairs": len(pairs)}

    def _map(self, mapper: str, folder: Path) -> dict[str, Any]:
        started = time.monotonic()
        database = folder / "database.db"  # the mapper may write to it
        shutil.copyfile(self._out / "matched" / "database.db", database)
        (folder / "models").mkdir()
        arguments = {"database": str(database), "folder": str(self.pictures_root), "out": str(folder / "models")}
        stage = "map_globally" if mapper == "global" else "map_incrementally"
        if mapper == "incremental":
            arguments["most_s"] = MAPPER_S
        models, error = [], ""
        try:
            models = run_stage(stage, folder / "mapper.log", limit_s=MAPPER_S + 300, **arguments)["models"]
            if models:
                (folder / "models" / "largest").rename(folder / "largest")
        except MappingError as failure:
            error = str(failure)
        shutil.rmtree(folder / "models")
        database.unlink()
        return {"seconds": time.monotonic() - started, "models": models, "error": error}

    def _answer(self, other: PlainMap, recordings: Sequence[Any]) -> dict[str, Any]:
        """Answers of this map to recordings of another set, or of its own."""
        pictures = [other._pictures[recording.name] for recording in recordings]
        inputs = {**self._inputs, "models": self.models, "queries": [part.digest for part in pictures]}

        def compute(_: Path) -> dict[str, Any]:
            started = time.monotonic()
            found = other.query_features()
            features = {key: found[f"{key}.jpg"] for part in pictures for key in part.keys}
            cameras = {key: other.camera_of(part) for part in pictures for key in part.keys}
            what = f"{other._set.name}'s queries in {self._set.name}, {self.method}"
            rows = answers_of(self._landmarks(), features, cameras, what)
            return {"seconds": time.monotonic() - started, "answers": rows}

        return kept(self._out / f"answers_{other._set.name}", inputs, compute)

    def _landmarks(self) -> LandmarkTable:
        if self._model is None:
            raise MappingError(f"{self._set.name}: no map")
        return LandmarkTable.of_model(self._model, self.mapping_features())

    def mapping_features(self) -> dict[str, PictureFeatures]:
        return read_features(self._out / "features" / "database.db")

    def query_features(self) -> dict[str, PictureFeatures]:
        """Of all query recordings of the set, by picture."""
        pictures = [self._pictures[recording.name] for recording in (*self._set.queries, *self._set.wrong)]
        inputs = {"version": VERSION, "queries": [part.digest for part in pictures]}

        def compute(folder: Path) -> dict[str, Any]:
            self._extract_into(folder, pictures)
            return {}

        kept(self._out / "query_features", inputs, compute)
        return read_features(self._out / "query_features" / "database.db")

    def camera_of(self, pictures: Pictures) -> Camera:
        """Of query pictures: as the map has refined it, else as it is known, else as COLMAP guesses."""
        refined = model_cameras(self._model) if self._model else {}
        width, height = pictures.size
        guessed = Camera("SIMPLE_RADIAL", width, height, (1.2 * max(width, height), (width - 1) / 2, (height - 1) / 2, 0))
        return refined.get(pictures.size) or pictures.camera or guessed


