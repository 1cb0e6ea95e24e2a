"""Errors that are one and the same everywhere: not the localizer's, but of frames that are taken for each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.errors import AlignmentError
from campose_core.evaluation.estimates import Estimates
from campose_core.geometry import Array, products, rotation_angle
from campose_core.joining.robust_fit import robust_umeyama
from campose_core.trajectory import Trajectory

MIN_POSES = 10
MIN_M, MIN_DEG = 0.05, 2.0  # of an offset: less is the localizer's own error
LEFT = 0.2  # of the median errors, at most, when the offset is taken away
STAYS = 1.2  # times the error that an offset leaves as it was
FITTED = 200  # of all poses: as many tell a scale
SCALED = 0.02  # by which a scale is off at least


class _Poses(NamedTuple):
    """N poses, or one, as arrays: a hundred thousand are one product."""

    rotations: Rotation
    positions: Array

    def inverse(self) -> _Poses:
        rotations = self.rotations.inv()
        return _Poses(rotations, -rotations.apply(self.positions))

    def __mul__(self, other: _Poses) -> _Poses:  # type: ignore[override]
        return _Poses(products(self.rotations, other.rotations), self.rotations.apply(other.positions) + self.positions)


def constant_offset(estimates: Estimates, truth: Trajectory) -> str:
    """Say that all answers are off by the same, in which frame, and what to look at; empty where they are not.

    true = estimate * offset, of a body that is another (the camera on the robot), or true = offset * estimate, of
    another map, which may have another scale.
    """
    answered, true_path = truth.interpolate(estimates.trajectory.stamps_ns)
    if answered.sum() < MIN_POSES:
        return ""
    found = _of(estimates.trajectory.select(answered))
    true = _of(true_path)
    before = before_m, before_deg = _medians(found.inverse() * true)
    if before_m < MIN_M and before_deg < MIN_DEG:
        return ""
    in_body, in_map = _middle(found.inverse() * true), _middle(true * found.inverse())
    left_in_body = _medians((found * in_body).inverse() * true)
    left_in_map = _medians((in_map * found).inverse() * true)
    is_body = left_in_body <= left_in_map
    offset, (left_m, left_deg) = (in_body, left_in_body) if is_body else (in_map, left_in_map)
    scaled = _another_scale(found, true)
    if scaled is not None and scaled.left_m < 0.5 * left_m and _explains(before, (scaled.left_m, scaled.left_deg)):
        return (
            f"All answers are in another frame, {scaled.times:.4g} times as large as the reference (without it: "
            f"{scaled.left_m:.3f} m, {scaled.left_deg:.2f} deg): are both in metres? Monocular SLAM alone has none"
        )
    if not _explains(before, (left_m, left_deg)):
        return ""
    x, y, z = offset.positions
    angle_deg = float(np.degrees(rotation_angle(offset.rotations)))
    where, advice = (
        ("in the frame of the robot", "is the reference of the camera, and base_from_camera right?")
        if is_body
        else ("in the map", "is the reference in the frame of this map?")
    )
    return (
        f"All answers are off by the same, {x:.2f} {y:.2f} {z:.2f} m and {angle_deg:.1f} deg {where} (without it: "
        f"{left_m:.3f} m, {left_deg:.2f} deg): {advice}"
    )


def _explains(before: tuple[float, float], left: tuple[float, float]) -> bool:
    """Tell whether an offset takes away the errors in metres and in degrees, or one and leaves the other as it was."""
    least = MIN_M, MIN_DEG
    gone = [after <= max(LEFT * was, at / 2) for was, after, at in zip(before, left, least, strict=True)]
    stays = [after <= STAYS * was for was, after in zip(before, left, strict=True)]
    matters = any(one and was >= at for one, was, at in zip(gone, before, least, strict=True))
    return matters and all(one or other for one, other in zip(gone, stays, strict=True))


class _Scaled(NamedTuple):
    times: float
    left_m: float
    left_deg: float


def _another_scale(found: _Poses, true: _Poses) -> _Scaled | None:
    """Fit a similarity to those that agree; None where there is none, or its scale is 1."""
    some = np.unique(np.linspace(0, len(found.positions) - 1, FITTED).astype(int))
    try:
        fit = robust_umeyama(found.positions[some], true.positions[some])
    except AlignmentError:  # on a line
        return None
    if abs(fit.scale - 1) < SCALED:
        return None
    off_m = np.linalg.norm(fit.transform(found.positions) - true.positions, axis=1)
    turned = products(fit.rotation * found.rotations, true.rotations.inv())
    return _Scaled(1 / fit.scale, float(np.median(off_m)), float(np.degrees(np.median(rotation_angle(turned)))))


def _of(path: Trajectory) -> _Poses:
    return _Poses(path.rotations, path.positions)


def _middle(offsets: _Poses) -> _Poses:
    """Return the one pose in the middle of those that agree: a few are wrong answers."""
    middle = offsets.rotations.mean()
    for _ in range(3):
        angles = rotation_angle(middle.inv() * offsets.rotations)
        middle = offsets.rotations[angles <= np.median(angles)].mean()
    return _Poses(middle, np.median(offsets.positions, axis=0))


def _medians(errors: _Poses) -> tuple[float, float]:
    metres = np.linalg.norm(errors.positions, axis=1)
    return float(np.median(metres)), float(np.degrees(np.median(rotation_angle(errors.rotations))))
