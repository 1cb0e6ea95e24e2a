"""COLMAP's binary model files, walked through before COLMAP reads them: behind a wrong count it reads on for hours.

The layout is that of src/colmap/scene/reconstruction_io.cc: a count, and so many records, of which some hold a count of
their own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from campose_core.errors import MappingError
from campose_core.files import read_bytes

# Parameters of COLMAP's camera models, by their number: of what campose maps with, see camera.MODEL_PARAMS.
PARAMS = {0: 3, 1: 4, 2: 4, 3: 5, 4: 8, 5: 8, 6: 12}
POSE_BYTES = 7 * 8
SENSOR_BYTES = 8  # its type and number
MAX_BYTES = 2**36  # of a map that no memory holds

Walk = Callable[[bytes, int], int]  # from where a record begins to where it ends


def check_model_files(folder: Path) -> None:
    """Refuse a model whose files do not end where their counts say.

    Raises:
        MappingError: one is missing or damaged; it is named.
    """
    for name, walk in RECORDS.items():
        path = folder / name
        try:
            _check(read_bytes(path, MappingError, MAX_BYTES), walk)
        except OSError as error:
            raise MappingError(f"{path} cannot be read ({error.strerror}): run `campose map` again") from error
        except (struct.error, ValueError, KeyError) as error:
            raise MappingError(f"{path} is damaged: it is none of COLMAP's; run `campose map` again") from error


def _check(data: bytes, walk: Walk) -> None:
    at = 8
    for _ in range(_count("<Q", data, 0)):
        at = walk(data, at)
        if at > len(data):
            raise ValueError
    if at != len(data):
        raise ValueError


def _count(form: str, data: bytes, at: int) -> int:
    return int(struct.unpack_from(form, data, at)[0])


def _camera(data: bytes, at: int) -> int:
    return at + 24 + 8 * PARAMS[_count("<i", data, at + 4)]


def _image(data: bytes, at: int) -> int:
    name_ends = data.index(b"\0", at + 4 + POSE_BYTES + 4) + 1
    return name_ends + 8 + 24 * _count("<Q", data, name_ends)


def _point(data: bytes, at: int) -> int:
    return at + 51 + 8 * _count("<Q", data, at + 43)


def _rig(data: bytes, at: int) -> int:
    sensors, at = _count("<I", data, at + 4), at + 8
    at += SENSOR_BYTES if sensors else 0  # the first is where the rig is
    for _ in range(sensors - 1):
        at += SENSOR_BYTES
        at += 1 + POSE_BYTES * bool(data[at : at + 1] > b"\0")
        if at > len(data):
            raise ValueError
    return at


def _frame(data: bytes, at: int) -> int:
    return at + 12 + POSE_BYTES + 16 * _count("<I", data, at + 8 + POSE_BYTES)


RECORDS: dict[str, Walk] = {
    "cameras.bin": _camera, "images.bin": _image, "points3D.bin": _point, "rigs.bin": _rig, "frames.bin": _frame,
}  # fmt: skip
