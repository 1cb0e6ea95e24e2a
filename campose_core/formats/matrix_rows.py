"""Rows of a text file that are 3x4 matrices, one for each image, as KITTI has them."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from campose_core.errors import GeometryError, TrajectoryError
from campose_core.formats.column_names import MATRICES
from campose_core.formats.pose_rows import UNSEEN, Row, are_numbers, value_of
from campose_core.geometry import Pose, is_place
from campose_core.trajectory import FRAME_PERIOD_NS, Trajectory

log = logging.getLogger(__name__)


def of_images(path: Path, rows: Sequence[Row], frame_id: str, child_frame_id: str) -> Trajectory:
    """Read rows without stamps, of matrices (3, 4): the row of each image; of NaN where it has no pose.

    Raises:
        TrajectoryError: a row (named) is no pose, or none is one.
    """
    poses = {}
    for image, row in enumerate(rows):
        where = f"{path}:{row.number}"
        if len(row.fields) != len(rows[0].fields) or not are_numbers(row.fields):
            raise TrajectoryError(f"{where}: expected {MATRICES.names}, got {row.text[:200]!r}")
        values = [value_of(row.fields[i]) for i in MATRICES.pose]
        if all(map(math.isnan, values)):
            continue
        if not is_place(values):
            raise TrajectoryError(f"{where}: expected {MATRICES.names}, got {row.text[:200]!r}")
        try:
            poses[image] = Pose.from_matrix(np.reshape(values, (3, 4)))
        except GeometryError as error:
            raise TrajectoryError(f"{where}: {error}") from error
    if not poses:
        raise TrajectoryError(f"{path}: holds no pose, {len(rows)} rows {UNSEEN}")
    left_out = f"; left out: {len(rows) - len(poses)} rows {UNSEEN}" if len(poses) < len(rows) else ""
    log.info(f"{path}: {len(poses)} poses without stamps: one for each image, in their order{left_out}")
    stamps = np.array(list(poses)) * FRAME_PERIOD_NS
    found = Trajectory.from_poses(stamps, list(poses.values()), frame_id, child_frame_id)
    return replace(found, of_images=len(rows))
