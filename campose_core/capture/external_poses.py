"""Poses that something else than this camera's images knows: a tracker, another localizer, a simulation.

From a TUM file, a table with named columns, a topic of a bag, or the export of a capture app or a data set.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from decimal import InvalidOperation
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.bag.clock import AS_RECORDED, BagClock
from campose_core.bag.file import is_bag, open_bag
from campose_core.bag.odometry import ODOMETRY
from campose_core.bag.poses import pose_topics, read_poses
from campose_core.capture.sources.export import ExportedRecording
from campose_core.errors import TrajectoryError, UsageError
from campose_core.exports.table import is_export
from campose_core.files import read_text
from campose_core.trajectory import Trajectory, read_tum, stamp_from_seconds

POSE_COLUMNS = ("x", "y", "z", "qx", "qy", "qz", "qw")
STAMP_COLUMNS = ("stamp_ns", "stamp_s")
# The ground truth of the EuRoC data set and its followers (Burri et al., IJRR 2016): position and quaternion of the
# body in the reference frame, nanoseconds.
EUROC_COLUMNS = ("p_rs_r_x", "p_rs_r_y", "p_rs_r_z", "q_rs_x", "q_rs_y", "q_rs_z", "q_rs_w")
EUROC_STAMP = "timestamp"


def read_outside_poses(path: Path | str, topic: str | None = None, clock: BagClock = AS_RECORDED) -> Trajectory:
    """Read the trajectory in a file (.csv: a table, see `read_pose_table`; others: TUM), a bag, or an export.

    topic: None takes the only pose topic of a bag. The child frame is empty where nothing names the body: only
    odometry does. clock: of the images that the poses are compared with, of the same bag.

    Raises:
        TrajectoryError, CaptureError: missing, damaged, or without poses (the place is named).
        UsageError: a topic for what is no bag.
    """
    path = Path(path)
    if not path.exists():
        raise TrajectoryError(
            f"{path}: no such file or folder; poses come from a TUM file, a CSV table, a bag or an export"
        )
    if is_bag(path):
        trajectory = read_poses(path, topic, clock)
        return trajectory if _names_its_body(path, topic) else replace(trajectory, child_frame_id="")
    if topic is not None:
        raise UsageError(f"{path} is not a bag: leave out the topic {topic}")
    if is_export(path):
        return _exported(path)
    if path.is_dir():
        raise TrajectoryError(
            f"{path} is a folder and not a bag; poses come from a TUM file, a CSV table, a bag or an export"
        )
    if path.suffix.lower() == ".csv":
        return read_pose_table(path)
    return read_tum(path, child_frame_id="")


def read_reference(path: Path) -> Trajectory:
    """Read map_from_cam out of a TUM file or of an export, such as a data set's ground truth.

    Raises:
        TrajectoryError, CaptureError: missing, damaged, or without poses in metres.
    """
    return _exported(path) if is_export(path) else read_tum(path)


def _exported(path: Path) -> Trajectory:
    recording = ExportedRecording(path)
    if not recording.export.metric or not recording.export.posed:
        lacks = "has no poses" if recording.export.metric else "has poses without a scale, as COLMAP makes them"
        raise TrajectoryError(f"{path}: this {recording.export.program} export {lacks}: give poses in metres")
    return recording.trajectory()


def _names_its_body(path: Path, topic: str | None) -> bool:
    with open_bag(path) as bag:
        listed = pose_topics(bag.topics, topic)
    return listed[topic or next(iter(listed))].msgtype == ODOMETRY


def read_pose_table(path: Path) -> Trajectory:
    """Read a CSV whose first line names `stamp_s` or `stamp_ns`, x, y, z (metres), qx, qy, qz, qw, in any order.

    Other columns are ignored; rows may come in any order; rows whose pose is empty (as in frames.csv) say nothing. The
    columns of EuRoC's ground truth are understood as well.

    Raises:
        TrajectoryError: cannot be read, a column is missing, or a row (named) is not a pose at a stamp of its own.
    """
    rows: dict[int, list[float]] = {}
    reader = csv.reader(read_text(path, TrajectoryError).splitlines(), skipinitialspace=True)
    try:
        names = [_plain(name) for name in next(reader, [])]
        stamp_column, columns = _columns(path, names)
        for fields in reader:
            row = dict(zip(names, fields, strict=False))
            texts = [row.get(column, "").strip() for column in columns]
            if not any(texts):
                continue
            where = f"{path}:{reader.line_num}"
            stamp_ns, values = _stamp_ns(row[stamp_column].strip(), stamp_column, where), _numbers(texts, where)
            if stamp_ns in rows:
                raise TrajectoryError(f"{where}: the stamp {row[stamp_column].strip()} appears twice")
            rows[stamp_ns] = values
    except csv.Error as error:
        raise TrajectoryError(
            f"{path}:{reader.line_num}: this line is no row of a CSV table: remove it, or save the table anew"
        ) from error
    if not rows:
        raise TrajectoryError(f"{path}: holds no pose")
    stamps = np.array(sorted(rows), dtype=np.int64)
    table = np.array([rows[int(stamp)] for stamp in stamps])
    return Trajectory(stamps, table[:, :3], Rotation.from_quat(table[:, 3:]), child_frame_id="")


def _plain(name: str) -> str:
    """Return a column's name without its unit in brackets: `#p_RS_R_x [m]` is p_rs_r_x."""
    return name.split("[")[0].strip().lstrip("#").strip().lower()


def _columns(path: Path, names: list[str]) -> tuple[str, tuple[str, ...]]:
    if set(EUROC_COLUMNS) <= set(names) and EUROC_STAMP in names:
        return EUROC_STAMP, EUROC_COLUMNS
    stamps = [name for name in STAMP_COLUMNS if name in names]
    missing = [name for name in POSE_COLUMNS if name not in names]
    if missing or len(stamps) != 1:
        wanted = f"one of {' and '.join(STAMP_COLUMNS)}, and {','.join(POSE_COLUMNS)}"
        raise TrajectoryError(f"{path}: the first line must name the columns {wanted}; got `{','.join(names)}`")
    return stamps[0], POSE_COLUMNS


def _stamp_ns(text: str, column: str, where: str) -> int:
    try:
        stamp_ns = stamp_from_seconds(text) if column == "stamp_s" else int(text)
    except (ValueError, InvalidOperation, OverflowError):
        unit = "seconds" if column == "stamp_s" else "whole nanoseconds"
        raise TrajectoryError(f"{where}: {column} must be in {unit}, got {text!r}") from None
    if abs(stamp_ns) >= 2**63:
        raise TrajectoryError(f"{where}: the stamp {text} must be in seconds, not in nanoseconds")
    return stamp_ns


def _numbers(texts: list[str], where: str) -> list[float]:
    try:
        values = [float(text) for text in texts]
    except ValueError:
        values = []
    if len(values) != 7 or not np.isfinite(values).all() or np.linalg.norm(values[3:]) < 1e-6:
        raise TrajectoryError(f"{where}: not a pose: {','.join(texts)} (leave out rows where the tracker saw nothing)")
    return values
