"""Trajectories: where the camera, or a body with it, was when.

`read_trajectory` takes whatever program wrote them; what it leaves out or turns it says in a line.
"""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.errors import GeometryError, TrajectoryError
from campose_core.files import read_text
from campose_core.formats.catalogue import Format
from campose_core.formats.optitrack import is_optitrack, read_optitrack
from campose_core.formats.pose_rows import (
    TUM,
    Layout,
    Row,
    are_numbers,
    counted_layout,
    named_layout,
    split_rows,
    stamp_ns,
    unit_of,
)
from campose_core.geometry import Array, Pose, is_place
from campose_core.text import quoted
from campose_core.trajectory import FRAME_PERIOD_NS, Trajectory, is_pose_row

log = logging.getLogger(__name__)

STRAY_SCANNER = ["timestamp", "frame", "x", "y", "z", "qx", "qy", "qz", "qw"]
Z_UP_FROM_Y_UP = Rotation.from_euler("x", 90, degrees=True)
# What is left out, by its reason, as it is said.
UNSEEN, REPEATED = "without a pose", "repeated"

GIVEN = "`--reference`, `--poses`, `--tracker`, `evaluate`"
FORMATS = (
    Format(
        "TUM: `stamp x y z qx qy qz qw`",
        "TUM RGB-D, evo, ORB-SLAM2 and 3, campose",
        GIVEN,
        ("stamps", "poses"),
        "apart by blanks, tabs, `,` or `;`; seconds, or milli-, micro- or nanoseconds that are a date; metres where "
        "the program knows them",
    ),
    Format(
        "a table whose first line names `stamp_s` or `stamp_ns` (or `timestamp`, `time`, `t`), x, y, z, qx, qy, qz, qw",
        "campose's own `frames.csv`, MCD, bags as CSV",
        GIVEN,
        ("stamps", "poses", "metres"),
        "in any order, other columns are ignored; a unit in brackets, of a stamp also behind `_`, counts",
    ),
    Format(
        "`data.csv` of the ground truth",
        "EuRoC, TUM-VI",
        GIVEN,
        ("stamps", "poses", "metres"),
        "of the body, w first; with and without its first line",
    ),
    Format(
        "`CameraTrajectory.txt` in nanoseconds",
        "ORB-SLAM3 (`SaveTrajectoryEuRoC`)",
        GIVEN,
        ("stamps", "poses"),
        "of the IMU where there is one",
    ),
    Format("poses with `id`", "RTAB-Map (`--poses_format 11`)", GIVEN, ("stamps", "poses", "metres"), "of its base"),
    Format(
        "`stamp tx ty tz qx qy qz qw Pr11 ...`",
        "OpenVINS (`ov_eval`'s recorder)",
        GIVEN,
        ("stamps", "poses", "metres"),
        "of the IMU; covariances are ignored",
    ),
    Format(
        "`vio.csv`, `vins_result_loop.csv`",
        "VINS-Mono, VINS-Fusion",
        GIVEN,
        ("stamps", "poses", "metres"),
        "of the IMU, w first",
    ),
    Format(
        "`odometry.csv`",
        "Stray Scanner",
        GIVEN,
        ("stamps", "poses", "metres"),
        "ARKit's y axis is up: turned, so that z is; its clock is not the video's",
    ),
    Format(
        "CSV of a take with one rigid body",
        "Motive (OptiTrack)",
        "`--tracker`",
        ("stamps", "poses", "metres"),
        "quaternions, any unit of length; its y axis is up: turned, so that z is; seconds since the take began",
    ),
    Format(
        "12 numbers a line",
        "KITTI odometry, `evo_traj --save_as_kitti`, RTAB-Map",
        "`--reference`, `--poses`, `evaluate`",
        ("poses", "metres"),
        "one line for each image, since there are no stamps",
    ),
)


def read_trajectory(path: Path | str, frame_id: str = "map", child_frame_id: str = "camera") -> Trajectory:
    """Read the poses frame_from_child of a text file of any of `FORMATS`.

    Rows without a pose (NaN, or empty) and repeated ones are left out, with a line.

    Raises:
        TrajectoryError: the file is missing, or holds no poses or what may be read in two ways, or a row (named) is no
            pose, or two differ at one stamp.
    """
    path = Path(path)
    text = read_text(path, TrajectoryError)
    if is_optitrack(text):
        taken = _taken(path, _motive_rows(path, text))
        log.info(f"{path}: Motive's y axis is up: turned, so that z is; its stamps begin with the take")
        return _trajectory(*taken, frame_id, child_frame_id, Z_UP_FROM_Y_UP)
    names, rows = split_rows(text)
    if names and are_numbers(names[:1]):
        raise TrajectoryError(f"{path}: {_no_names(names)}")
    if not rows and not names:
        raise TrajectoryError(f"{path}: holds no pose")
    layout = named_layout(path, names) if names else counted_layout(path, rows)
    if not rows:
        raise TrajectoryError(f"{path}: holds no pose")
    if layout.stamp is None:
        return _counted(path, rows, layout, frame_id, child_frame_id)
    unit = layout.unit or unit_of(rows[0].fields[layout.stamp])
    taken = _taken(path, _stamped_rows(path, rows, layout, unit, bool(names)))
    if [name.strip().lower() for name in names[: len(STRAY_SCANNER)]] == STRAY_SCANNER:
        log.info(f"{path}: ARKit's y axis is up: turned, so that z is")
        return _trajectory(*taken, frame_id, child_frame_id, Z_UP_FROM_Y_UP)
    return _trajectory(*taken, frame_id, child_frame_id)


