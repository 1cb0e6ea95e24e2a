"""What the plain and the strong way share: a map of a set, and answers of it to any set's queries, kept in a folder."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.real.answers import Answers, answered_from_json
from benchmarks.real.kept import kept
from benchmarks.real.landmark_search import Row, model_cameras, model_poses_by_frame
from benchmarks.real.mappers import BestModel
from benchmarks.real.pictures import Images
from benchmarks.real.sets import RealSet, Recorded
from campose_core.camera import Camera
from campose_core.cli.console import say
from campose_core.errors import CamposeError, MappingError


class Way(ABC):
    """One method in one set. images: of all recordings of the set. out: where results are kept."""

    method: ClassVar[str]
    version: ClassVar[int]

    def __init__(self, real_set: RealSet, pictures: Mapping[str, Images], out: Path) -> None:
        self.set, self.pictures, self.out = real_set, pictures, out
        self.mapping = [pictures[recording.name] for recording in real_set.mapping]
        self.inputs: dict[str, Any] = {"version": self.version, "mapping": [part.digest for part in self.mapping]}
        self.what = f"{real_set.name}, {self.method}"

    @abstractmethod
    def make_map(self) -> BestModel:
        """The best model of the mapping recordings.

        Raises:
            MappingError: there is none.
        """

    @abstractmethod
    def locate(self, other: Any, pictures: Sequence[Images]) -> dict[str, Row]:
        """Where images of `other`, the same way in another set or this one, were taken in this map, by frame."""

    @cached_property
    def best(self) -> BestModel:
        try:
            return self.make_map()
        except CamposeError as error:
            return BestModel(None, {}, 0.0, str(error))

    @property
    def model(self) -> Path:
        if self.best.model is None:
            raise MappingError(f"{self.what}: {self.best.error}")
        return self.best.model

    def answers(self, others: Mapping[str, Way]) -> Answers:
        """Of the set's own queries, and of those of `others` (by name of the set)."""
        frames = sum(len(part.stamps_ns) for part in self.mapping)
        notes = {"models": self.best.models}
        if self.best.model is None:
            return Answers(self.method, frames=frames, seconds=self.best.seconds, error=self.best.error, notes=notes)
        own = self._answer(self, [*self.set.queries, *self.set.wrong])
        foreign, errors = {}, []
        for name, other in others.items():
            if other is not self:
                try:
                    foreign[name] = answered_from_json(self._answer(other, other.set.queries)["answers"])
                except CamposeError as error:
                    errors.append(f"{name}: {error}")
        return Answers(
            self.method,
            frames=frames,
            mapped=model_poses_by_frame(self.best.model),
            queries=answered_from_json(own["answers"]),
            foreign=foreign,
            seconds=self.best.seconds + own["seconds"],
            error="; ".join(errors) or None,
            notes=notes,
        )

    def _answer(self, other: Way, recordings: Sequence[Recorded]) -> dict[str, Any]:
        pictures = [other.pictures[recording.name] for recording in recordings]
        inputs = {
            **self.inputs,
            "models": self.best.models,
            "queries": [part.digest for part in pictures],
            "cameras": [other.camera_of(part).to_dict() for part in pictures],
        }

        def compute(_: Path) -> dict[str, Any]:
            started = time.monotonic()
            rows = self.locate(other, pictures)
            answered = sum(row is not None for row in rows.values())
            say(f"{self.what}: queries of {other.set.name}: {answered} of {len(rows)} answered")
            return {"seconds": time.monotonic() - started, "answers": rows}

        return kept(self.out / f"answers_{other.set.name}", inputs, compute)

    def camera_of(self, pictures: Images) -> Camera:
        """Of query images: as the map of their own set has refined it, else as it is known, else COLMAP's guess."""
        width, height = pictures.size
        guess = (1.2 * max(width, height), (width - 1) / 2, (height - 1) / 2, 0.0)
        refined = model_cameras(self.best.model) if self.best.model else {}
        return refined.get(pictures.size) or pictures.camera or Camera("SIMPLE_RADIAL", width, height, guess)
