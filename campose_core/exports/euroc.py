"""EuRoC's folders, which is the ASL format (Burri et al., "The EuRoC micro aerial vehicle datasets", IJRR 2016).

https://projects.asl.ethz.ch/datasets/euroc-mav: mav0/cam0/ holds data.csv (`timestamp [ns],filename`), data/ and
sensor.yaml with `T_BS`, body_from_sensor, and intrinsics in OpenCV's terms;
mav0/state_groundtruth_estimate0/data.csv gives p_RS_R and q_RS (w, x, y, z) of the body in the world, z up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.errors import CaptureError, GeometryError
from campose_core.exports.export import Export, ExportedFrame
from campose_core.exports.fields import AGAIN, matrix_pose, numbers, read_yaml
from campose_core.files import read_text
from campose_core.geometry import Pose
from campose_core.trajectory import Trajectory

PROGRAM = "EuRoC (ASL)"
FORM = "folder with `mav0/cam0`, `mav0/state_groundtruth_estimate0`; or one `camN`"
BRINGS = ("stamps", "intrinsics", "poses", "metres")
NOTE = "z is up; the camera sits where `T_BS` says"
TRUTH = "state_groundtruth_estimate0"


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
    fields = read_yaml(sensor)
    body_from_cam = _mounting(fields, sensor)
    listed = [(int(_whole(row[0], where)), row[1].strip()) for row, where in _rows(table, 2)]
    listed.sort()
    poses = _poses(folder.parent / TRUTH / "data.csv", [stamp for stamp, _ in listed])
    one = _camera(fields, sensor)
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


def _poses(path: Path, stamps: list[int]) -> dict[int, Pose]:
    """Return world_from_body at these stamps, where the ground truth covers them."""
    if not path.is_file():
        return {}
    truth = {_whole(row[0], where): numbers(row[1:8], 7, where, "p_RS_R and q_RS") for row, where in _rows(path, 8)}
    if not truth or any(np.linalg.norm(values[3:]) < 1e-6 for values in truth.values()):
        raise CaptureError(f"{path}: holds no poses, or a quaternion of zeros: download the sequence once more")
    table = np.array([truth[stamp] for stamp in sorted(truth)])
    rotations = Rotation.from_quat(table[:, [4, 5, 6, 3]])  # q_RS begins with w
    trajectory = Trajectory(np.array(sorted(truth), dtype=np.int64), table[:, :3], rotations)
    return dict(trajectory.interpolate(np.unique(np.array(stamps, dtype=np.int64)))[1])


def _mounting(fields: dict[str, Any], path: Path) -> Pose:
    given = fields.get("T_BS")
    if not isinstance(given, dict) or "data" not in given:
        raise CaptureError(f"{path}: T_BS, the camera on the body, is missing: {AGAIN}")
    return matrix_pose(given["data"], f"{path}: T_BS")


def _camera(fields: dict[str, Any], path: Path) -> Camera:
    size = numbers(fields.get("resolution"), 2, path, "resolution")
    fx, fy, cx, cy = numbers(fields.get("intrinsics"), 4, path, "intrinsics")
    model = str(fields.get("distortion_model", "")).replace("-", "_")
    terms = list(np.asarray(fields.get("distortion_coefficients") or [], dtype=object).reshape(-1))
    terms = [float(value) for value in numbers(terms, len(terms), path, "distortion_coefficients")]
    names = {"radial_tangential": "plumb_bob", "none": "plumb_bob", "": "plumb_bob"}
    try:
        return Camera.from_camera_info(
            int(size[0]), int(size[1]), (fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0), terms, names.get(model, model)
        )
    except GeometryError as error:
        raise CaptureError(
            f"{path}: the lens {model!r} is not understood, give it with --camera FILE: {error}"
        ) from error
