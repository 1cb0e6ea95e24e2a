"""Covariances on disk, beside the trajectory that they are of: EST.covariance.csv beside EST.tum.

The header is `stamp_ns,x_x,x_y,...,rz_rz`: the upper triangle, row by row, of the covariance over (x, y, z, rx, ry, rz)
about the map's fixed axes, in metres and radians.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from campose_core.errors import TrajectoryError
from campose_core.geometry import Array
from campose_core.statistics import is_covariance
from campose_core.trajectory import stamp_from_text

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


def read_covariances(path: Path) -> dict[int, Array]:
    """Read covariances (6, 6) by stamp (nanoseconds).

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
    covariances: dict[int, Array] = {}
    for number, fields in enumerate(lines[1:], start=2):
        try:
            stamp_ns, values = stamp_from_text(fields[0]), np.array([float(field) for field in fields[1:]])
            covariance = np.zeros((6, 6))
            covariance[UPPER] = values
        except (ValueError, IndexError, OverflowError):
            raise TrajectoryError(f"{path}:{number}: expected a stamp and {len(COLUMNS) - 1} numbers") from None
        if stamp_ns in covariances:
            raise TrajectoryError(f"{path}:{number}: stamp {stamp_ns} appears twice")
        covariance += np.triu(covariance, 1).T
        if not is_covariance(covariance):
            raise TrajectoryError(f"{path}:{number}: not a covariance: it must be finite and positive definite")
        covariances[stamp_ns] = covariance
    return covariances
