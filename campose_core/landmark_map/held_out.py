"""How well a map places images that it was not made from: keyframes that were left out of it, and found again."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from campose_core.errors import MappingError
from campose_core.geometry import Array, Similarity
from campose_core.landmark_map.array_forms import Form, checked
from campose_core.landmark_map.arrays import damaged, read_arrays, write_arrays
from campose_core.map_scale import MEASURED, MapScale

FORMS = {
    "names": Form("U", ("N",)),
    "errors": Form("f", ("N", 6), finite=False),
    "covariances": Form("f", ("N", 6, 6), finite=False),
    "depths": Form("f", ("N",), finite=False),
}
NOTHING = "held out: nothing, the map is too small or too thin to leave keyframes out"


@dataclass(frozen=True)
class HeldOutReport:
    """Of the held-out keyframes, how many were found, and how well: in sfm/report.json, where None is null.

    No unit of length is known there yet, so that distances are percent of the median distance of what a keyframe sees.
    """

    keyframes: int | None = None
    found: int | None = None
    median_percent_of_depth: float | None = None
    median_deg: float | None = None

    def text(self) -> str:
        """Say it in one line, for people."""
        if not self.keyframes:
            return NOTHING
        found = f"held out: {self.found} of {self.keyframes} keyframes found again in a map without them"
        if self.median_percent_of_depth is None or self.median_deg is None:
            return found
        return f"{found}, median {self.median_percent_of_depth:.2f} % of the depth / {self.median_deg:.2f} deg"


@dataclass(frozen=True, eq=False)
class HeldOut:
    """N keyframes, each localized in a map without it, in the frame and the unit of the whole map.

    errors (N, 6): its pose found less its pose in the whole map, (x, y, z, rx, ry, rz) about the frame's axes; NaN
    where it was not found. covariances (N, 6, 6): as PnP claims. depths (N,): median distance of what it sees.
    """

    names: NDArray[np.str_]
    errors: Array
    covariances: Array
    depths: Array

    def __post_init__(self) -> None:
        n = len(self.names)
        if self.errors.shape != (n, 6) or self.covariances.shape != (n, 6, 6) or self.depths.shape != (n,):
            raise MappingError("held-out keyframes need one error, covariance and depth each")

    @property
    def found(self) -> NDArray[np.bool_]:
        """Return which keyframes (N,) were found."""
        return np.asarray(np.isfinite(self.errors).all(axis=1))

    @property
    def median_position(self) -> float:
        """Return by how far the found keyframes are off, the median in units of the frame; NaN when there are none."""
        return _median(np.linalg.norm(self.errors[self.found, :3], axis=1))

    @property
    def median_deg(self) -> float:
        """Return the median angle by which the found keyframes are off, degrees; NaN when there are none."""
        return _median(np.degrees(np.linalg.norm(self.errors[self.found, 3:], axis=1)))

    def transformed(self, map_from_sfm: Similarity) -> HeldOut:
        """Return the same keyframes with errors, covariances and depths in another frame."""
        jacobian = error_jacobian(map_from_sfm)
        return replace(
            self,
            errors=self.errors @ jacobian.T,
            covariances=jacobian @ self.covariances @ jacobian.T,
            depths=map_from_sfm.scale * self.depths,
        )

    def summary(self, scale: MapScale = MEASURED) -> str:
        """Say it in one line, for people, of keyframes in the map frame; scale: of the map."""
        if not len(self.found):
            return NOTHING
        found = f"held out: {self.found.sum()} of {len(self.found)} keyframes found again in a map without them"
        if not self.found.any():
            return found
        off = f"{100 * self.median_position:.2g} cm" if scale.is_known else f"{self.median_position:.2g} {scale.unit}"
        return f"{found}, median {off} / {self.median_deg:.2g} deg"

    def report(self) -> HeldOutReport:
        """Sum it up for sfm/report.json, distances as percent of what a keyframe sees."""
        found = self.found
        if not found.any():
            return HeldOutReport(len(found), 0)
        relative = np.linalg.norm(self.errors[found, :3], axis=1) / self.depths[found]
        return HeldOutReport(len(found), int(found.sum()), 100 * _median(relative), self.median_deg)

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        write_arrays(path, {field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> HeldOut:
        """Read the file.

        Raises:
            MappingError: damaged, or missing.
        """
        try:
            return cls(**checked(read_arrays(path), FORMS))
        except ValueError as error:
            raise damaged(path, str(error)) from error


def error_jacobian(similarity: Similarity) -> Array:
    """Return what a similarity makes of small errors (x, y, z, rx, ry, rz): a (6, 6) matrix."""
    rotation = similarity.rotation.as_matrix()
    jacobian = np.zeros((6, 6))
    jacobian[:3, :3], jacobian[3:, 3:] = similarity.scale * rotation, rotation
    return jacobian


def _median(values: Array) -> float:
    return float(np.median(values)) if len(values) else float("nan")
