"""Named arrays in one .npz file: written whole or not at all, read with one kind of error."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from campose_core.errors import MappingError
from campose_core.files import check_format, replacing

# What zipfile and numpy's header parser raise on flipped bytes.
DAMAGE = (
    OSError, EOFError, ValueError, KeyError, IndexError, TypeError, SyntaxError, MemoryError, NotImplementedError,
    RuntimeError, OverflowError, struct.error, tokenize.TokenError, zlib.error, zipfile.BadZipFile,
)  # fmt: skip


MAX_RATIO, FREE = 20, 256 * 2**20  # of descriptors and coordinates: 1.2
NO_ARRAYS = "it is no whole .npz file of numbers"
FORMAT = 1  # of what the arrays mean; files from before it was written are of format 1


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the file, whole or not at all."""
    with replacing(path) as beside, open(beside, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, format=np.int64(FORMAT), **arrays)


def read_arrays(path: Path, names: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    """Read arrays of the file: those of these names, or all.

    Raises:
        MappingError: damaged, one of `names` is missing, of a newer format, or far more than its size; the file is
            named.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            _refuse_bomb(path, file.zip)
            found = int(file["format"]) if "format" in file else FORMAT
            wanted = file.files if names is None else names
            if missing := set(wanted) - set(file.files):
                raise damaged(path, f"it lacks the array {min(missing)}")
            arrays = {name: file[name] for name in wanted if name != "format"}
    except DAMAGE as error:
        raise damaged(path, NO_ARRAYS) from error
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):  # else numpy gives a member's bytes
        raise damaged(path, NO_ARRAYS)
    check_format(path, found, FORMAT, MappingError)
    return arrays


def _refuse_bomb(path: Path, archive: zipfile.ZipFile) -> None:
    """By what each member says it holds, which zipfile reads no further than."""
    unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > FREE + MAX_RATIO * path.stat().st_size:
        raise MappingError(
            f"{path} holds {path.stat().st_size / 1e6:.1f} MB that unpack to {unpacked / 1e6:.0f} MB: no map does, "
            "remove it and run `campose map` again"
        )


def checksums(path: Path) -> list[tuple[str, int]]:
    """Return name and CRC-32 of each array of the file, by name. None of them is read.

    Raises:
        MappingError: damaged; the file is named.
    """
    try:
        with zipfile.ZipFile(path) as arrays:
            held = [(member.filename, member.CRC) for member in arrays.infolist()]
            return sorted(one for one in held if one[0] != "format.npy")
    except DAMAGE as error:
        raise damaged(path, NO_ARRAYS) from error


def damaged(path: Path, reason: str) -> MappingError:
    """Return the refusal of a file that holds other than it should."""
    return MappingError(f"{path} is damaged ({reason}): remove it and run `campose map` again")
