"""Covariances on disk, beside the trajectory that they are of: EST.covariance.csv beside EST.tum.

The header is `stamp_ns,x_x,x_y,...,rz_rz`: the upper triangle, row by row, of the covariance over (x, y, z, rx, ry, rz)
about the map's fixed axes, in metres and radians.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from campose_core.errors import TrajectoryError
from campose_core.files import check_whole, read_text
from campose_core.formats.pose_rows import stamped_numbers
from campose_core.formats.row_stamps import whole_stamps
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
    text = read_text(path, TrajectoryError)
    lines = text.splitlines()
    if not lines or lines[0] != ",".join(COLUMNS):
        raise TrajectoryError(f"{path}: expected the columns `{','.join(COLUMNS[:3])},...,{COLUMNS[-1]}`")
    check_whole(path, text, TrajectoryError)
    table = stamped_numbers(lines[1:], len(COLUMNS), 0, range(1, len(COLUMNS)), ",")
    try:
        stamps_ns = whole_stamps(table[0]) if table else np.empty(0, dtype=np.int64)
    except (ValueError, OverflowError):
        table = None
    if table is None:
        raise TrajectoryError(f"{path}:{_first_wrong(lines)}: expected a stamp and {len(COLUMNS) - 1} numbers")
    numbers = table[1]
    if (np.diff(np.sort(stamps_ns)) == 0).any():
        _, first = np.unique(stamps_ns, return_index=True)
        again = int(np.setdiff1d(np.arange(len(stamps_ns)), first)[0])
        raise TrajectoryError(f"{path}:{again + 2}: stamp {stamps_ns[again]} appears twice")
    covariances = np.empty((len(numbers), 6, 6))
    covariances[:, UPPER[0], UPPER[1]] = covariances[:, UPPER[1], UPPER[0]] = numbers
    wrong = np.flatnonzero(~_are_covariances(covariances))
    if len(wrong):
        raise TrajectoryError(f"{path}:{wrong[0] + 2}: not a covariance: it must be finite and positive definite")
    return stamps_ns, covariances


def _first_wrong(lines: Sequence[str]) -> int:
    """Return the number of the first line that is no stamp with as many numbers as there are columns."""
    for number, line in enumerate(lines[1:], start=2):
        stamp, *texts = line.split(",")
        try:
            stamp_from_text(stamp)
            if len(list(map(float, texts))) != len(COLUMNS) - 1:
                return number
        except (ValueError, OverflowError):
            return number
    return len(lines)


def _are_covariances(matrices: Array) -> NDArray[np.bool_]:
    """Tell which of many symmetric matrices (N, 6, 6) are covariances, see `checked_covariance`."""
    good: NDArray[np.bool_] = np.asarray(np.isfinite(matrices).all(axis=(1, 2)))
    try:
        np.linalg.cholesky(matrices[good])
    except np.linalg.LinAlgError:  # one of them is not positive definite: numpy does not say which
        good[good] = [is_covariance(matrix) for matrix in matrices[good]]
    return good
