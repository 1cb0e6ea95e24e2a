"""EuRoC's folders, which is the ASL format (Burri et al., "The EuRoC micro aerial vehicle datasets", IJRR 2016).

https://projects.asl.ethz.ch/datasets/euroc-mav: mav0/cam0/ holds data.csv (`timestamp [ns],filename`), data/ and
sensor.yaml with `T_BS`, body_from_sensor, and intrinsics in OpenCV's terms;
mav0/state_groundtruth_estimate0/data.csv gives p_RS_R and q_RS (w, x, y, z) of the body in the world, z up. TUM-VI in
this format has the same of its IMU, which is the body, in mav0/mocap0/data.csv
(https://cvg.cit.tum.de/data/datasets/visual-inertial-dataset).
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.errors import CaptureError
from campose_core.exports.export import Export, ExportedFrame
from campose_core.exports.fields import AGAIN, matrix_pose, refused
from campose_core.files import read_text
from campose_core.formats.cameras import read_cameras
from campose_core.formats.trajectories import read_trajectory
from campose_core.geometry import Pose
from campose_core.yaml_files import read_yaml

PROGRAM = "EuRoC (ASL)"
FORM = "folder with `mav0/cam0`, `mav0/state_groundtruth_estimate0`; or one `camN`"
BRINGS = ("stamps", "intrinsics", "poses", "metres")
NOTE = "z is up; the camera sits where `T_BS` says"
TRUTHS = ("state_groundtruth_estimate0", "mocap0")

log = logging.getLogger(__name__)


def recognizes(path: Path) -> bool:
    """Tell whether a folder is one, its mav0/, or that of one of its cameras, by the names in it."""
    return _camera_folder(path) is not None


def _camera_folder(path: Path) -> Path | None:
    for folder in (path / "mav0" / "cam0", path / "cam0", path):
        if (folder / "data.csv").is_file() and (folder / "sensor.yaml").is_file() and (folder / "data").is_dir():
            return folder
    return None


def read(path: Path) -> Export:
    """Read one camera, cam0 unless another is given by its folder.

    Raises:
        CaptureError: a table is damaged.
    """
    folder = _camera_folder(path)
    assert folder is not None
    table, sensor = folder / "data.csv", folder / "sensor.yaml"
    body_from_cam = _mounting(read_yaml(sensor, CaptureError), sensor)
    listed = [(int(_whole(row[0], where)), row[1].strip()) for row, where in _rows(table, 2)]
    listed.sort()
    poses = _poses(folder.parent, [stamp for stamp, _ in listed])
    with refused():
        one = read_cameras(sensor)[0].camera
    frames = [
        ExportedFrame(folder / "data" / name, stamp, one, poses[stamp] * body_from_cam if stamp in poses else None)
        for stamp, name in listed
    ]
    return Export(PROGRAM, path, tuple(frames))


def _rows(path: Path, least: int) -> list[tuple[list[str], str]]:
    found = []
    for number, line in enumerate(read_text(path, CaptureError).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        row, where = line.split(","), f"{path}:{number}"
        if len(row) < least:
            raise CaptureError(f"{where}: has {len(row)} of {least} values: download the sequence once more")
        found.append((row, where))
    return found


def _whole(text: str, where: str) -> int:
    stamp = text.strip()
    if not (stamp.isascii() and stamp.isdigit() and int(stamp) < 2**63):
        raise CaptureError(f"{where}: the time stamp {stamp[:40]!r} should be whole nanoseconds: {AGAIN}")
    return int(stamp)


def _poses(folder: Path, stamps: list[int]) -> dict[int, Pose]:
    """Return world_from_body at these stamps, where the ground truth beside the cameras covers them."""
    tables = [folder / name / "data.csv" for name in TRUTHS]
    table = next((table for table in tables if table.is_file()), None)
    if table is None:
        log.info(f"{folder}: has neither {' nor '.join(TRUTHS)}: images without poses")
        return {}
    with refused():
        truth = read_trajectory(table)
    return dict(truth.interpolate(np.unique(np.array(stamps, dtype=np.int64)))[1])


def _mounting(fields: Any, path: Path) -> Pose:
    given = fields.get("T_BS") if isinstance(fields, dict) else None
    if not isinstance(given, dict) or "data" not in given:
        raise CaptureError(f"{path}: T_BS, the camera on the body, is missing: {AGAIN}")
    return matrix_pose(given["data"], f"{path}: T_BS")
