"""What is in the camera files of other programs: each function turns the fields of one into cameras.

Pixel centres are at integers (OpenCV, ROS, kalibr) unless the function says otherwise.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from campose_core.camera import MODEL_PARAMS, Camera
from campose_core.errors import GeometryError

Size = tuple[int, int]


class NamedCamera(NamedTuple):
    """A camera of a file. topic: of its images, where the file says it."""

    name: str
    topic: str
    camera: Camera


class Unsized(NamedTuple):
    """How to find the size of the images, width and height, where a file does not say it."""

    of_images: Callable[[], Size]

    def size(self, centre: Sequence[float]) -> Size:
        """Return it, where a principal point of these pixels can be of such images.

        Raises:
            GeometryError: it lies far from their middle, so that the camera was measured at another size.
        """
        width, height = self.of_images()
        if abs(centre[0] - width / 2) > 0.2 * width or abs(centre[1] - height / 2) > 0.2 * height:
            raise GeometryError(
                f"says no size, and its principal point ({centre[0]:g}, {centre[1]:g}) is not near the middle of "
                f"images of {width}x{height} pixels: add the size that it was measured at, image_width and image_height"
            )
        return width, height


def ours(fields: dict[str, Any], unsized: Unsized) -> list[NamedCamera]:
    """Read {width, height, model, params}, or with the parameters by their names; without a model as these tell."""
    names = [str(name) for name in fields]
    model = str(fields["model"]).upper() if "model" in fields else _model_of(names)
    named = fields if "params" not in fields else {}
    params = fields.get("params") or [
        named[name] if name in ("f", "fx", "fy", "cx", "cy") or "model" in fields else named.get(name, 0.0)
        for name in MODEL_PARAMS.get(model, ())
    ]
    unknown = set(names) - {"width", "height", "model", "params", *MODEL_PARAMS.get(model, ())}
    if unknown and model in MODEL_PARAMS:
        raise GeometryError(f"unknown key {min(unknown)!r} for a {model} camera")
    return [_one(Camera(model, int(fields["width"]), int(fields["height"]), tuple(map(float, params))))]


def _model_of(names: Sequence[str]) -> str:
    terms = {name for name in names if re.fullmatch(r"[kps]\d", name)}
    if "f" in names:
        return "RADIAL" if "k2" in terms else "SIMPLE_RADIAL" if terms else "SIMPLE_PINHOLE"
    if not terms & {name for params in MODEL_PARAMS.values() for name in params}:
        return "PINHOLE"
    if "k4" in terms and not terms & {"p1", "p2", "k5", "k6"}:
        raise GeometryError("k1 to k4 are of OPENCV_FISHEYE or of FULL_OPENCV: say which, as `model: OPENCV_FISHEYE`")
    return "OPENCV" if terms <= {"k1", "k2", "p1", "p2"} else "FULL_OPENCV"


def ost(text: str, unsized: Unsized) -> list[NamedCamera]:
    """Read ost.txt, which camera_calibration writes beside ost.yaml: camera_calibration_parsers/src/parse_ini.cpp."""
    words = re.sub(r"#.*", "", text).split()
    k = [float(word) for word in words[words.index("matrix") + 1 :][:9]]
    d = [float(word) for word in words[words.index("distortion") + 1 : words.index("rectification")]]
    size = _int(words[words.index("width") + 1]), _int(words[words.index("height") + 1])
    return [_one(_of_matrix(k, d, "", size))]


def ros_or_opencv(fields: dict[str, Any], unsized: Unsized) -> list[NamedCamera]:
    """Read ROS's camera_info and ost.yaml, and what OpenCV's FileStorage holds after a calibration.

    ros-perception/image_common camera_calibration_parsers/src/parse_yml.cpp; `ros2 topic echo` of sensor_msgs/
    CameraInfo; opencv samples/cpp/tutorial_code/calib3d/camera_calibration/camera_calibration.cpp: saveCameraParams.
    """
    plain = {re.sub(r"[\s_]", "", str(key)).lower(): value for key, value in fields.items()}
    k = _numbers(next(plain[key] for key in MATRIX_KEYS if key in plain), "the camera matrix")
    d = next((_numbers(plain[key], "the distortion") for key in DISTORTION_KEYS if plain.get(key) is not None), [])
    if len(k) != 9:
        raise GeometryError(f"the camera matrix must have 9 numbers, not {len(k)}")
    region = plain.get("roi") if isinstance(plain.get("roi"), dict) else {}
    if any(_int(plain.get(key, 0)) > 1 for key in ("binningx", "binningy")) or _int((region or {}).get("width", 0)):
        raise GeometryError("binning or a region of interest: give the camera matrix of the images as they are")
    model = str(plain.get("distortionmodel", ""))
    if _int(plain.get("fisheyemodel", 0)):
        model = "equidistant"
    return [_one(_of_matrix(k, d, model, _size(plain, unsized, k)), str(plain.get("cameraname", "")))]


MATRIX_KEYS = ("cameramatrix", "k", "intrinsicmatrix", "intrinsics", "mtx", "cammatrix")
DISTORTION_KEYS = (
    "distortioncoefficients", "distcoeffs", "distortioncoeffs", "d", "dist", "distcoeff", "distortion",
)  # fmt: skip


def kalibr(fields: dict[str, Any], unsized: Unsized) -> list[NamedCamera]:
    """Read a camchain: github.com/ethz-asl/kalibr/wiki/yaml-formats. A block without intrinsics is no camera."""
    cameras = []
    for name, block in fields.items():
        if not isinstance(block, dict) or "intrinsics" not in block:
            continue
        model = str(block.get("camera_model", "pinhole"))
        if model != "pinhole":
            raise GeometryError(
                f"{name}: the camera model {model!r} is not read: calibrate with `--models pinhole-equi` or "
                "`pinhole-radtan`"
            )
        camera = _of_parts(block, str(block.get("distortion_model", "none")), "distortion_coeffs")
        cameras.append(NamedCamera(str(name), str(block.get("rostopic", "")), camera))
    return cameras


def euroc(fields: dict[str, Any], unsized: Unsized) -> list[NamedCamera]:
    """Read sensor.yaml of EuRoC (Burri et al., IJRR 2016), or one block of a camchain."""
    if str(fields.get("sensor_type", "camera")).lower() != "camera":
        raise GeometryError(f"this is a sensor of type {fields['sensor_type']!r}: give the sensor.yaml of a camera")
    if str(fields.get("camera_model", "pinhole")).lower() != "pinhole":
        raise GeometryError(f"the camera model {fields['camera_model']!r} is not read, pinhole is")
    key = "distortion_coefficients" if "distortion_coefficients" in fields else "distortion_coeffs"
    return [_one(_of_parts(fields, str(fields.get("distortion_model", "none")), key))]


def orb_slam(fields: dict[str, Any], unsized: Unsized) -> list[NamedCamera]:
    """Read settings of ORB-SLAM2 and 3: src/Settings.cc, Examples/Monocular/EuRoC.yaml."""
    if "LEFT.K" in fields and "Camera1.fx" not in fields:
        raise GeometryError("Camera.fx is of the rectified images, LEFT.K and RIGHT.K of those recorded: give the one")
    kind = str(fields.get("Camera.type", "PinHole"))
    if kind not in ("PinHole", "Rectified", "KannalaBrandt8"):
        raise GeometryError(f"the Camera.type {kind!r} is not read; PinHole, Rectified and KannalaBrandt8 are")
    cameras = []
    for prefix in ("Camera", "Camera1", "Camera2"):
        if f"{prefix}.fx" not in fields:
            continue
        fx, fy, cx, cy = (float(fields[f"{prefix}.{name}"]) for name in ("fx", "fy", "cx", "cy"))
        fisheye = kind == "KannalaBrandt8"
        terms = ("k1", "k2", "k3", "k4") if fisheye else ("k1", "k2", "p1", "p2", "k3")
        d = [float(fields.get(f"{prefix}.{term}", 0.0)) for term in terms]
        size = _size(
            {"width": fields.get("Camera.width"), "height": fields.get("Camera.height")}, unsized, [0, 0, cx, 0, 0, cy]
        )
        k = [fx, 0, cx, 0, fy, cy, 0, 0, 1]
        cameras.append(NamedCamera(prefix, "", _of_matrix(k, d, "equidistant" if fisheye else "plumb_bob", size)))
    return cameras


def camodocal(fields: dict[str, Any], unsized: Unsized) -> list[NamedCamera]:
    """Read what VINS-Mono and VINS-Fusion take: camera_model/src/camera_models/{PinholeCamera,EquidistantCamera}.cc."""
    kind, inner = str(fields["model_type"]), fields["projection_parameters"]
    if kind == "PINHOLE":
        names, model = ("fx", "cx", "fy", "cy"), "plumb_bob"
        d = [float(fields.get("distortion_parameters", {}).get(term, 0.0)) for term in ("k1", "k2", "p1", "p2")]
    elif kind == "KANNALA_BRANDT":  # r = theta + k2 theta^3 + k3 theta^5 + ..., as OpenCV's k1, k2, ...
        names, model = ("mu", "u0", "mv", "v0"), "equidistant"
        d = [float(inner[term]) for term in ("k2", "k3", "k4", "k5")]
    else:
        raise GeometryError(f"the model_type {kind!r} is not read; PINHOLE and KANNALA_BRANDT are")
    fx, cx, fy, cy = (float(inner[name]) for name in names)
    k = [fx, 0, cx, 0, fy, cy, 0, 0, 1]
    plain = {"width": fields.get("image_width"), "height": fields.get("image_height")}
    return [_one(_of_matrix(k, d, model, _size(plain, unsized, k)), str(fields.get("camera_name", "")))]


def transforms(fields: dict[str, Any], unsized: Unsized) -> list[NamedCamera]:
    """Read transforms.json of nerfstudio and instant-ngp, for all frames or for each of them.

    The principal point is COLMAP's, from the corner of the first pixel: nerfstudio/process_data/colmap_utils.py:
    colmap_to_json copies it. Without one it is the middle, and camera_angle_x is the horizontal field of view.
    """
    frames = [frame for frame in fields.get("frames") or [] if isinstance(frame, dict)]
    shared = {key: value for key, value in fields.items() if key != "frames"}
    own = [frame for frame in frames if {"fl_x", "camera_angle_x"} & set(frame)]
    blocks = [{**shared, **{k: v for k, v in frame.items() if k in TRANSFORM_KEYS}} for frame in own] or [shared]
    found = dict.fromkeys(_of_transforms(block, unsized) for block in blocks)
    names = [f"of {camera.width}x{camera.height} pixels, focal length {camera.focal[0]:.6g}" for camera in found]
    return [NamedCamera(name, "", camera) for name, camera in zip(names, found, strict=True)]


TRANSFORM_KEYS = (
    "w", "h", "fl_x", "fl_y", "cx", "cy", "k1", "k2", "k3", "k4", "p1", "p2", "camera_model", "camera_angle_x",
    "camera_angle_y", "is_fisheye",
)  # fmt: skip


def _of_transforms(block: dict[str, Any], unsized: Unsized) -> Camera:
    if "w" in block and "h" in block:
        width, height = _int(block["w"]), _int(block["h"])
    elif "cx" in block and "cy" in block:
        width, height = unsized.size((float(block["cx"]), float(block["cy"])))
    else:
        width, height = unsized.of_images()
    if "fl_x" in block:
        fx = float(block["fl_x"])
        fy = float(block.get("fl_y", fx))
    else:
        fx = width / 2 / math.tan(float(block["camera_angle_x"]) / 2)
        fy = height / 2 / math.tan(float(block["camera_angle_y"]) / 2) if "camera_angle_y" in block else fx
    corner = float(block.get("cx", width / 2)), float(block.get("cy", height / 2))
    model = str(block.get("camera_model", "OPENCV")).upper()
    terms = {term: float(block.get(term, 0.0)) for term in ("k1", "k2", "k3", "k4", "p1", "p2")}
    if model == "OPENCV_FISHEYE" or block.get("is_fisheye"):
        kind, d = "equidistant", [terms[term] for term in ("k1", "k2", "k3", "k4")]
    elif model in ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE"):
        if terms["k4"]:
            raise GeometryError("k4 of a camera that is no fisheye is a term that is not read: undistort the images")
        kind, d = "plumb_bob", [terms[term] for term in ("k1", "k2", "p1", "p2", "k3")]
    else:
        raise GeometryError(f"the camera_model {model!r} is not read; OPENCV, OPENCV_FISHEYE and PINHOLE are")
    k = [fx, 0, corner[0] - 0.5, 0, fy, corner[1] - 0.5, 0, 0, 1]
    return _of_matrix(k, d, kind, (width, height))


# COLMAP's models that are one of ours with the missing terms zero; both fisheyes are r = theta (1 + k1 theta^2 + ...).
FISHEYES = {"SIMPLE_RADIAL_FISHEYE": 1, "RADIAL_FISHEYE": 2}


def colmap_line(fields: Sequence[str]) -> NamedCamera:
    """Read `CAMERA_ID MODEL WIDTH HEIGHT PARAMS...` of COLMAP's cameras.txt (doc/format.rst): from the corner."""
    number, model, width, height = fields[0], fields[1], int(fields[2]), int(fields[3])
    params = [float(field) for field in fields[4:]]
    if model in FISHEYES:
        f, cx, cy, *terms = params
        model, params = "OPENCV_FISHEYE", [f, f, cx, cy, *terms, *[0.0] * (4 - FISHEYES[model])]
    return NamedCamera(f"camera {number}", "", Camera.from_colmap(model, width, height, params))


