"""Which images of a set are matched with which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.real.picture_features import PictureFeatures
from campose_core.features.vlad import Vlad

SEED = 0
SAMPLES = 300  # features of each image that the words are made of


def all_pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    return [(first, second) for at, first in enumerate(names) for second in names[at + 1 :]]


def near_in_time(sequences: Sequence[Sequence[str]], overlap: int, quadratic: bool = False) -> list[tuple[str, str]]:
    """Each with its next `overlap` in its recording; quadratic: also with those 2, 4, 8, ... beyond, as COLMAP does."""
    steps = set(range(1, overlap + 1)) | ({2**k for k in range(overlap)} if quadratic else set())
    return [
        (sequence[at], sequence[at + step])
        for sequence in sequences
        for at in range(len(sequence))
        for step in sorted(steps)
        if at + step < len(sequence)
    ]


class GlobalDescriptors:
    """Of images: a VLAD over words of their own."""

    def __init__(self, features: Sequence[PictureFeatures]) -> None:
        some = [PictureFeatures(one.pixels, one.stored[:: max(1, len(one.stored) // SAMPLES)]) for one in features]
        self._vlad = Vlad.fit([one.descriptors for one in some if len(one.stored)], SEED)
        self.table = np.stack([self._vlad.describe(one.descriptors) for one in features])

    def nearest(self, features: PictureFeatures, count: int) -> list[int]:
        """The images most like another one, that first which is most alike."""
        return [int(index) for index in np.argsort(-(self.table @ self._vlad.describe(features.descriptors)))[:count]]


def most_alike(names: Sequence[str], features: Sequence[PictureFeatures], count: int) -> list[tuple[str, str]]:
    """Each with the `count` whose global descriptors are nearest."""
    table = GlobalDescriptors(features).table
    similarity = table @ table.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argsort(-similarity, axis=1)[:, : min(count, len(names) - 1)]
    return [(name, names[other]) for name, row in zip(names, nearest, strict=True) for other in row]


def write_pairs(path: Path, *parts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """All pairs once, in whatever order of the two, as COLMAP's pair file; returns them in the order of the file."""
    pairs = sorted({(min(pair), max(pair)) for part in parts for pair in part if pair[0] != pair[1]})
    path.write_text("".join(f"{first} {second}\n" for first, second in pairs), encoding="utf-8")
    return pairs
