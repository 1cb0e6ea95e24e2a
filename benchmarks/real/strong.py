"""The strong way: ALIKED features and LightGlue on chosen pairs, in COLMAP's mappers; the bar for what is to come.

A query is matched with the ten mapping frames most like it; PnP on the landmarks that those show, with COLMAP's
defaults, answers where 20 matches agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.real.landmark_search import Row, pnp
from benchmarks.real.learned_features import feature_file, matched, read_matches
from benchmarks.real.learned_map import LearnedFeatures, learned_model
from benchmarks.real.mappers import BestModel
from benchmarks.real.pairs import GlobalDescriptors
from benchmarks.real.pictures import Images
from benchmarks.real.way import Way
from campose_core.geometry import Array
from campose_core.landmark_map.colmap import load_pycolmap

MAX_ALIKE = 10


class StrongMap(Way):
    method = "strong"
    version = 1

    @property
    def features(self) -> LearnedFeatures:
        return LearnedFeatures("aliked", self.out / "features")

    def make_map(self) -> BestModel:
        return learned_model(self.features, self.mapping, self.out, self.what)

    def locate(self, other: StrongMap, pictures: Sequence[Images]) -> dict[str, Row]:
        for part in pictures:
            other.features.extract(part)
        names = [name for part in pictures for name in part.files]
        found, shown = other.features.read(names), self._landmarks
        placed = sorted(shown)
        alike = GlobalDescriptors(list(self.features.read(placed).values()))
        pairs = [(name, placed[index]) for name in names for index in alike.nearest(found[name], MAX_ALIKE)]
        seen: dict[str, list[tuple[Array, Array]]] = {name: [] for name in names}
        for (name, mapped), matches in zip(pairs, self._matches(other, pairs), strict=True):
            landmark_of, xyz = shown[mapped]
            landmarks = landmark_of[matches[:, 1]]
            seen[name].append((found[name].pixels[matches[landmarks >= 0, 0]], xyz[landmarks[landmarks >= 0]]))
        rows: dict[str, Row] = {}
        for part in pictures:
            camera = other.camera_of(part)
            for key, name in zip(part.keys, part.files, strict=True):
                pixels, xyz = (np.concatenate(arrays) for arrays in zip(*seen[name], strict=True))
                rows[key] = pnp(pixels, xyz, camera)
        return rows

    def _matches(self, other: StrongMap, pairs: Sequence[tuple[str, str]]) -> list[NDArray[np.int64]]:
        """Of pairs of an image of `other` and one of this set."""
        with TemporaryDirectory() as temporary:
            folder = Path(temporary)
            # Recordings of two sets have the same names, so the images of the map get one in front of theirs.
            for name in {first for first, _ in pairs}:
                feature_file(folder, name).symlink_to(other.features.file(name).resolve())
            for name in {second for _, second in pairs}:
                feature_file(folder, f"map/{name}").symlink_to(self.features.file(name).resolve())
            matched("aliked", folder, [(first, f"map/{second}") for first, second in pairs], folder)
            return read_matches(folder)

    @cached_property
    def _landmarks(self) -> dict[str, tuple[NDArray[np.int64], Array]]:
        """By name of a mapped image: the row of the landmark that each feature shows, or -1; and their xyz (N, 3)."""
        model = load_pycolmap().Reconstruction(self.model)
        shown = {}
        for image_id in model.reg_image_ids():
            image = model.image(image_id)
            ids = [point.point3D_id for point in image.points2D if point.has_point3D()]
            xyz = np.array([model.point3D(point_id).xyz for point_id in ids]).reshape(-1, 3)
            row = iter(range(len(ids)))
            which = np.array([next(row) if point.has_point3D() else -1 for point in image.points2D], dtype=np.int64)
            shown[image.name] = which, xyz
        return shown
