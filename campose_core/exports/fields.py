"""Values out of an export's files, checked as they are read: a message names the file, what is wrong and the remedy."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.errors import CamposeError, CaptureError, GeometryError
from campose_core.files import read_text
from campose_core.geometry import Array, Pose
from campose_core.trajectory import NO_STAMP, stamp_from_seconds

AGAIN = "export it once more"
MOST_ROUNDED = 0.01  # of an element of a rotation; three digits leave a twentieth of that, 7-Scenes a hundredth


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        CaptureError: it cannot be read, or holds anything else.
    """
    try:
        found = json.loads(read_text(path, CaptureError))
    except (ValueError, RecursionError) as error:
        line = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise CaptureError(f"{path}: this is no JSON{line}, or it was cut off: {AGAIN}") from error
    if not isinstance(found, dict):
        raise CaptureError(f"{path}: expected an object of JSON with named values: {AGAIN}")
    return found


def number(fields: Mapping[str, Any], name: str, where: Path | str) -> float:
    """Return a finite number.

    Raises:
        CaptureError: it is missing, or none.
    """
    if name not in fields:
        raise CaptureError(f"{where}: the value {name!r} is missing: {AGAIN}")
    return float(numbers([fields[name]], 1, where, name)[0])


def numbers(values: Any, count: int, where: Path | str, what: str) -> Array:
    """Return `count` finite numbers, of texts, numbers, or nested lists of them.

    Raises:
        CaptureError: there are more or fewer, or one is none.
    """
    try:
        found = np.asarray(values, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError, OverflowError):
        found = np.zeros(0)
    if len(found) != count or not np.isfinite(found).all():
        raise CaptureError(f"{where}: {what} should be {count} finite numbers: {AGAIN}")
    return found


def stamp_ns(seconds: Any, where: Path | str) -> int:
    """Return nanoseconds of decimal seconds.

    Raises:
        CaptureError: they are no stamp.
    """
    try:
        found = stamp_from_seconds(str(seconds).strip())
    except NO_STAMP:
        found = 2**63
    if abs(found) >= 2**63:
        raise CaptureError(f"{where}: the time stamp {str(seconds)[:40]!r} should be in seconds: {AGAIN}")
    return found


def matrix_pose(values: Any, where: Path | str) -> Pose:
    """Return the pose of a 4x4 or 3x4 matrix, by rows, with the rotation nearest to its own: texts round it.

    Raises:
        CaptureError: it is none.
    """
    count = 12 if np.size(np.asarray(values, dtype=object)) == 12 else 16
    found = numbers(values, count, where, "the matrix of the pose").reshape(-1, 4)
    left, _, right = np.linalg.svd(found[:3, :3])
    nearest = left @ right
    if np.abs(nearest - found[:3, :3]).max() > MOST_ROUNDED or np.linalg.det(nearest) < 0:
        raise CaptureError(f"{where}: the matrix of the pose is no rotation with a translation: {AGAIN}")
    return Pose(Rotation.from_matrix(nearest), found[:3, 3])


def quaternion_pose(quat_xyzw: Any, translation: Any, where: Path | str) -> Pose:
    """Return the pose of a quaternion (x, y, z, w) and a translation (3,).

    Raises:
        CaptureError: they are none.
    """
    quat, place = numbers(quat_xyzw, 4, where, "a quaternion"), numbers(translation, 3, where, "a position")
    try:
        return Pose.from_quat_xyzw(quat, place)
    except GeometryError as error:
        raise CaptureError(f"{where}: the quaternion is zero: {AGAIN}") from error


def camera(width: float, height: float, pinhole: Iterable[float], where: Path | str) -> Camera:
    """Return the camera of fx, fy, cx, cy, with the centre of the first pixel at (0, 0).

    Its lens is open: a matrix says nothing of distortion, which mapping then finds.

    Raises:
        CaptureError: the numbers are none.
    """
    try:
        return with_open_lens(Camera("PINHOLE", int(width), int(height), tuple(pinhole)))
    except GeometryError as error:
        raise CaptureError(f"{where}: {error}") from error


def with_open_lens(camera: Camera) -> Camera:
    """Return a pinhole as the start of OpenCV's lens: a file that names no distortion says nothing of it."""
    if camera.model != "PINHOLE":
        return camera
    return Camera("OPENCV", camera.width, camera.height, (*camera.params, 0.0, 0.0, 0.0, 0.0))


@contextmanager
def refused(where: Path | str = "") -> Iterator[None]:
    """Turn what another reader refuses within the block into the refusal of a recording."""
    try:
        yield
    except CamposeError as error:
        raise CaptureError(f"{where}: {error}" if where else str(error)) from error
    except KeyError as error:
        raise CaptureError(f"{where}: the value {error} is missing: {AGAIN}") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise CaptureError(f"{where}: a number is missing, or is none: {AGAIN}") from error
