"""What one source of truth says about the metric frame, how sure it is, and whether two of them can both be right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from campose_core.geometry import Array, Similarity, rotation_angle, width_of
from campose_core.residual import Check
from campose_core.scene.alignment import Alignment

WORST = 0.05  # of the path's width: beyond, a source would agree with anything
SIGMAS = 3.0  # two sources disagree when they differ by more standard deviations than this


@dataclass(frozen=True, eq=False)
class Evidence:
    """One source's word, as far as it goes: all of map_from_sfm, or only scale or up.

    name: as people read it. frame: which frame `alignment` leads to; those of two sources can be compared whole where
    that is the same frame, otherwise only by scale and level. scale: metres per unit of sfm; up: unit vector (3,) in
    sfm. The others are standard deviations: scale_sigma relative, up_deg and turn_deg in degrees, place_m in metres.
    notes: what a person should know of it, a line each.
    """

    name: str
    alignment: Alignment | None = None
    frame: str = ""
    scale: float | None = None
    scale_sigma: float = np.inf
    up: Array | None = None
    up_deg: float = np.inf
    place_m: float = np.inf
    turn_deg: float = np.inf
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Level:
    """The best known up (3,), unit, in sfm. floor: its height along up in sfm, None where it was not seen.

    method: as people read it. up_deg: standard deviation of up.
    """

    method: str
    up: Array
    up_deg: float
    floor: float | None = None


def evidence_of_poses(name: str, alignment: Alignment, path_sfm: Array, frame: str = "map") -> Evidence:
    """Judge an alignment to positions in a fixed frame: as sure as its median residual over the width of the path.

    path_sfm (N, 3): the camera's. The residual does not shrink with the number of poses: neighbours err alike.
    """
    similarity = alignment.map_from_sfm
    across = width(similarity.scale * path_sfm)
    off_m = min(max(sigma(alignment.residual.median_m), 0.005), WORST * across)
    turn_deg = float(np.degrees(np.arctan2(off_m, across)))
    return Evidence(
        name, alignment, frame, similarity.scale, max(off_m / across, 0.002), up_of(similarity), max(turn_deg, 0.2),
        off_m, max(turn_deg, 0.2),
    )  # fmt: skip


def sigma(told: float | None) -> float:
    """Return a standard deviation that was told; infinite where none was."""
    return np.inf if told is None else told


def width(positions: Array) -> float:
    """Return `width_of` positions (N, D), but never zero."""
    return max(width_of(positions), 1e-9)


def up_of(map_from_sfm: Similarity) -> Array:
    """Return the map's z axis (3,), unit, in the sfm frame."""
    return np.asarray(map_from_sfm.rotation.inv().apply([0.0, 0.0, 1.0]))


def compare(applied: Evidence, other: Evidence, path_sfm: Array) -> Check:
    """Measure the difference of two sources over the camera's positions `path_sfm` (N, 3)."""
    within = []
    ratio = tilt = turn = apart = None
    if applied.scale is not None and other.scale is not None:
        ratio = other.scale / applied.scale
        within.append(abs(np.log(ratio)) <= SIGMAS * np.hypot(applied.scale_sigma, other.scale_sigma))
    if applied.up is not None and other.up is not None:
        tilt = angle_deg(applied.up, other.up)
        within.append(tilt <= SIGMAS * np.hypot(applied.up_deg, other.up_deg))
    if applied.alignment and other.alignment and applied.frame == other.frame:
        a, b = applied.alignment.map_from_sfm, other.alignment.map_from_sfm
        turn = float(np.degrees(rotation_angle(a.rotation.inv() * b.rotation)))
        apart = float(np.median(np.linalg.norm(a.transform(path_sfm) - b.transform(path_sfm), axis=1)))
        within.append(turn <= SIGMAS * np.hypot(applied.turn_deg, other.turn_deg))
        within.append(apart <= SIGMAS * np.hypot(applied.place_m, other.place_m))
    return Check(other.name, ratio, tilt, turn, apart, bool(np.all(within)))


def angle_deg(a: Array, b: Array) -> float:
    """Return the angle between two unit vectors (3,), degrees."""
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))


def table(applied: Evidence, checks: Sequence[Check]) -> list[str]:
    """Return lines with the sources side by side, for people."""
    rows = [("source", "scale", "level", "rotation", "place", "")]
    rows.append((applied.name, "applied", "", "", "", ""))
    for check in checks:
        ratio, tilt, turn, apart = check.scale_ratio, check.tilt_deg, check.rotation_deg, check.translation_m
        rows.append(
            (
                check.method,
                "-" if ratio is None else f"{100 * (ratio - 1):+.2f} %",
                "-" if tilt is None else f"{tilt:.2f} deg",
                "-" if turn is None else f"{turn:.2f} deg",
                "-" if apart is None else f"{apart:.3f} m",
                "agrees" if check.agree else "DISAGREES",
            )
        )
    wide = [max(len(row[column]) for row in rows) for column in range(6)]
    return ["  ".join(cell.ljust(size) for cell, size in zip(row, wide, strict=True)).rstrip() for row in rows]
