"""Covariances on disk, beside the trajectory that they are of: EST.covariance.csv beside EST.tum.

The header is `stamp_ns,x_x,x_y,...,rz_rz`: the upper triangle, row by row, of the covariance over (x, y, z, rx, ry, rz)
about the map's fixed axes, in metres and radians.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from campose_core.errors import TrajectoryError
from campose_core.geometry import Array
from campose_core.statistics import is_covariance
from campose_core.trajectory import Stamps, stamp_from_text

AXES = ("x", "y", "z", "rx", "ry", "rz")
UPPER = np.triu_indices(6)
COLUMNS = ["stamp_ns", *(f"{AXES[row]}_{AXES[column]}" for row, column in zip(*UPPER, strict=True))]


def covariance_path(trajectory: Path) -> Path:
    """Return where the covariances of a trajectory file lie."""
    return trajectory.with_suffix(".covariance.csv")


def covariances_text(covariances: Mapping[int, Array]) -> str:
    """Return a table of covariances (6, 6) by stamp (nanoseconds); they read back to the last bit."""
    rows = (
        ",".join([str(stamp_ns), *(repr(float(value)) for value in covariance[UPPER])])
        for stamp_ns, covariance in sorted(covariances.items())
    )
    return "".join(line + "\n" for line in (",".join(COLUMNS), *rows))


def read_covariances(path: Path) -> tuple[Stamps, Array]:
    """Read the stamps (N,) in nanoseconds, each once, and their covariances (N, 6, 6).

    Raises:
        TrajectoryError: not such a table; the line is named.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrajectoryError(f"{path}: cannot be read: {error}") from error
    if not lines or lines[0] != COLUMNS:
        raise TrajectoryError(f"{path}: expected the columns `{','.join(COLUMNS[:3])},...,{COLUMNS[-1]}`")
    stamps: dict[int, None] = {}
    numbers = np.empty((len(lines) - 1, len(COLUMNS) - 1))
    for row, fields in enumerate(lines[1:]):
        where = f"{path}:{row + 2}"
        try:
            stamp_ns = stamp_from_text(fields[0])
            numbers[row] = list(map(float, fields[1:]))
        except (ValueError, IndexError, OverflowError):
            raise TrajectoryError(f"{where}: expected a stamp and {len(COLUMNS) - 1} numbers") from None
        if stamp_ns in stamps:
            raise TrajectoryError(f"{where}: stamp {stamp_ns} appears twice")
        stamps[stamp_ns] = None
    covariances = np.empty((len(numbers), 6, 6))
    covariances[:, UPPER[0], UPPER[1]] = covariances[:, UPPER[1], UPPER[0]] = numbers
    wrong = np.flatnonzero(~_are_covariances(covariances))
    if len(wrong):
        raise TrajectoryError(f"{path}:{wrong[0] + 2}: not a covariance: it must be finite and positive definite")
    return np.array(list(stamps), dtype=np.int64), covariances


def _are_covariances(matrices: Array) -> NDArray[np.bool_]:
    """Tell which of many symmetric matrices (N, 6, 6) are covariances, see `checked_covariance`."""
    good: NDArray[np.bool_] = np.asarray(np.isfinite(matrices).all(axis=(1, 2)))
    try:
        np.linalg.cholesky(matrices[good])
    except np.linalg.LinAlgError:  # one of them is not positive definite: numpy does not say which
        good[good] = [is_covariance(matrix) for matrix in matrices[good]]
    return good