MATRIX_SHAPES = {9: (3, 3), 16: (4, 4)}


def matrix(numbers: Sequence[float], unsized: Unsized) -> list[NamedCamera]:
    """Read a bare 3x3 matrix, by rows; also by columns, whose last row then is the principal point and 1.

    ScanNet's intrinsic_color.txt fills it up to 4x4 with the identity.
    """
    whole = np.reshape(numbers, MATRIX_SHAPES[len(numbers)])
    k = whole[:3, :3]
    if len(whole) == 4 and (whole[:3, 3].any() or whole[3, :3].any()):
        raise GeometryError("a 4x4 matrix that is more than a camera matrix: fx 0 cx, 0 fy cy, 0 0 1")
    if k[0, 2] == 0 and k[2, 0] > 0:
        k = k.T
    if not np.allclose(k[2], (0, 0, 1)) or k[1, 0] or abs(k[0, 1]) > 1e-3 * abs(k[0, 0]):
        raise GeometryError("nine numbers that are no camera matrix: fx 0 cx, 0 fy cy, 0 0 1")
    flat = [float(value) for value in k.ravel()]
    _require_pixels(flat[0])
    return [_one(_of_matrix(flat, [], "", unsized.size((flat[2], flat[5]))))]


def _one(camera: Camera, name: str = "") -> NamedCamera:
    return NamedCamera(name, "", camera)


