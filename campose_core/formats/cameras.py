"""Cameras: intrinsics of the image as displayed.

`read_cameras` takes the file of whatever program, and tells these apart by what is in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from campose_core.camera import MODEL_PARAMS
from campose_core.errors import GeometryError
from campose_core.files import read_text
from campose_core.formats import calibrations as read
from campose_core.formats.camera_fields import MATRIX_SHAPES, NamedCamera, Size, Unsized
from campose_core.formats.catalogue import Format
from campose_core.formats.lens_names import LENS_KEYS, plain_key
from campose_core.formats.reconstruction_cameras import FISHEYES, colmap_line, transforms
from campose_core.formats.structured_text import parse
from campose_core.formats.unread_cameras import REMEDY, unread_fields, unread_text

CAMERA = "`--camera FILE`"
CENTRE, CORNER = "pixels from the centre of the first one", "pixels from the corner of the first one"
FORMATS = (
    Format(
        "JSON or YAML: `width`, `height`, `fx`, `fy`, `cx`, `cy`, `k1` ...; or `model`, `params`",
        "by hand, campose",
        CAMERA,
        ("intrinsics",),
        f"{CENTRE}; COLMAP's models and OPENCV_THIN_PRISM",
    ),
    Format(
        "`ost.yaml`, `ost.txt`, `camera_info` YAML, one message of `ros2 topic echo`",
        "ROS camera_calibration, camera_info_manager",
        CAMERA,
        ("intrinsics",),
        CENTRE,
    ),
    Format(
        "camchain: `cam0: {camera_model: pinhole, ...}`",
        "kalibr, OpenVINS",
        CAMERA,
        ("intrinsics",),
        f"{CENTRE}; of several cameras the one whose `rostopic` is read; `radtan`, `equidistant`, `none`",
    ),
    Format("`sensor.yaml`", "EuRoC", CAMERA, ("intrinsics",), CENTRE),
    Format(
        "FileStorage, YAML, XML or JSON: `camera_matrix`, `distortion_coefficients`; `M1`, `D1` ...",
        "OpenCV's calibration",
        CAMERA,
        ("intrinsics",),
        f"{CENTRE}; a fisheye by `fisheye_model`, `model`, `camera_model`, `lens` and the like; without a size that of "
        "the images; of several cameras none",
    ),
    Format(
        "settings: `Camera.fx`, `Camera1.fx` ...; `Camera: {model: ...}`",
        "ORB-SLAM2, ORB-SLAM3, OpenVSLAM, stella_vslam",
        CAMERA,
        ("intrinsics",),
        f"{CENTRE}; PinHole, Rectified, KannalaBrandt8; perspective, fisheye",
    ),
    Format(
        "`model_type`, `projection_parameters`",
        "VINS-Mono, VINS-Fusion (camodocal)",
        CAMERA,
        ("intrinsics",),
        f"{CENTRE}; PINHOLE, KANNALA_BRANDT",
    ),
    Format("`cameras.txt` with one camera", "COLMAP", CAMERA, ("intrinsics",), CORNER),
    Format(
        "`transforms.json` with one camera",
        "nerfstudio, instant-ngp",
        CAMERA,
        ("intrinsics",),
        f"{CORNER}; the middle where there is none",
    ),
    Format(
        "a bare 3x3 matrix, or one filled up to 3x4 or 4x4, apart by blanks, `,` or `;`, with brackets or without",
        "Stray Scanner (`camera_matrix.csv`), ScanNet, numpy, MATLAB",
        CAMERA,
        ("intrinsics",),
        f"{CENTRE}; of images of the size that is read",
    ),
)

# By what tells a kind of file; the first that fits.
KINDS: tuple[tuple[Callable[[dict[str, Any]], bool], Callable[[dict[str, Any], Unsized], list[NamedCamera]]], ...] = (
    (lambda fields: "model_type" in fields and "projection_parameters" in fields, read.camodocal),
    (lambda fields: any(re.fullmatch(r"Camera[12]?\.fx", str(key)) for key in fields), read.orb_slam),
    (lambda fields: isinstance(fields.get("Camera"), dict) and "model" in fields["Camera"], read.orb_slam),
    (lambda fields: bool({"fl_x", "camera_angle_x", "frames"} & set(fields)), transforms),
    (lambda fields: "sensor_type" in fields or {"intrinsics", "resolution"} <= set(fields), read.euroc),
    (lambda fields: any(isinstance(v, dict) and "intrinsics" in v for v in fields.values()), read.kalibr),
    (read.holds_matrix, read.ros_or_opencv),
    (lambda fields: bool({"fx", "f", "params", "model"} & {str(key).lower() for key in fields}), read.ours),
)
BINARY = {".npy", ".npz", ".mat", ".pkl"}
EXPECTED = "expected the keys width, height, model, params (or fx, fy, cx, cy), or a file of docs/formats.md"


def read_cameras(path: Path | str, size_of_images: Callable[[], Size] | None = None) -> list[NamedCamera]:
    """Read the cameras of a file of any of `FORMATS`.

    size_of_images: width and height in pixels, asked for where the file says no size.

    Raises:
        GeometryError: unreadable, of no kind that is known, a key is missing or unknown, or the numbers are no camera.
    """
    path = Path(path)
    if path.suffix.lower() in BINARY:
        raise GeometryError(f"{path}: give the matrix as text, as `numpy.savetxt(path, K)` writes it")
    if path.suffix == ".bin":
        raise GeometryError(f"{path}: give cameras.txt, which `colmap model_converter --output_type TXT` writes")
    text = read_text(path, GeometryError)
    unsized = Unsized(size_of_images or _no_images)
    try:
        return _cameras(path, text, unsized)
    except KeyError as error:
        raise GeometryError(f"{path}: the key {error} is missing") from error
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        raise GeometryError(f"{path}: a number is missing, or is none: {str(error)[:200]}") from error
    except GeometryError as error:
        raise GeometryError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from error


def _cameras(path: Path, text: str, unsized: Unsized) -> list[NamedCamera]:
    lines = [line.split("#")[0].split() for line in text.splitlines()]
    lines = [fields for fields in lines if fields]
    if lines and all(len(fields) > 4 and (fields[1] in MODEL_PARAMS or fields[1] in FISHEYES) for fields in lines):
        return [colmap_line(fields) for fields in lines]
    if lines and all(len(fields) > 4 and fields[0].isdigit() and fields[1].isupper() for fields in lines):
        raise GeometryError(f"COLMAP's camera model {lines[0][1]} is not read; {', '.join(MODEL_PARAMS)} are")
    numbers = _bare_numbers(text)
    if len(numbers) in MATRIX_SHAPES:
        return read.matrix(numbers, unsized)
    if numbers:
        raise GeometryError(f"{len(numbers)} numbers without names; a bare matrix has 9, by rows: {REMEDY}")
    if ["[image]"] in lines and ["camera", "matrix"] in lines:
        return read.ost(text, unsized)
    if unread := unread_text(text):
        raise GeometryError(unread)
    fields = parse(path, text)
    if not isinstance(fields, dict):
        raise GeometryError(EXPECTED)
    cameras = _of_fields(fields, unsized)
    if cameras is None and {"width", "height"} <= set(fields):
        return read.ours(fields, unsized)
    if not cameras:
        raise GeometryError(f"{EXPECTED}; got {', '.join(map(str, fields))[:200]}")
    return cameras


def _of_fields(fields: dict[str, Any], unsized: Unsized) -> list[NamedCamera] | None:
    """Return the cameras of a file's fields, or of those one level below, by their names; None where there are none."""
    if unread := unread_fields(fields):
        raise GeometryError(unread)
    kind = next((reader for fits, reader in KINDS if fits(fields)), None)
    if kind is not None:
        return kind(fields, unsized)
    found = []
    lens = {key: value for key, value in fields.items() if plain_key(key) in LENS_KEYS}  # of all that are below
    for name, inner in fields.items():
        kind = next((reader for fits, reader in KINDS if isinstance(inner, dict) and fits(inner)), None)
        if kind is not None:
            inner = {"named": name, **lens, **inner} if kind is read.ros_or_opencv else inner
            found += [
                camera._replace(name=" ".join(filter(None, (str(name), camera.name))))
                for camera in kind(inner, unsized)
            ]
    return found or None


def _bare_numbers(text: str) -> list[float]:
    """Return the numbers of a text that holds nothing else, as numpy, MATLAB, JSON or a spreadsheet write them; of any
    other none."""
    plain = re.sub(r"#.*", "", text)
    plain = re.sub(r"\A\s*\w+\s*=|\barray\(|\bdtype=\w+|[\[\](){}\"']", " ", plain)
    if re.search(r"\d,\d", plain) and ";" in plain and "." not in plain:
        plain = plain.replace(",", ".")  # decimal commas
    try:
        return [float(field) for field in re.sub(r"[,;\s]+", " ", plain).split()]
    except ValueError:
        return []


def _no_images() -> Size:
    raise GeometryError("says no size of the images: add image_width and image_height")
