"""What is in the camera files of other programs: each function turns the fields of one into cameras.

Pixel centres are at integers: OpenCV, ROS, kalibr.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from campose_core.camera import MODEL_PARAMS, Camera
from campose_core.errors import GeometryError
from campose_core.formats.camera_fields import (
    NamedCamera,
    Unsized,
    camera_matrix,
    numbers_in,
    of_matrix,
    size_of,
    unnamed,
    whole,
)
from campose_core.formats.lens_names import lens_model, plain_key

NAMES_OF_SIZE = {"image_width": "width", "image_height": "height", "w": "width", "h": "height"}


def ours(fields: dict[str, Any], unsized: Unsized) -> list[NamedCamera]:
    """Read {width, height, model, params}, or with the parameters by their names; without a model as these tell."""
    fields = {NAMES_OF_SIZE.get(name, name): value for key, value in fields.items() if (name := str(key).lower())}
    names = list(fields)
    model = str(fields["model"]).upper() if "model" in fields else _model_of(names)
    named = fields if "params" not in fields else {}
    params = fields.get("params") or [
        named[name] if name in ("f", "fx", "fy", "cx", "cy") or "model" in fields else named.get(name, 0.0)
        for name in MODEL_PARAMS.get(model, ())
    ]
    unknown = set(names) - {"width", "height", "model", "params", *MODEL_PARAMS.get(model, ())}
    if unknown and model in MODEL_PARAMS:
        raise GeometryError(f"unknown key {min(unknown)!r} for a {model} camera")
    return [unnamed(Camera(model, int(fields["width"]), int(fields["height"]), tuple(map(float, params))))]


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
    """Read ost.txt, which camera_calibration writes beside ost.yaml: camera_calibration_parsers/src/parse_ini.cpp.

    Of a stereo camera it holds both (calibrator.py: ost, lrost), each below `[image]`.
    """
    blocks = re.split(r"^\s*\[image\]\s*$", re.sub(r"#.*", "", text), flags=re.MULTILINE)[1:]
    return [_ost(block) for block in blocks]


def _ost(block: str) -> NamedCamera:
    words = block.split()
    k = [float(word) for word in words[words.index("matrix") + 1 :][:9]]
    d = [float(word) for word in words[words.index("distortion") + 1 : words.index("rectification")]]
    size = whole(words[words.index("width") + 1]), whole(words[words.index("height") + 1])
    name = re.search(r"^\s*\[(.+)\]\s*$", block, re.MULTILINE)
    if len(d) == 4 and any(d):  # calibrator.py writes five or eight terms of a pinhole
        raise GeometryError("four terms of distortion may be a fisheye's, which ost.txt does not say: give ost.yaml")
    return unnamed(of_matrix(k, d, "", size), name[1] if name else "")


MATRIX_KEYS = ("cameramatrix", "k", "intrinsicmatrix", "intrinsics", "mtx", "cammatrix")
DISTORTION_KEYS = (
    "distortioncoefficients", "distcoeffs", "distortioncoeffs", "d", "dist", "distcoeff", "distortion",
)  # fmt: skip
# Of two cameras in one file: opencv samples/cpp/stereo_calib.cpp has M1, D1, M2, D2.
MATRIX_KEY = re.compile(rf"(?:{'|'.join(MATRIX_KEYS)}|m(?=\d))(\d|l|r|left|right)?")


def ros_or_opencv(fields: dict[str, Any], unsized: Unsized) -> list[NamedCamera]:
    """Read ROS's camera_info and ost.yaml, and what OpenCV's FileStorage holds after a calibration.

    ros-perception/image_common camera_calibration_parsers/src/parse_yml.cpp; `ros2 topic echo` of sensor_msgs/
    CameraInfo; opencv samples/cpp/tutorial_code/calib3d/camera_calibration/camera_calibration.cpp: saveCameraParams;
    opencv apps/interactive-calibration/calibController.cpp: saveCurrentCameraParameters.
    """
    plain = {plain_key(key): value for key, value in fields.items()}
    which = {found[1]: key for key in plain if (found := MATRIX_KEY.fullmatch(key)) and is_matrix(plain[key])}
    if None in which:
        return [_of_opencv(plain, which[None], "", unsized, str(plain.get("cameraname", "")))]
    return [_of_opencv(plain, key, of, unsized, f"camera {of}") for of, key in which.items()]


def holds_matrix(fields: dict[str, Any]) -> bool:
    """Tell whether one of the keys is a camera matrix's."""
    return any(MATRIX_KEY.fullmatch(plain_key(key)) and is_matrix(value) for key, value in fields.items())


def is_matrix(value: Any) -> bool:
    """Tell a matrix, be it damaged, from a number of the same name, such as k1."""
    return not isinstance(value, int | float)


