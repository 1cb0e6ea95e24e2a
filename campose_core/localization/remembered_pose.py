"""The last sure pose of a robot, kept over a restart in a small JSON file."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from campose_core.errors import CamposeError, LocalizationError
from campose_core.files import read_json, write_text
from campose_core.geometry import Pose
from campose_core.motion.model import UncertainPose

# How far it may have rolled since, one standard deviation: what a search about a prior reaches.
MOVED_M, TURNED_RAD = 0.3, math.radians(5.0)


def remember(path: Path, map_from_base: Pose, stamp_ns: int, scene_digest: str) -> None:
    """Write where the base was, at a stamp, in the map of a scene.

    Raises:
        OSError: the file cannot be written.
    """
    pose = [*map_from_base.translation.tolist(), *map_from_base.quat_xyzw.tolist()]
    write_text(path, json.dumps({"scene_digest": scene_digest, "stamp_ns": stamp_ns, "map_from_base": pose}) + "\n")


def remembered(path: Path, scene_digest: str) -> UncertainPose | None:
    """Read where the base was; None where nothing is remembered yet, or of another map.

    Raises:
        LocalizationError: the file is damaged, or of something else; it should not be written then.
    """
    if not path.exists():
        return None
    try:
        if not path.is_file():
            raise LocalizationError(f"{path} is no file")
        fields = read_json(path, LocalizationError)
        try:
            digest, numbers = str(fields["scene_digest"]), [float(number) for number in fields["map_from_base"]]
            pose = Pose.from_quat_xyzw(numbers[3:], numbers[:3])
        except (CamposeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise LocalizationError(f"{path} holds no remembered pose") from error
    except LocalizationError as error:
        raise LocalizationError(f"{error}; it is left alone: remove it, or name another file") from error
    if digest != scene_digest:
        return None
    return UncertainPose(pose, np.diag([MOVED_M**2] * 3 + [TURNED_RAD**2] * 3))