def _of_parts(block: dict[str, Any], distortion_model: str, key: str) -> Camera:
    """Read the camera of `intrinsics` [fx, fy, cx, cy] and `resolution` [width, height]."""
    fx, fy, cx, cy = _numbers(block["intrinsics"], "intrinsics", 4)
    width, height = _numbers(block["resolution"], "resolution", 2)
    d = _numbers(block.get(key) or [], key)
    return _of_matrix([fx, 0, cx, 0, fy, cy, 0, 0, 1], d, distortion_model, (int(width), int(height)))


def _of_matrix(k: Sequence[float], d: Sequence[float], distortion_model: str, size: Size) -> Camera:
    _require_pixels(k[0])
    return Camera.from_camera_info(*size, k, d, distortion_model)


def _require_pixels(focal: float) -> None:
    if focal < 5:
        raise GeometryError(f"a focal length of {focal:g} is not in pixels: calibrate the camera, or give it in pixels")


def _size(plain: dict[str, Any], unsized: Unsized, k: Sequence[float]) -> Size:
    for names in (("imagewidth", "imageheight"), ("width", "height")):
        if plain.get(names[0]) is not None and plain.get(names[1]) is not None:
            return _int(plain[names[0]]), _int(plain[names[1]])
    listed = next((plain[key] for key in ("imagesize", "resolution", "size") if key in plain), None)
    if listed is not None:
        width, height = _numbers(listed, "the size", 2)
        return int(width), int(height)
    return unsized.size((k[2], k[5]))


def _numbers(value: Any, what: str, count: int | None = None) -> list[float]:
    """Return the numbers in a list, in a list of rows, or in a matrix with `data`."""
    values = value.get("data") if isinstance(value, dict) else value
    if not isinstance(values, list):
        raise GeometryError(f"{what} must be a list of numbers, got {str(value)[:80]!r}")
    flat: Iterable[Any] = [inner for row in values for inner in (row if isinstance(row, list) else [row])]
    numbers = [float(number) for number in flat]
    if count is not None and len(numbers) != count:
        raise GeometryError(f"{what} must have {count} numbers, not {len(numbers)}")
    return numbers


def _int(value: Any) -> int:
    return int(float(value))
