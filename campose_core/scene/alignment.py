"""Where a reconstruction lies in the map frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from campose_core.geometry import Similarity, lasting_quat, rotation_from_quat_xyzw
from campose_core.map_scale import MEASURED, MapScale
from campose_core.residual import Check, Residual


@dataclass(frozen=True)
class Alignment:
    """Where the reconstruction lies in the map frame, how that was found, and how well it fits.

    residual: what the method can say of its fit. checks: what other sources say, each by how much it differs.
    origin: where on the earth the map's origin lies (latitude_deg, longitude_deg, altitude_m), when that is known.
    scale: what its metres rest on; measured where scene.yaml does not say.
    """

    map_from_sfm: Similarity
    method: str
    residual: Residual = field(default_factory=Residual)
    checks: tuple[Check, ...] = ()
    origin: dict[str, float] = field(default_factory=dict)
    scale: MapScale = MEASURED

    def to_dict(self) -> dict[str, Any]:
        """Return its fields for `scene.yaml`; an unknown origin and a measured scale are left out."""
        similarity = self.map_from_sfm
        return {
            "method": self.method,
            "scale": similarity.scale,
            "quat_xyzw": [float(v) for v in lasting_quat(similarity.rotation)],
            "translation": [float(v) for v in similarity.translation],
            "residual": self.residual.to_dict(),
            "checks": [check.to_dict() for check in self.checks],
            **({"origin": self.origin} if self.origin else {}),
            **({"scale_basis": self.scale.to_dict()} if self.scale != MEASURED else {}),
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Alignment:
        """Make it from what `to_dict` gave.

        Raises:
            KeyError, TypeError, ValueError: a field is missing, or none of its kind.
            GeometryError: the numbers are no similarity.
        """
        rotation = rotation_from_quat_xyzw(fields["quat_xyzw"])
        similarity = Similarity(float(fields["scale"]), rotation, fields["translation"])
        checks = tuple(Check.from_dict(check) for check in fields.get("checks", []))
        residual, origin = Residual.from_dict(fields.get("residual", {})), dict(fields.get("origin", {}))
        scale = MapScale.from_dict(fields["scale_basis"]) if "scale_basis" in fields else MEASURED
        return cls(similarity, str(fields["method"]), residual, checks, origin, scale)
