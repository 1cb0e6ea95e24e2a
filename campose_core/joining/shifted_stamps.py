"""Poses whose stamps are all off by one time: of when an answer came, or of another clock."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campose_core.geometry import rotation_angle
from campose_core.trajectory import Trajectory

MIN_POSES = 10
COMPARED = 200  # of all poses: as many tell
MIN_M, MIN_DEG = 0.05, 2.0  # of an error at the stamps: less is the localizer's own
LEFT = 0.2  # of both errors, at most, where the stamps are moved
SHARE = 0.5  # of the poses, that the reference must have there
LONGEST_S, COARSE_S, FINE_S = 2.0, 0.05, 0.01


class _Fit(NamedTuple):
    metres: float
    degrees: float


def shifted_stamps(found: Trajectory, truth: Trajectory) -> str:
    """Say by how much the stamps of poses, in one frame with the true ones, are off; empty where that tells nothing."""
    some = found.select(np.unique(np.linspace(0, len(found) - 1, COMPARED).astype(int)) if len(found) else [])
    now = _fit(some, truth, 0.0)
    if now is None or (now.metres < MIN_M and now.degrees < MIN_DEG):
        return ""
    best_s = 0.0
    for reach_s, step_s in ((LONGEST_S, COARSE_S), (COARSE_S, FINE_S)):
        shifts = best_s + step_s * np.arange(-round(reach_s / step_s), round(reach_s / step_s) + 1)
        fits = {float(shift): fit for shift in shifts if (fit := _fit(some, truth, float(shift))) is not None}
        best_s = min(fits, key=lambda shift: fits[shift].metres + np.radians(fits[shift].degrees), default=0.0)
    there = _fit(some, truth, best_s)
    if there is None or there.metres > LEFT * now.metres or there.degrees > LEFT * now.degrees:
        return ""
    said = "late" if best_s > 0 else "early"
    return (
        f"All stamps are {abs(best_s):.2f} s {said} against the reference's (without that: {there.metres:.3f} m, "
        f"{there.degrees:.2f} deg, not {now.metres:.3f} m, {now.degrees:.2f} deg): a pose has the stamp of its image, "
        "not of when it was ready; or the clocks differ"
    )


def _fit(found: Trajectory, truth: Trajectory, late_s: float) -> _Fit | None:
    """Return the median errors where the stamps are so late; None where the reference has too few poses there."""
    answered, true = truth.interpolate(found.stamps_ns - round(late_s * 1e9))
    if answered.sum() < max(MIN_POSES, SHARE * len(found)):
        return None
    metres = np.linalg.norm(found.positions[answered] - true.positions, axis=1)
    radians = rotation_angle(true.rotations.inv() * found.rotations[answered])
    return _Fit(float(np.median(metres)), float(np.degrees(np.median(radians))))
