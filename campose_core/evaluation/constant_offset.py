"""Errors that are one and the same everywhere: not the localizer's, but of frames that are taken for each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.evaluation.estimates import Estimates
from campose_core.geometry import Pose, rotation_angle
from campose_core.trajectory import Trajectory

MIN_POSES = 10
MIN_M, MIN_DEG = 0.05, 2.0  # of an offset: less is the localizer's own error
LEFT = 0.2  # of the median errors, at most, when the offset is taken away


def constant_offset(estimates: Estimates, truth: Trajectory) -> str:
    """Say that all answers are off by the same, in which frame, and what to look at; empty where they are not.

    true = estimate * offset, of a body that is another (the camera on the robot), or true = offset * estimate, of
    another map.
    """
    pairs = [(pose, true) for stamp_ns, pose in estimates.trajectory if (true := truth.at(stamp_ns)) is not None]
    if len(pairs) < MIN_POSES:
        return ""
    before_m, before_deg = _medians([pose.inverse() * true for pose, true in pairs])
    if before_m < MIN_M and before_deg < MIN_DEG:
        return ""
    in_body = _offset([pose.inverse() * true for pose, true in pairs])
    in_map = _offset([true * pose.inverse() for pose, true in pairs])
    left_in_body = _left(pairs, lambda pose: pose * in_body)
    left_in_map = _left(pairs, lambda pose: in_map * pose)
    is_body = left_in_body <= left_in_map
    offset, (left_m, left_deg) = (in_body, left_in_body) if is_body else (in_map, left_in_map)
    if left_m > max(LEFT * before_m, MIN_M / 2) or left_deg > max(LEFT * before_deg, MIN_DEG / 2):
        return ""
    x, y, z = offset.translation
    angle_deg = float(np.degrees(rotation_angle(offset.rotation)))
    where, advice = (
        ("in the frame of the robot", "is the reference of the camera, and base_from_camera right?")
        if is_body
        else ("in the map", "is the reference in the frame of this map?")
    )
    return (
        f"All answers are off by the same, {x:.2f} {y:.2f} {z:.2f} m and {angle_deg:.1f} deg {where} (without it: "
        f"{left_m:.3f} m, {left_deg:.2f} deg): {advice}"
    )


def _offset(offsets: list[Pose]) -> Pose:
    """Return the pose in the middle of those that agree: a few are wrong answers."""
    rotations = Rotation.concatenate([offset.rotation for offset in offsets])
    translations = np.array([offset.translation for offset in offsets])
    middle = rotations.mean()
    for _ in range(3):
        angles = rotation_angle(middle.inv() * rotations)
        middle = rotations[angles <= np.median(angles)].mean()
    return Pose(middle, np.median(translations, axis=0))


def _left(pairs: list[tuple[Pose, Pose]], corrected: Callable[[Pose], Pose]) -> tuple[float, float]:
    return _medians([corrected(pose).inverse() * true for pose, true in pairs])


def _medians(errors: list[Pose]) -> tuple[float, float]:
    metres = np.array([np.linalg.norm(error.translation) for error in errors])
    radians = np.array([float(rotation_angle(error.rotation)) for error in errors])
    return float(np.median(metres)), float(np.degrees(np.median(radians)))
