"""What one method makes of one set, and how it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from campose_core.geometry import Pose

Poses = dict[str, Pose]
Answered = dict[str, Pose | None]  # by frame; None is LOST


@dataclass(frozen=True)
class Answers:
    """Poses are map_from_cam in the method's own map, by frame (`RECORDING/STAMP_NS`).

    frames: of the mapping recordings, as the method was given them; mapped: those that have a pose. queries: of all
    query recordings, query_wrong* as well. foreign: of other sets' queries in this map, by set. seconds: for the map
    and for the set's own queries. absolute: whether the map lies in the frame of the set's truth by itself. error: one
    line, where there is no map, or something failed on the way.
    """

    method: str
    frames: int = 0
    mapped: Poses = field(default_factory=dict)
    queries: Answered = field(default_factory=dict)
    foreign: dict[str, Answered] = field(default_factory=dict)
    seconds: float = 0.0
    held_out_share: float | None = None
    absolute: bool = False
    error: str | None = None
    notes: dict[str, Any] = field(default_factory=dict)


def poses_to_json(poses: Mapping[str, Pose | None]) -> dict[str, list[float] | None]:
    """x, y, z, qx, qy, qz, qw of each."""
    return {key: [*pose.translation, *pose.quat_xyzw] if pose else None for key, pose in poses.items()}


def answered_from_json(rows: Mapping[str, list[float] | None]) -> Answered:
    return {key: Pose.from_quat_xyzw(row[3:], row[:3]) if row else None for key, row in rows.items()}


def poses_from_json(rows: Mapping[str, list[float] | None]) -> Poses:
    return {key: pose for key, pose in answered_from_json(rows).items() if pose}
