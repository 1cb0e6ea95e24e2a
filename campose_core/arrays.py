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


FORMAT = 1  # of what the arrays mean; files from before it was written are of format 1


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the file, whole or not at all."""
    with replacing(path) as beside, open(beside, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, format=np.int64(FORMAT), **arrays)


def read_arrays(path: Path, names: Collection[str] = ()) -> dict[str, NDArray[Any]]:
    """Read the arrays of these names, as far as there are any, or all of the file.

    Raises:
        MappingError: damaged, or of a newer format; the file is named.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if not names or name in (*names, "format")}
            found = int(arrays.pop("format", FORMAT))
    except DAMAGE as error:
        raise damaged(path, error) from error
    check_format(path, found, FORMAT, MappingError)
    return arrays


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
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> MappingError:
    """Return the refusal of a file that holds other than it should, for this reason."""
    reason = str(error) or type(error).__name__
    return MappingError(f"{path} is damaged ({reason}): remove it and run `campose map` again")
