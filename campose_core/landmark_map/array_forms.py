"""What arrays of a file must be like, checked when they are read: a checksum tells flipped bits, not a wrong writer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


class Form(NamedTuple):
    """kinds: of numpy's dtypes, one letter each, B for bytes. finite: no NaN and no infinity in it.

    shape: lengths, those of a name the same in all arrays of a file.
    """

    kinds: str
    shape: tuple[str | int, ...]
    finite: bool = True


def checked(arrays: Mapping[str, NDArray[Any]], forms: Mapping[str, Form]) -> Arrays:
    """Return those arrays that `forms` names.

    Raises:
        ValueError: one is missing, of another type or shape, or holds what is no number; it is named.
    """
    lengths: dict[str, int] = {}
    for name, form in forms.items():
        if name not in arrays:
            raise ValueError(f"{name} is missing")
        array = arrays[name]
        if array.dtype.kind not in form.kinds and array.dtype.char not in form.kinds:
            raise ValueError(f"{name} must not be of type {array.dtype}")
        wanted = [lengths.setdefault(n, m) if isinstance(n, str) else n for n, m in zip(form.shape, array.shape)]  # noqa: B905
        if array.ndim != len(form.shape) or list(array.shape) != wanted:
            raise ValueError(f"{name} must not be of shape {array.shape}")
        if form.finite and array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{name} holds numbers that are not finite")
    return {name: arrays[name] for name in forms}


def check_rows(name: str, rows: NDArray[Any], count: int) -> None:
    """Refuse rows (K,) of an array with `count` of them that it does not have.

    Raises:
        ValueError: which is named.
    """
    if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < count:
        raise ValueError(f"{name} names rows {rows.min()} to {rows.max()} of {count}")
