"""How well an alignment fits, in numbers: its own residual, and by how much other sources differ from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Residual:
    """What a method can say of its own fit; None is what it does not say.

    Counts of what it rests on: frames, pairs (of points), markers, fixes (of GPS) and jumped, segments (stretches of
    odometry) and slipped (both left out); level_planes, upright_planes. How far what counts is off: median_m, p95_m,
    max_m, median_deg; bent_m, bent_deg: what of it is alike in neighbours, no noise. Standard deviations of the frame:
    scale_percent (of markers: by how much their size contradicts their places), tilt_deg, heading_deg, sigma_m (of one
    fix). height_m: of the camera above the floor, where that gave the scale. drift_m, drift_deg: where odometry thinks
    the last pose is, after path_m. mounting_m, mounting_deg: how far a camera sits from where it was said to. near,
    free: shares of the walls that lie on a floor map, and of what was seen through that is free there; second: of the
    next best place. posture_deg, level_deg: by how much cameras and planes miss level.
    """

    frames: float | None = None
    pairs: float | None = None
    markers: float | None = None
    fixes: float | None = None
    jumped: float | None = None
    segments: float | None = None
    slipped: float | None = None
    height_m: float | None = None
    scale_percent: float | None = None
    tilt_deg: float | None = None
    median_m: float | None = None
    p95_m: float | None = None
    max_m: float | None = None
    bent_m: float | None = None
    bent_deg: float | None = None
    sigma_m: float | None = None
    median_deg: float | None = None
    heading_deg: float | None = None
    drift_m: float | None = None
    drift_deg: float | None = None
    path_m: float | None = None
    mounting_m: float | None = None
    mounting_deg: float | None = None
    near: float | None = None
    free: float | None = None
    second: float | None = None
    level_planes: float | None = None
    upright_planes: float | None = None
    posture_deg: float | None = None
    level_deg: float | None = None

    def to_dict(self) -> dict[str, float]:
        """Return what is known, by name: for `scene.yaml` and people."""
        return {name: value for name, value in vars(self).items() if value is not None}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Residual:
        """Make it from what `to_dict` gave."""
        return cls(**{field.name: float(saved[field.name]) for field in fields(cls) if field.name in saved})

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:.4g}" for name, value in self.to_dict().items())


@dataclass(frozen=True)
class Check:
    """How a source that was not applied differs from the one that was; None where one of them does not say.
    translation_m: median over the camera path. agree: whether that is within what both claim to know."""

    method: str
    scale_ratio: float | None = None
    tilt_deg: float | None = None
    rotation_deg: float | None = None
    translation_m: float | None = None
    agree: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return its fields for `scene.yaml`."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Check:
        """Make it from what `to_dict` gave.

        Raises:
            KeyError: it does not say which source it is of.
        """
        return cls(saved["method"], **{f.name: saved[f.name] for f in fields(cls)[1:] if f.name in saved})

    def difference(self) -> str:
        """Say by how much the source differs, for people."""
        parts = [
            f"scale by {100 * (self.scale_ratio - 1):+.1f} %" if self.scale_ratio is not None else "",
            f"level by {_short(self.tilt_deg)} deg" if self.tilt_deg is not None else "",
            f"rotation by {_short(self.rotation_deg)} deg" if self.rotation_deg is not None else "",
            f"place by {_short(self.translation_m)} m" if self.translation_m is not None else "",
        ]
        return ", ".join(part for part in parts if part) or "nothing in common"


def _short(number: float) -> str:
    """Write two digits, and of a large number all that stand before the point."""
    return f"{number:.2g}" if abs(number) < 99.5 else f"{number:.0f}"
