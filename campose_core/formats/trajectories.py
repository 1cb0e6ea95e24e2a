"""Trajectories: where the camera, or a body with it, was when.

`read_trajectory` takes whatever program wrote them; what it leaves out or turns it says in a line.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from campose_core.errors import TrajectoryError
from campose_core.files import read_text
from campose_core.formats.catalogue import Format
from campose_core.formats.column_names import Layout, named_layout
from campose_core.formats.matrix_rows import of_images
from campose_core.formats.optitrack import is_optitrack, read_optitrack
from campose_core.formats.pose_rows import (
    TUM,
    UNSEEN,
    Row,
    are_numbers,
    begin_of_rows,
    counted_layout,
    rows_from,
    stamped_numbers,
    value_of,
)
from campose_core.formats.row_stamps import LOOKED_AT, alike_stamps, stamp_ns, unit_of_stamps
from campose_core.geometry import FARTHEST_M, Array
from campose_core.text import quoted
from campose_core.trajectory import Stamps, Trajectory, are_poses

log = logging.getLogger(__name__)

STRAY_SCANNER = ["timestamp", "frame", "x", "y", "z", "qx", "qy", "qz", "qw"]
Z_UP_FROM_Y_UP = Rotation.from_euler("x", 90, degrees=True)
# The numbers of their lines, stamps in nanoseconds, poses (N, 7).
Rows = tuple[Sequence[int], Sequence[int] | Stamps, Array]
# What is left out, by its reason, as it is said.
REPEATED = "repeated"
ROUNDED = 1e-6  # metres, and of a quaternion: the last digit that programs write

GIVEN = "`--reference`, `--poses`, `--tracker`, `evaluate`"
FORMATS = (
    Format(
        "TUM: `stamp x y z qx qy qz qw`",
        "TUM RGB-D, evo, ORB-SLAM2 and 3, campose",
        GIVEN,
        ("stamps", "poses"),
        "apart by blanks, tabs, `,` or `;`; seconds, or milli-, micro- or nanoseconds that are a date, or nanoseconds "
        "by their steps, and asked for where these may be two; metres where the program knows them",
    ),
    Format(
        "a table whose first line names `stamp_s` or `stamp_ns` (or `timestamp`, `time`, `t`), x, y, z, qx, qy, qz, qw",
        "campose's own `frames.csv`, MCD, OKVIS, bags as CSV (`rostopic echo -p`, bagpy, PlotJuggler)",
        GIVEN,
        ("stamps", "poses", "metres"),
        "also in a comment, in any order, other columns are ignored; a unit in brackets or behind `_` counts, also "
        "spelled out; a header's stamp before that of receipt",
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
    _refuse_json(path, text)
    if is_optitrack(text):
        found = _seen(path, *_motive_rows(path, text))
        log.info(f"{path}: Motive's y axis is up: turned, so that z is; its stamps begin with the take")
        return _trajectory(*found, frame_id, child_frame_id, Z_UP_FROM_Y_UP)
    lines = text.splitlines()
    names, begin = begin_of_rows(path, lines)
    if names and names[0] and are_numbers(names[:1]):
        raise TrajectoryError(f"{path}: {_no_names(names)}")
    if begin == len(lines) and not names:
        raise TrajectoryError(f"{path}: holds no pose")
    layout = named_layout(path, names) if names else counted_layout(path, lines, begin)
    if begin == len(lines):
        raise TrajectoryError(f"{path}: holds no pose")
    if layout.stamp is None:
        return of_images(path, list(rows_from(lines, begin)), frame_id, child_frame_id)
    first = next(rows_from(lines, begin))
    unit = layout.unit or _unit(path, lines, begin, layout.stamp)
    plain = _plain(lines, begin, layout, first, unit)
    rows, stamps, values = plain or _by_rows(path, lines, begin, layout, first, unit, bool(names))
    values[:, :3] *= layout.metres
    found = _seen(path, rows, stamps, values)
    if [name.strip().lower() for name in names[: len(STRAY_SCANNER)]] == STRAY_SCANNER:
        log.info(f"{path}: ARKit's y axis is up: turned, so that z is")
        return _trajectory(*found, frame_id, child_frame_id, Z_UP_FROM_Y_UP)
    return _trajectory(*found, frame_id, child_frame_id)


def _refuse_json(path: Path, text: str) -> None:
    if not text.lstrip().startswith(("{", "[")):
        return
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return
    beside = path.with_suffix(".tum")
    cure = f"its poses are in {beside}" if beside.is_file() else f"write a line `{TUM.names}` for each pose"
    raise TrajectoryError(f"{path}: this is JSON, and poses are read from lines of a text: {cure} (docs/formats.md)")


def _unit(path: Path, lines: Sequence[str], begin: int, stamp: int) -> str:
    rows = islice(rows_from(lines, begin), LOOKED_AT)
    return unit_of_stamps(["".join(row.fields[stamp : stamp + 1]) for row in rows], str(path))  # a row may end before


def _plain(lines: Sequence[str], begin: int, layout: Layout, first: Row, unit: str) -> Rows | None:
    """Read a table of numbers at once; None where a line is no such row, or one that must be named."""
    delimiter = "," if "," in first.text else None
    assert layout.stamp is not None
    if layout.nanoseconds is not None:
        return None
    table = stamped_numbers(lines[begin:], len(first.fields), layout.stamp, layout.pose, delimiter)
    if table is None:
        return None
    texts, numbers = table
    stamps: Sequence[int] | Stamps | None = alike_stamps(texts, unit)
    try:
        stamps = [stamp_ns(text.strip(), unit, "") for text in texts.tolist()] if stamps is None else stamps
    except TrajectoryError:
        return None
    return range(begin + 1, len(lines) + 1), stamps, numbers


def _by_rows(path: Path, lines: Sequence[str], begin: int, layout: Layout, first: Row, unit: str, named: bool) -> Rows:
    """Read rows one by one: with cells that are empty, comments, words in other columns.

    Raises:
        TrajectoryError: one of them is no such row.
    """
    assert layout.stamp is not None
    last = max(layout.stamp, layout.nanoseconds or 0, *layout.pose)
    rows = []
    for row in rows_from(lines, begin):
        where = f"{path}:{row.number}"
        missing = last + 1 - len(row.fields)
        empty_cells = re.search("[,;]", row.text) and (named or not any(map(str.strip, row.fields[1:])))
        fields = [*row.fields, *[""] * missing] if empty_cells else row.fields
        wrong = not named and (len(fields) != len(first.fields) or not are_numbers(fields))
        if wrong or (missing > 0 and not empty_cells):
            raise TrajectoryError(f"{where}: expected `{layout.names}`, got {row.text[:200]!r}")
        stamp = fields[layout.stamp]
        if layout.nanoseconds is not None:
            stamp = _in_two(stamp, fields[layout.nanoseconds])
        rows.append(_row(where, row.number, stamp, unit, [fields[i] for i in layout.pose]))
    return _columns(rows)


def _in_two(seconds: str, nanoseconds: str) -> str:
    """Return decimal seconds of a stamp whose seconds and nanoseconds stand in two columns, else what is no number."""
    whole = (seconds.strip().removesuffix(".0"), nanoseconds.strip().removesuffix(".0"))
    return f"{whole[0]}.{whole[1]:0>9}" if all(map(str.isdecimal, whole)) and len(whole[1]) <= 9 else " ".join(whole)


def _motive_rows(path: Path, text: str) -> Rows:
    rows = []
    for number, seconds, texts, metres in read_optitrack(path, text):
        _, stamp, values = _row(f"{path}:{number}", number, seconds, "s", texts)
        rows.append((number, stamp, [metres * value for value in values[:3]] + values[3:]))
    return _columns(rows)


def _row(where: str, number: int, stamp: str, unit: str, texts: Sequence[str]) -> tuple[int, int, list[float]]:
    values = _numbers(texts, where)
    # Of a row without a pose the stamp may be missing too.
    return number, 0 if any(map(math.isnan, values)) else stamp_ns(stamp.strip(), unit, where), values


def _columns(rows: Sequence[tuple[int, int, list[float]]]) -> Rows:
    table = np.array([values for *_, values in rows]).reshape(-1, 7)  # of no row too
    return [number for number, _, _ in rows], [stamp for _, stamp, _ in rows], table


def _numbers(texts: Sequence[str], where: str) -> list[float]:
    try:
        return [value_of(text) for text in texts]
    except ValueError:
        raise TrajectoryError(f"{where}: not a pose: {quoted(texts)}") from None


def _seen(path: Path, numbers: Sequence[int], stamps_ns: Sequence[int] | Stamps, table: Array) -> tuple[Stamps, Array]:
    """Return stamps, in their order, and the numbers (N, 7) of the poses; says what is left out.

    numbers: of the lines.
    """
    stamps = np.array(stamps_ns, dtype=np.int64)
    rows = np.flatnonzero(~np.isnan(table).any(axis=1) & table.any(axis=1))  # seven zeros are no pose either
    order = rows[np.argsort(stamps[rows], kind="stable")]
    again = np.flatnonzero(np.diff(stamps[order]) == 0) + 1
    alike = _are_alike(table[order[again]], table[order[again - 1]])
    wrong = [*order[again[~alike]], *order[~are_poses(table[order])]]
    if wrong:
        _refuse(f"{path}:{numbers[min(wrong)]}", int(stamps[min(wrong)]), table[min(wrong)])
    left_out = {UNSEEN: len(table) - len(rows), REPEATED: len(again)}
    said = [f"{count} rows {why}" for why, count in left_out.items() if count]
    order = np.delete(order, again)
    if not len(order):
        raise TrajectoryError(", ".join([f"{path}: holds no pose", *said]))
    if said:
        log.info(f"{path}: {len(order)} poses; left out: {', '.join(said)}")
    return stamps[order], table[order]


def _are_alike(ones: Array, others: Array) -> NDArray[np.bool_]:
    """Tell which rows (N, 7) are the same pose, be it rounded, or with the other sign of the quaternion."""
    signs = np.where((ones[:, 3:] * others[:, 3:]).sum(axis=1) < 0, -1.0, 1.0)
    apart = np.hstack([ones[:, :3] - others[:, :3], signs[:, None] * ones[:, 3:] - others[:, 3:]])
    return np.asarray(np.abs(apart).max(axis=1, initial=0.0) <= ROUNDED)


def _refuse(where: str, stamp: int, values: Array) -> NoReturn:
    if are_poses(values[None])[0]:
        raise TrajectoryError(f"{where}: the stamp {stamp / 1e9:.9f} appears twice, with another pose")
    said = f"{where}: not a pose: {' '.join(f'{value:g}' for value in values)}"
    if not np.abs(values[:3]).max() <= FARTHEST_M:
        raise TrajectoryError(f"{said}: farther away than {FARTHEST_M:g} m")
    raise TrajectoryError(
        f"{said}, whose last four numbers are a quaternion of length {math.hypot(*values[3:]):.4g} and not 1: write "
        "quaternions, no angles"
    )


def _trajectory(
    stamps_ns: Stamps, table: Array, frame_id: str, child_frame_id: str, world: Rotation | None = None
) -> Trajectory:
    """world: a turn of the frame that the poses are in."""
    positions, rotations = table[:, :3], Rotation.from_quat(table[:, 3:])
    if world is not None:
        positions, rotations = world.apply(positions), world * rotations
    return Trajectory(stamps_ns, positions, rotations, frame_id, child_frame_id)


def _no_names(fields: Sequence[str]) -> str:
    """Say what is wrong with a first line that is neither names nor numbers."""
    if len(fields) == 10 and are_numbers(fields[:9]):
        return (
            "this is COLMAP's images.txt, cam_from_world without stamps: build from its folder with --colmap, or give "
            "a trajectory, `stamp_s x y z qx qy qz qw`"
        )
    return f"expected `{TUM.names}`, got {quoted(fields)!r} in its first line"
