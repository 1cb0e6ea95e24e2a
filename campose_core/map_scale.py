"""What the metres of a map rest on: something measured, how a camera is carried, or nothing at all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from campose_core.errors import GeometryError
from campose_core.geometry import Array


class ScaleBasis(str, Enum):
    """ASSUMED: by the height at which a camera is carried. UNKNOWN: the map is in a unit of its own."""

    MEASURED = "measured"
    ASSUMED = "assumed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class MapScale:
    """How much the unit of a map can be trusted.

    relative_sigma: of an assumed scale, one standard deviation. anchor: the place of the first keyframe, (3,) in the
    map; what the scale is wrong by, a pose is wrong by in proportion to its distance from there.

    Raises:
        GeometryError: an assumed scale without a positive sigma, or without a place.
    """

    basis: ScaleBasis = ScaleBasis.MEASURED
    relative_sigma: float = 0.0
    anchor: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        sigma, is_assumed = self.relative_sigma, self.basis is ScaleBasis.ASSUMED
        if not (0.0 < sigma < math.inf if is_assumed else sigma == 0.0):
            raise GeometryError(f"a scale that is {self.basis.value} has no relative sigma of {sigma!r}")
        if len(self.anchor) != 3 or not all(map(math.isfinite, self.anchor)):
            raise GeometryError(f"the first keyframe of an assumed scale needs a place, got {self.anchor!r}")

    @property
    def is_known(self) -> bool:
        """Return whether lengths in the map are metres, measured or assumed."""
        return self.basis is not ScaleBasis.UNKNOWN

    @property
    def unit(self) -> str:
        """Return the unit of lengths in the map, for messages."""
        return "m" if self.is_known else "units"

    @property
    def square_unit(self) -> str:
        """Return the unit of areas in the map, for messages."""
        return "m2" if self.is_known else "square units"

    def in_words(self) -> str:
        """Say what the scale rests on, of an assumed one also how uncertain it is."""
        share = f" ({100 * self.relative_sigma:.0f} %)" if self.basis is ScaleBasis.ASSUMED else ""
        return f"scale {self.basis.value}{share}"

    def caution(self) -> str:
        """Say what to know of lengths in the map; empty where they were measured."""
        if self.basis is ScaleBasis.MEASURED:
            return ""
        return self.in_words() + ("" if self.is_known else ": poses are in a unit of the map's own")

    def widened(self, covariance: Array, position: ArrayLike) -> Array:
        """Return `covariance` (6, 6) over (x, y, z, rx, ry, rz) of a pose at `position` (3,), map frame, with what an
        assumed scale may be wrong by: to be given out. Nothing is decided by it, since all poses of a map are wrong by
        it alike.
        """
        if self.basis is not ScaleBasis.ASSUMED:
            return covariance
        off = self.relative_sigma * (np.asarray(position, dtype=np.float64) - self.anchor)
        wider = np.array(covariance, dtype=np.float64)
        wider[:3, :3] += np.outer(off, off)
        return wider

    def to_dict(self) -> dict[str, Any]:
        """Return its fields for `scene.yaml`; of a scale that is not assumed only the basis."""
        fields: dict[str, Any] = {"basis": self.basis.value}
        if self.basis is ScaleBasis.ASSUMED:
            fields |= {"relative_sigma": self.relative_sigma, "anchor": list(self.anchor)}
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> MapScale:
        """Make it from what `to_dict` gave.

        Raises:
            KeyError, TypeError, ValueError: a field is missing, or none of its kind.
            GeometryError: the fields are no scale.
        """
        basis = ScaleBasis(fields["basis"])
        if basis is not ScaleBasis.ASSUMED:
            return cls(basis)
        x, y, z = (float(value) for value in fields["anchor"])
        return cls(basis, float(fields["relative_sigma"]), (x, y, z))


MEASURED, UNKNOWN = MapScale(), MapScale(ScaleBasis.UNKNOWN)
