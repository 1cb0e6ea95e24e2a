"""Ways in which the files of a map get damaged: by a disk, by a copy that was cut off, by a program that is wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

Damage = Callable[[Path], None]  # of a scene's sfm/
MODEL_FILES = ("model/cameras.bin", "model/images.bin", "model/points3D.bin", "model/frames.bin", "model/rigs.bin")


def colmap_damages(flips: range) -> Iterator[tuple[str, Damage]]:
    """What they are called, and what does them, of the files that COLMAP reads. flips: seeds of bits that turn."""
    for file in (*MODEL_FILES, "database.db"):
        for name, change in BYTES.items():
            yield f"{file} {name}", _of_bytes(file, change)
        for seed in flips:
            yield f"{file} flipped {seed}", _of_bytes(file, _flipped(seed))
    for name, change in POINTS.items():
        yield f"model/points3D.bin {name}", _of_bytes("model/points3D.bin", change)
    for sql in ROWS_OF_DATABASE:
        yield sql, _of_database(sql)


def array_damages() -> Iterator[tuple[str, Damage]]:
    """What they are called, and what does them, of the files of arrays."""
    for file, changes in ARRAYS.items():
        for array, name, change in changes:
            yield f"{file} {array} {name}", _of_array(file, array, change)


ROWS_OF_DATABASE = (
    "UPDATE keypoints SET rows = 1000000", "UPDATE keypoints SET cols = 2", "UPDATE keypoints SET rows = -1",
    "UPDATE keypoints SET data = x'00'", "UPDATE descriptors SET rows = 10000000", "UPDATE descriptors SET data = NULL",
    "DELETE FROM keypoints", "DELETE FROM descriptors", "DROP TABLE images", "UPDATE cameras SET model = 99",
    "UPDATE cameras SET params = x'00'", "UPDATE images SET camera_id = 77", "UPDATE images SET name = 'a' || image_id",
    "UPDATE images SET image_id = image_id + 100",
)  # fmt: skip
# A point begins at byte 8 with its id and its place; the last track ends the file with the number of a feature.
POINTS: dict[str, Callable[[bytes], bytes]] = {
    "with a point that is nowhere": lambda data: data[:16] + b"\xff" * 8 + data[24:],
    "with a feature that is not there": lambda data: data[:-4] + b"\0\0\1\0",
    "with another feature": lambda data: data[:-4] + bytes([data[-4] ^ 1]) + data[-3:],
}
BYTES: dict[str, Callable[[bytes], bytes]] = {
    "missing": lambda data: b"",
    "cut in half": lambda data: data[: len(data) // 2],
    "cut by a byte": lambda data: data[:-1],
    "of zeros": lambda data: bytes(len(data)),
    "of ones": lambda data: b"\xff" * len(data),
    "with a huge count": lambda data: b"\xff" * 7 + b"\x7f" + data[8:],
    "with a few more": lambda data: bytes([data[0] + 3]) + data[1:] if data else data,
    "of text": lambda data: b"# Camera list with one line of data per camera:\n" * 9,
}


def _flipped(seed: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        random = np.random.default_rng(seed)
        changed = bytearray(data)
        for at in random.integers(0, len(data), 1 + seed % 3):
            changed[at] ^= 1 << int(random.integers(8))
        return bytes(changed)

    return change


def _of_bytes(file: str, change: Callable[[bytes], bytes]) -> Damage:
    def damage(sfm: Path) -> None:
        data = (sfm / file).read_bytes()
        (sfm / file).unlink()
        if changed := change(data):
            (sfm / file).write_bytes(changed)

    return damage


def _of_database(sql: str) -> Damage:
    def damage(sfm: Path) -> None:
        with closing(sqlite3.connect(sfm / "database.db")) as database:
            database.execute(sql)
            database.commit()

    return damage


def _of_array(file: str, name: str, change: Callable[[Any], Any]) -> Damage:
    def damage(sfm: Path) -> None:
        with np.load(sfm / file) as opened:
            arrays = dict(opened)
        changed = change(arrays.pop(name))
        np.savez(sfm / file, **arrays, **({} if changed is None else {name: changed}))

    return damage


def _one(value: Any) -> Callable[[Any], Any]:
    def change(array: Any) -> Any:
        array = array.copy()
        array.reshape(-1)[0] = value
        return array

    return change


POSES = [
    ("is missing", lambda a: None), ("is not finite", _one(np.nan)), ("is infinite", _one(np.inf)),
    ("is text", lambda a: a.astype(str)), ("is complex", lambda a: a.astype(complex)),
    ("is turned", lambda a: a.T.copy()),
    ("is one shorter", lambda a: a[1:]), ("is empty", lambda a: a[:0]), ("is a number", lambda a: np.array(1.0)),
]  # fmt: skip
ROWS = [
    ("is too large", lambda a: a + 10**6), ("has one that is too large", _one(10**6)),
    ("is negative", lambda a: a - 10**6),
    ("is real", lambda a: a.astype(float)), ("is one shorter", lambda a: a[1:]), ("is missing", lambda a: None),
]  # fmt: skip
ARRAYS: dict[str, list[tuple[str, str, Callable[[Any], Any]]]] = {
    "landmarks.npz": [
        *((name, how, change) for name in ("xyz", "frame_positions", "frame_quats_xyzw") for how, change in POSES),
        *((name, how, change) for name in ("observed", "observed_by") for how, change in ROWS),
        ("xyz", "is far away", _one(1e300)),
        ("frame_quats_xyzw", "is of zeros", lambda a: a * 0),
        ("frame_quats_xyzw", "is long", lambda a: a * 101),
        ("rgb", "is real", lambda a: a.astype(float)),
        ("descriptors", "is real", lambda a: a.astype(np.float32)),
        ("descriptors", "is narrow", lambda a: a[:, :64]),
        ("frame_names", "is of numbers", lambda a: np.arange(len(a))),
        ("frame_names", "has a stranger", _one("other/000001.jpg")),
        ("frame_globals", "is not finite", _one(np.nan)),
        ("frame_globals", "is narrow", lambda a: a[:, :8]),
        ("vlad_words", "is narrow", lambda a: a[:, :8]),
        ("vlad_words", "is of integers", lambda a: a.astype(int)),
        ("detail", "is unknown", lambda a: np.array("thirds")),
    ],
    "poses.npz": [
        *((name, how, change) for name in ("positions", "quats_xyzw") for how, change in POSES),
        ("names", "is of numbers", lambda a: np.arange(len(a))),
    ],
}
