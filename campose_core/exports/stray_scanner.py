"""Stray Scanner (iPhone, iPad): a video, and ARKit's pose for each of its frames.

As https://github.com/strayrobots/scanner has it (docs/format.md; StrayScanner/Helpers/OdometryEncoder.swift): a row of
odometry.csv is world_from_camera of the video's frame of that number, its quaternion turned by half a turn about x, so
that the camera's axes are OpenCV's; the world is ARKit's, y up. Later versions add fx, fy, cx, cy of each frame.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from campose_core.camera import Camera
from campose_core.errors import CaptureError
from campose_core.exports.export import Z_UP_FROM_Y_UP, Export, ExportedFrame
from campose_core.exports.fields import AGAIN, camera, numbers, quaternion_pose, stamp_ns
from campose_core.files import read_text
from campose_core.geometry import Array

PROGRAM = "Stray Scanner"
FORM = "folder with `rgb.mp4`, `odometry.csv`, `camera_matrix.csv`"
BRINGS = ("stamps", "intrinsics", "poses", "metres")
NOTE = "ARKit, so that z is up; intrinsics of each image where the app wrote them"
COLUMNS = ("timestamp", "frame", "x", "y", "z", "qx", "qy", "qz", "qw")


def recognizes(path: Path) -> bool:
    """Tell whether a folder is one, by the names of its tables."""
    return (path / "odometry.csv").is_file() and (path / "camera_matrix.csv").is_file()


def read(path: Path) -> Export:
    """Read the tables.

    Raises:
        CaptureError: the video is missing, or a table is damaged.
    """
    video = path / "rgb.mp4"
    if not video.is_file():
        raise CaptureError(f"{path}: rgb.mp4 is missing beside odometry.csv: copy the whole folder from the phone")
    matrix = _matrix(path / "camera_matrix.csv")
    table = path / "odometry.csv"
    reader = csv.reader(read_text(table, CaptureError).splitlines(), skipinitialspace=True)
    names = [name.strip() for name in next(reader, [])]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise CaptureError(f"{table}: the first line should name the column {missing[0]}: update the app, and {AGAIN}")
    frames = []
    for values in reader:
        if not any(map(str.strip, values)):
            continue
        row, where = dict(zip(names, map(str.strip, values), strict=False)), f"{table}:{reader.line_num}"
        if not set(COLUMNS) <= row.keys():
            raise CaptureError(f"{where}: has {len(values)} of {len(names)} values: copy it from the phone once more")
        pose = quaternion_pose([row[n] for n in COLUMNS[5:]], [row[n] for n in COLUMNS[2:5]], where)
        frames.append(
            ExportedFrame(
                int(numbers([row["frame"]], 1, where, "frame")[0]),
                stamp_ns(row["timestamp"], where),
                _camera(row, matrix, where),
                Z_UP_FROM_Y_UP * pose,
            )
        )
    return Export(PROGRAM, path, tuple(frames), video=video)


def _matrix(path: Path) -> Array:
    rows = [line.replace(",", " ").split() for line in read_text(path, CaptureError).splitlines() if line.strip()]
    found = numbers([value for row in rows for value in row], 9, path, "the camera matrix").reshape(3, 3)
    # The app wrote columns as rows at first; the principal point is where the two zeros are not.
    matrix = found.T if np.any(found[2, :2]) else found
    if matrix[0, 0] <= 0 or matrix[1, 1] <= 0 or matrix[0, 2] <= 0 or matrix[1, 2] <= 0:
        raise CaptureError(f"{path}: this is no camera matrix: {AGAIN}")
    return matrix


def _camera(row: Mapping[str, str], matrix: Array, where: str) -> Camera:
    """Return the camera of a frame; its size, which no table has, follows from the principal point in the middle."""
    named = [row.get(name, "") for name in ("fx", "fy", "cx", "cy")]
    params = numbers(named, 4, where, "fx, fy, cx, cy") if all(named) else matrix[[0, 1, 0, 1], [0, 1, 2, 2]]
    width, height = 2 * round(params[2]), 2 * round(params[3])
    return camera(width, height, params, where)