def _of_opencv(plain: dict[str, Any], key: str, of: str, unsized: Unsized, name: str) -> NamedCamera:
    """Read the camera under a key of `plain`. of: which of several, as its keys end."""
    k = numbers_in(plain[key], "the camera matrix")
    if len(k) == 4 and "intrinsics" in plain:
        k = [k[0], 0, k[2], 0, k[1], k[3], 0, 0, 1]
    k = camera_matrix(k)
    terms = (plain[f"{key}{of}"] for key in DISTORTION_KEYS if plain.get(f"{key}{of}") is not None)
    d = next((numbers_in(value, "the distortion") for value in terms), [])
    size = size_of(plain, unsized, k)
    given = plain.get("roi")
    region = [whole(given.get(side, 0)) for side in ("width", "height")] if isinstance(given, dict) else [0, 0]
    # The whole image may be given as zeros, or as itself: sensor_msgs/CameraInfo.msg.
    if any(whole(plain.get(key, 0)) > 1 for key in ("binningx", "binningy")) or tuple(region) not in ((0, 0), size):
        raise GeometryError("binning or a region of interest: give the camera matrix of the images as they are")
    return NamedCamera(name, "", of_matrix(k, d, lens_model(plain, d), size))


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
    return [unnamed(_of_parts(fields, str(fields.get("distortion_model", "none")), key))]


ORB_MODELS = {"Camera.type": ("PinHole", "Rectified", "KannalaBrandt8"), "Camera.model": ("perspective", "fisheye")}
ORB_SIZE = (("width", "cols"), ("height", "rows"))


def orb_slam(fields: dict[str, Any], unsized: Unsized) -> list[NamedCamera]:
    """Read settings of ORB-SLAM2 and 3: src/Settings.cc, Examples/Monocular/EuRoC.yaml.

    And of stella_vslam, whose names stand below `Camera` (src/stella_vslam/camera/{perspective,fisheye}.cc), and of
    OpenVSLAM before it, which wrote them as ORB-SLAM2 does, with a model.
    """
    if isinstance(fields.get("Camera"), dict):
        fields = {f"Camera.{name}": value for name, value in fields["Camera"].items()}
    if "LEFT.K" in fields and "Camera1.fx" not in fields:
        raise GeometryError("Camera.fx is of the rectified images, LEFT.K and RIGHT.K of those recorded: give the one")
    name = "Camera.model" if "Camera.model" in fields else "Camera.type"
    kind = str(fields.get(name, "PinHole"))
    if kind not in ORB_MODELS[name]:
        raise GeometryError(f"the {name} {kind!r} is not read; {', '.join(ORB_MODELS[name])} are")
    cameras = []
    for prefix in ("Camera", "Camera1", "Camera2"):
        if f"{prefix}.fx" not in fields:
            continue
        fx, fy, cx, cy = (float(fields[f"{prefix}.{name}"]) for name in ("fx", "fy", "cx", "cy"))
        fisheye = kind in ("KannalaBrandt8", "fisheye")
        terms = ("k1", "k2", "k3", "k4") if fisheye else ("k1", "k2", "p1", "p2", "k3")
        if not fisheye and float(fields.get(f"{prefix}.k4", 0.0)):
            raise GeometryError(f"{prefix}.k4 is of a fisheye, and {name} is {kind!r}: say {ORB_MODELS[name][-1]!r}")
        d = [float(fields.get(f"{prefix}.{term}", 0.0)) for term in terms]
        k = [fx, 0, cx, 0, fy, cy, 0, 0, 1]
        width, height = (fields.get(f"Camera.{a}", fields.get(f"Camera.{b}")) for a, b in ORB_SIZE)
        size = size_of({"width": width, "height": height}, unsized, k)
        cameras.append(NamedCamera(prefix, "", of_matrix(k, d, "equidistant" if fisheye else "plumb_bob", size)))
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
    return [unnamed(of_matrix(k, d, model, size_of(plain, unsized, k)), str(fields.get("camera_name", "")))]


def matrix(numbers: Sequence[float], unsized: Unsized) -> list[NamedCamera]:
    """Read a bare matrix, by rows or by columns."""
    k = camera_matrix(numbers)
    return [unnamed(of_matrix(k, [], "", unsized.size((k[2], k[5]))))]


def _of_parts(block: dict[str, Any], distortion_model: str, key: str) -> Camera:
    """Read the camera of `intrinsics` [fx, fy, cx, cy] and `resolution` [width, height]."""
    fx, fy, cx, cy = numbers_in(block["intrinsics"], "intrinsics", 4)
    width, height = numbers_in(block["resolution"], "resolution", 2)
    d = numbers_in(block.get(key) or [], key)
    return of_matrix([fx, 0, cx, 0, fy, cy, 0, 0, 1], d, distortion_model, (int(width), int(height)))
