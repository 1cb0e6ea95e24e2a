"""TUM RGB-D (Sturm et al., "A benchmark for the evaluation of RGB-D SLAM systems", IROS 2012).

https://cvg.cit.tum.de/data/datasets/rgbd-dataset/file_formats: rgb.txt lists `stamp file`; groundtruth.txt lists
`stamp tx ty tz qx qy qz qw`, the optical centre of the colour camera in the world of the motion capture, z up. Which of
the three Kinects it was stands in the name of the folder, and its calibration on that page, in OpenCV's terms.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from campose_core.camera import Camera
from campose_core.errors import CaptureError
from campose_core.exports.export import Export, ExportedFrame
from campose_core.exports.fields import refused, stamp_ns
from campose_core.files import read_text
from campose_core.formats.trajectories import read_trajectory
from campose_core.geometry import Pose

PROGRAM = "TUM RGB-D"
FORM = "folder with `rgb.txt`, `rgb/`, `groundtruth.txt`"
BRINGS = ("stamps", "intrinsics", "poses", "metres")
NOTE = "z is up; the published intrinsics where the folder is called freiburg1, 2 or 3"
# fx, fy, cx, cy, k1, k2, p1, p2, k3 of "Intrinsic camera calibration of the Kinect" on that page.
KINECTS = {
    1: (517.3, 516.5, 318.6, 255.3, 0.2624, -0.9531, -0.0054, 0.0026, 1.1633),
    2: (520.9, 521.0, 325.1, 249.7, 0.2312, -0.7849, -0.0033, -0.0001, 0.9172),
    3: (535.4, 539.2, 320.1, 247.6, 0.0, 0.0, 0.0, 0.0, 0.0),
}
MAX_GAP_NS = 100_000_000  # the motion capture takes a hundred a second and loses the camera at times


def recognizes(path: Path) -> bool:
    """Tell whether a folder is one, by the names in it."""
    return (path / "rgb.txt").is_file() and (path / "rgb").is_dir()


def read(path: Path) -> Export:
    """Read the list of colour images, and their poses where there is ground truth (of test sequences there is none).

    Raises:
        CaptureError: a table is damaged.
    """
    table = path / "rgb.txt"
    listed = []
    for number, line in enumerate(read_text(table, CaptureError).splitlines(), start=1):
        fields = line.split("#")[0].split()
        if fields:
            if len(fields) != 2:
                raise CaptureError(f"{table}:{number}: expected `stamp file`: download the sequence once more")
            listed.append((stamp_ns(fields[0], f"{table}:{number}"), path / fields[1]))
    listed.sort()
    poses = _poses(path / "groundtruth.txt", [stamp for stamp, _ in listed])
    kinect = _kinect(path)
    frames = [ExportedFrame(file, stamp, kinect, poses.get(stamp)) for stamp, file in listed]
    return Export(PROGRAM, path, tuple(frames), calibrated=kinect is not None)


def _poses(path: Path, stamps: list[int]) -> dict[int, Pose]:
    if not path.is_file():
        return {}
    with refused():
        truth = read_trajectory(path)
    return dict(truth.interpolate(np.unique(np.array(stamps, dtype=np.int64)), MAX_GAP_NS)[1])


def _kinect(path: Path) -> Camera | None:
    found = re.search(r"(?:freiburg|fr)([123])", path.resolve().name)
    if not found:
        return None
    fx, fy, cx, cy, k1, k2, p1, p2, k3 = KINECTS[int(found[1])]
    return Camera("FULL_OPENCV", 640, 480, (fx, fy, cx, cy, k1, k2, p1, p2, k3, 0.0, 0.0, 0.0))
