"""Statistics that many rooms need: robust spread, covariances, evenly spread rows, and what must be positive."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from campose_core.errors import CamposeError, GeometryError
from campose_core.geometry import Array

# Standard deviation of a normal distribution over its median absolute deviation: 1 / (sqrt(2) erfinv(1 / 2)).
SIGMA_PER_MAD = 1.4826


def robust_sigma(residuals: ArrayLike) -> float:
    """Return the standard deviation of residuals about zero, told by their median: half of them may be anything.

    residuals: any shape and unit; NaN ones do not count. NaN where none is left.
    """
    return SIGMA_PER_MAD * float(np.nanmedian(np.abs(residuals)))


def evenly_spaced(count: int, most: int) -> NDArray[np.intp]:
    """Return up to `most` of the rows 0 .. count - 1, ascending and evenly spread, both ends among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


def checked_covariance(covariance: ArrayLike) -> Array:
    """Return a covariance (6, 6), symmetric to the last bit.

    Raises:
        GeometryError: it is not (6, 6), finite, symmetric and positive definite.
    """
    matrix = np.asarray(covariance, dtype=np.float64)
    if matrix.shape != (6, 6) or not np.isfinite(matrix).all():
        raise GeometryError(f"a covariance must be 6x6 finite numbers, got shape {matrix.shape}")
    scale = np.sqrt(np.abs(np.diagonal(matrix)))
    if not (np.abs(matrix - matrix.T) <= 1e-6 * np.outer(scale, scale)).all():
        raise GeometryError("a covariance must be symmetric")
    matrix = 0.5 * (matrix + matrix.T)
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError as error:
        raise GeometryError("a covariance must be positive definite") from error
    return matrix


def is_covariance(matrix: ArrayLike) -> bool:
    """Tell whether a matrix is a covariance, see `checked_covariance`."""
    try:
        checked_covariance(matrix)
    except GeometryError:
        return False
    return True


def squared_mahalanobis(errors: Array, covariances: Array) -> Array:
    """Return e^T C^-1 e of each error (N, D) by its covariance (N, D, D): chi-square of D where covariances hold."""
    return np.einsum("ni,ni->n", errors, np.linalg.solve(covariances, errors[..., None])[..., 0])


def require_positive(error: type[CamposeError], **values: float) -> None:
    """Refuse options that are not positive and finite; NaN is neither.

    Raises:
        error: the first such value, by its name.
    """
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise error(f"{name} must be positive, got {value!r}")


def require_within(
    error: type[CamposeError], limits: Mapping[str, tuple[float, float]], values: Mapping[str, Any]
) -> None:
    """Refuse numbers that are beyond their limits (least, most), or NaN; those without limits and None pass.

    Raises:
        error: the first such value, by its name.
    """
    for name, (least, most) in limits.items():
        value = values.get(name)
        if value is not None and not least <= value <= most:
            bound = f"at least {least}" if value < least else f"at most {most}"
            raise error(f"{name} must be {bound}, got {value}")