def _stamped_rows(
    path: Path, rows: Sequence[Row], layout: Layout, unit: str, named: bool
) -> Iterable[tuple[str, int, list[float]]]:
    """Yield where each row is, its stamp, and x, y, z, qx, qy, qz, qw; NaN where these are not known."""
    assert layout.stamp is not None
    file, last = str(path), max(layout.stamp, *layout.pose)
    for row in rows:
        where = f"{file}:{row.number}"
        missing = last + 1 - len(row.fields)
        empty_cells = named and re.search("[,;]", row.text)
        fields = [*row.fields, *[""] * missing] if empty_cells else row.fields
        wrong = not named and (len(fields) != len(rows[0].fields) or not are_numbers(fields))
        if wrong or (missing > 0 and not empty_cells):
            raise TrajectoryError(f"{where}: expected `{layout.names}`, got {row.text[:200]!r}")
        values = _numbers([fields[i] for i in layout.pose], where)
        values[:3] = [layout.metres * value for value in values[:3]]
        yield where, 0 if any(map(math.isnan, values)) else stamp_ns(fields[layout.stamp].strip(), unit, where), values


def _motive_rows(path: Path, text: str) -> Iterable[tuple[str, int, list[float]]]:
    for where, seconds, texts, metres in read_optitrack(path, text):
        numbers = _numbers(texts, where)
        yield where, stamp_ns(seconds, "s", where), [metres * value for value in numbers[:3]] + numbers[3:]


def _numbers(texts: Sequence[str], where: str) -> list[float]:
    try:
        return list(map(float, texts))
    except ValueError:  # one is empty, or no number
        pass
    try:
        return [float(text.strip() or "nan") for text in texts]
    except ValueError:
        raise TrajectoryError(f"{where}: not a pose: {quoted(texts)}") from None


def _taken(path: Path, rows: Iterable[tuple[str, int, list[float]]]) -> tuple[list[int], Array]:
    """Return stamps, in their order, and the numbers (N, 7) of the poses."""
    known: dict[int, list[float]] = {}
    left_out: Counter[str] = Counter()
    for where, stamp, values in rows:
        if any(map(math.isnan, values)):
            left_out[UNSEEN] += 1
        elif known.get(stamp) == values:
            left_out[REPEATED] += 1
        elif stamp in known:
            raise TrajectoryError(f"{where}: the stamp {stamp / 1e9:.9f} appears twice, with another pose")
        elif not is_pose_row(values):
            raise TrajectoryError(
                f"{where}: not a pose: {' '.join(f'{value:g}' for value in values)}, whose last four numbers are a "
                f"quaternion of length {math.hypot(*values[3:]):.4g} and not 1: write quaternions, no angles"
            )
        else:
            known[stamp] = values
    if not known:
        raise TrajectoryError(f"{path}: holds no pose{''.join(f', {n} rows {why}' for why, n in left_out.items())}")
    if left_out:
        said = ", ".join(f"{count} rows {why}" for why, count in left_out.items())
        log.info(f"{path}: {len(known)} poses; left out: {said}")
    stamps = sorted(known)
    return stamps, np.array([known[stamp] for stamp in stamps])


def _counted(path: Path, rows: Sequence[Row], layout: Layout, frame_id: str, child_frame_id: str) -> Trajectory:
    """Read rows without stamps, of matrices (3, 4): the row of each image."""
    poses = []
    for row in rows:
        where = f"{path}:{row.number}"
        if len(row.fields) != len(rows[0].fields) or not are_numbers(row.fields):
            raise TrajectoryError(f"{where}: expected {layout.names}, got {row.text[:200]!r}")
        values = [float(row.fields[i] or "nan") for i in layout.pose]
        if not is_place(values):
            raise TrajectoryError(f"{where}: expected {layout.names}, got {row.text[:200]!r}")
        try:
            poses.append(Pose.from_matrix(np.reshape(values, (3, 4))))
        except GeometryError as error:
            raise TrajectoryError(f"{where}: {error}") from error
    log.info(f"{path}: {len(poses)} poses without stamps: one for each image, in their order")
    stamps = np.arange(len(poses)) * FRAME_PERIOD_NS
    return replace(Trajectory.from_poses(stamps, poses, frame_id, child_frame_id), counts_images=True)


def _trajectory(
    stamps: list[int], table: Array, frame_id: str, child_frame_id: str, world: Rotation | None = None
) -> Trajectory:
    """world: a turn of the frame that the poses are in."""
    positions, rotations = table[:, :3], Rotation.from_quat(table[:, 3:])
    if world is not None:
        positions, rotations = world.apply(positions), world * rotations
    return Trajectory(np.array(stamps, dtype=np.int64), positions, rotations, frame_id, child_frame_id)


def _no_names(fields: Sequence[str]) -> str:
    """Say what is wrong with a first line that is neither names nor numbers."""
    if len(fields) == 10 and are_numbers(fields[:9]):
        return (
            "this is COLMAP's images.txt, cam_from_world without stamps: build from its folder with --colmap, or give "
            "a trajectory, `stamp_s x y z qx qy qz qw`"
        )
    return f"expected `{TUM.names}`, got {quoted(fields)!r} in its first line"
