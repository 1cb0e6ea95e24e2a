"""Errors that are one and the same everywhere: not the localizer's, but of frames that are taken for each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.evaluation.estimates import Estimates
from campose_core.geometry import Array, products, rotation_angle
from campose_core.trajectory import Trajectory

MIN_POSES = 10
MIN_M, MIN_DEG = 0.05, 2.0  # of an offset: less is the localizer's own error
LEFT = 0.2  # of the median errors, at most, when the offset is taken away


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
    another map.
    """
    answered, true_path = truth.interpolate(estimates.trajectory.stamps_ns)
    if answered.sum() < MIN_POSES:
        return ""
    found = _of(estimates.trajectory.select(answered))
    true = _of(true_path)
    before_m, before_deg = _medians(found.inverse() * true)
    if before_m < MIN_M and before_deg < MIN_DEG:
        return ""
    in_body, in_map = _middle(found.inverse() * true), _middle(true * found.inverse())
    left_in_body = _medians((found * in_body).inverse() * true)
    left_in_map = _medians((in_map * found).inverse() * true)
    is_body = left_in_body <= left_in_map
    offset, (left_m, left_deg) = (in_body, left_in_body) if is_body else (in_map, left_in_map)
    if left_m > max(LEFT * before_m, MIN_M / 2) or left_deg > max(LEFT * before_deg, MIN_DEG / 2):
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
