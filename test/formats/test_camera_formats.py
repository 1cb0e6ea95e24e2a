"""Cameras as the programs that calibrate write them."""

import json
import re

import numpy as np
import pycolmap
import pytest

from campose_core.camera import MODEL_PARAMS, Camera
from campose_core.capture.camera_file import read_camera_file
from campose_core.errors import GeometryError
from campose_core.formats.cameras import read_cameras
from campose_core.formats.reconstruction_cameras import FISHEYES

OPENCV = Camera("OPENCV", 640, 480, (585.5, 584.25, 320.5, 240.25, 0.05, -0.1, 0.001, 0.0005))
FISHEYE = Camera("OPENCV_FISHEYE", 752, 480, (461.5, 460.25, 356.5, 231.25, -0.0017, 0.0244, -0.0358, 0.0199))
PINHOLE = Camera("PINHOLE", 640, 480, OPENCV.params[:4])

# ros-perception/image_common camera_calibration_parsers/src/parse_yml.cpp, as `ost.yaml` has it.
OST = """\
image_width: 640
image_height: 480
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: [585.5, 0., 320.5, 0., 584.25, 240.25, 0., 0., 1.]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [0.05, -0.1, 0.001, 0.0005, 0.]
projection_matrix:
  rows: 3
  cols: 4
  data: [500., 0., 300., 0., 0., 500., 200., 0., 0., 0., 1., 0.]
"""
# `ros2 topic echo` of sensor_msgs/msg/CameraInfo: two messages, each a document.
ECHO = (
    """\
header:
  stamp:
    sec: 1700000000
    nanosec: 0
  frame_id: camera_optical
height: 480
width: 640
distortion_model: rational_polynomial
d:
- 0.05
- -0.1
- 0.001
- 0.0005
- 0.0
- 0.0
- 0.0
- 0.0
k:
- 585.5
- 0.0
- 320.5
- 0.0
- 584.25
- 240.25
- 0.0
- 0.0
- 1.0
binning_x: 0
binning_y: 0
roi:
  x_offset: 0
  y_offset: 0
  height: 0
  width: 0
  do_rectify: false
---
"""
    * 2
)
# github.com/ethz-asl/kalibr/wiki/yaml-formats
CAMCHAIN = """\
cam0:
  cam_overlaps: []
  camera_model: pinhole
  distortion_coeffs: [-0.0017, 0.0244, -0.0358, 0.0199]
  distortion_model: equidistant
  intrinsics: [461.5, 460.25, 356.5, 231.25]
  resolution: [752, 480]
  rostopic: /cam0/image_raw
  timeshift_cam_imu: 0.003
"""
SECOND = CAMCHAIN.replace("cam0", "cam1").replace("461.5", "470.5")
# mav0/cam0/sensor.yaml of EuRoC MAV.
SENSOR = """\
# General sensor definitions.
sensor_type: camera
T_BS:
  cols: 4
  rows: 4
  data: [1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 1.0]
rate_hz: 20
resolution: [640, 480]
camera_model: pinhole
intrinsics: [585.5, 584.25, 320.5, 240.25] #fu, fv, cu, cv
distortion_model: radial-tangential
distortion_coefficients: [0.05, -0.1, 1e-3, 5e-4]
"""
# opencv samples/cpp/tutorial_code/calib3d/camera_calibration/camera_calibration.cpp: saveCameraParams
FILE_STORAGE = """\
%YAML:1.0
---
calibration_time: "Sun Nov 29 06:52:00 2026"
image_width: 640
image_height: 480
flags: 0
fisheye_model: 0
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 5.855e+02, 0., 3.205e+02, 0., 5.8425e+02, 2.4025e+02, 0.,
       0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 5
   cols: 1
   dt: d
   data: [ 5.e-02, -1.e-01, 1.e-03, 5.e-04, 0. ]
avg_reprojection_error: 3.e-01
"""
FILE_STORAGE_XML = """\
<?xml version="1.0"?>
<opencv_storage>
<calibration_time>"Sun Nov 29 06:52:00 2026"</calibration_time>
<image_width>640</image_width>
<image_height>480</image_height>
<fisheye_model>0</fisheye_model>
<camera_matrix type_id="opencv-matrix">
  <rows>3</rows>
  <cols>3</cols>
  <dt>d</dt>
  <data>
    5.855e+02 0. 3.205e+02 0. 5.8425e+02 2.4025e+02 0. 0. 1.</data></camera_matrix>
<distortion_coefficients type_id="opencv-matrix">
  <rows>5</rows>
  <cols>1</cols>
  <dt>d</dt>
  <data>
    5.e-02 -1.e-01 1.e-03 5.e-04 0.</data></distortion_coefficients>
</opencv_storage>
"""
FILE_STORAGE_FISHEYE = """\
%YAML:1.0
---
image_width: 752
image_height: 480
fisheye_model: 1
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 461.5, 0., 356.5, 0., 460.25, 231.25, 0., 0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 4
   cols: 1
   dt: d
   data: [ -0.0017, 0.0244, -0.0358, 0.0199 ]
"""
# ORB_SLAM3 Examples/Monocular/EuRoC.yaml and TUM-VI.yaml; ORB_SLAM2 Examples/Monocular/TUM1.yaml has no size.
ORB_SLAM3 = """\
%YAML:1.0

File.version: "1.0"
Camera.type: "PinHole"
Camera1.fx: 585.5
Camera1.fy: 584.25
Camera1.cx: 320.5
Camera1.cy: 240.25
Camera1.k1: 0.05
Camera1.k2: -0.1
Camera1.p1: 0.001
Camera1.p2: 5e-04
Camera.width: 640
Camera.height: 480
Camera.newWidth: 600
Camera.newHeight: 350
Camera.fps: 20
ORBextractor.nFeatures: 1000
"""
ORB_SLAM3_FISHEYE = """\
%YAML:1.0
---
Camera.type: "KannalaBrandt8"
Camera.fx: 461.5
Camera.fy: 460.25
Camera.cx: 356.5
Camera.cy: 231.25
Camera.k1: -0.0017
Camera.k2: 0.0244
Camera.k3: -0.0358
Camera.k4: 0.0199
Camera.width: 752
Camera.height: 480
"""
# VINS-Mono camera_model/src/camera_models/{PinholeCamera,EquidistantCamera}.cc: writeToYamlFile
CAMODOCAL = """\
%YAML:1.0
---
model_type: PINHOLE
camera_name: camera
image_width: 640
image_height: 480
distortion_parameters:
   k1: 0.05
   k2: -0.1
   p1: 0.001
   p2: 5.e-04
projection_parameters:
   fx: 585.5
   fy: 584.25
   cx: 320.5
   cy: 240.25
"""
CAMODOCAL_FISHEYE = """\
%YAML:1.0
---
model_type: KANNALA_BRANDT
camera_name: camera
image_width: 752
image_height: 480
projection_parameters:
   k2: -0.0017
   k3: 0.0244
   k4: -0.0358
   k5: 0.0199
   mu: 461.5
   mv: 460.25
   u0: 356.5
   v0: 231.25
"""
# stella-cv/stella_vslam example/tum_vi/TUM_VI_mono.yaml and src/stella_vslam/camera/{perspective,fisheye}.cc
STELLA = """\
Camera:
  name: "EuRoC monocular"
  setup: "monocular"
  model: "perspective"
  fx: 585.5
  fy: 584.25
  cx: 320.5
  cy: 240.25
  k1: 0.05
  k2: -0.1
  p1: 0.001
  p2: 0.0005
  k3: 0.0
  fps: 20
  cols: 640
  rows: 480
Feature:
  max_num_keypoints: 1000
"""
# As OpenVSLAM had it before: the names of ORB-SLAM2, with a model.
OPENVSLAM_FISHEYE = """\
Camera.model: "fisheye"
Camera.fx: 461.5
Camera.fy: 460.25
Camera.cx: 356.5
Camera.cy: 231.25
Camera.k1: -0.0017
Camera.k2: 0.0244
Camera.k3: -0.0358
Camera.k4: 0.0199
Camera.cols: 752
Camera.rows: 480
"""
# open3d.io.write_pinhole_camera_intrinsic: isl-org/Open3D cpp/open3d/camera/PinholeCameraIntrinsic.cpp, by columns
OPEN3D = json.dumps({"width": 640, "height": 480, "intrinsic_matrix": [585.5, 0, 0, 0, 584.25, 0, 320.5, 240.25, 1]})
# nerfstudio/process_data/colmap_utils.py: colmap_to_json copies COLMAP's principal point.
OWN = {**dict(zip(MODEL_PARAMS["OPENCV"], OPENCV.params, strict=True)), "width": 640, "height": 480}
TRANSFORMS = {
    "w": 640, "h": 480, "fl_x": 585.5, "fl_y": 584.25, "cx": 321.0, "cy": 240.75, "k1": 0.05, "k2": -0.1, "p1": 0.001,
    "p2": 0.0005, "camera_model": "OPENCV", "frames": [{"file_path": "images/1.jpg", "transform_matrix": []}],
}  # fmt: skip
# ros-perception/image_common camera_calibration_parsers/src/parse_ini.cpp
OST_TXT = """\
# oST version 5.0 parameters


[image]

width
640

height
480

[narrow_stereo]

camera matrix
585.500000 0.000000 320.500000
0.000000 584.250000 240.250000
0.000000 0.000000 1.000000

distortion
0.050000 -0.100000 0.001000 0.000500 0.000000

rectification
1.000000 0.000000 0.000000
0.000000 1.000000 0.000000
0.000000 0.000000 1.000000

projection
500.000000 0.000000 300.000000 0.000000
0.000000 500.000000 200.000000 0.000000
0.000000 0.000000 1.000000 0.000000

"""
# opencv samples/cpp/stereo_calib.cpp: intrinsics.yml; its size is that of the images.
MATRIX, TERMS = (
    "!!opencv-matrix\n   rows: 3\n   cols: 3\n   dt: d\n   data: [585.5, 0., 320.5, 0., 584.25, 240.25, 0., 0., 1.]\n",
    "!!opencv-matrix\n   rows: 1\n   cols: 5\n   dt: d\n   data: [ 0.05, -0.1, 0.001, 0.0005, 0. ]\n",
)
STEREO = (
    f"%YAML:1.0\n---\nimage_width: 640\nimage_height: 480\nM1: {MATRIX}D1: {TERMS}"
    f"M2: {MATRIX.replace('585.5', '590.5')}D2: {TERMS}"
)
# opencv apps/interactive-calibration/calibController.cpp: saveCurrentCameraParameters
INTERACTIVE = FILE_STORAGE_XML.replace("camera_matrix", "cameraMatrix").replace(
    "distortion_coefficients", "dist_coeffs"
)
INTERACTIVE = re.sub(r"<image_width>.*</image_height>", "<cameraResolution>\n  640 480</cameraResolution>", INTERACTIVE,
                     flags=re.DOTALL)  # fmt: skip
# Open3D's camera_trajectory: PinholeCameraParameters
OPEN3D_VIEW = {
    "class_name": "PinholeCameraParameters", "extrinsic": [1.0] * 16,
    "intrinsic": {"width": 640, "height": 480, "intrinsic_matrix": [585.5, 0, 0, 0, 584.25, 0, 320.5, 240.25, 1]},
}  # fmt: skip
# ORB_SLAM3 Examples_old/Stereo/EuRoC.yaml, of which OpenCV's parser takes `data:[` too
ORB_SLAM2_STEREO = """\
%YAML:1.0

Camera.fx: 435.2046959714599
Camera.fy: 435.2046959714599
Camera.cx: 367.4517211914062
Camera.cy: 252.2008514404297
Camera.width: 752
Camera.height: 480
LEFT.D: !!opencv-matrix
   rows: 1
   cols: 5
   dt: d
   data:[-0.28340811, 0.07395907, 0.00019359, 1.76187114e-05, 0.0]
LEFT.K: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [458.654, 0.0, 367.215, 0.0, 457.296, 248.375, 0.0, 0.0, 1.0]
"""
SIZED = {
    "interactive.xml": (INTERACTIVE, OPENCV),
    "one of two.yml": (STEREO.split("M2:")[0], OPENCV),
    "nested.yml": ("calibration:\n" + "".join(f"   {line}\n" for line in OST.splitlines()), OPENCV),
    "view.json": (json.dumps(OPEN3D_VIEW), PINHOLE),
    "whole region.yaml": (ECHO.replace("  height: 0\n  width: 0", "  height: 480\n  width: 640"), OPENCV),
    "w and h.json": (json.dumps({"w": 640, "h": 480, "Fx": 585.5, "Fy": 584.25, "Cx": 320.5, "Cy": 240.25}), PINHOLE),
    "ost.yaml": (OST, OPENCV),
    "ost.txt": (OST_TXT, OPENCV),
    "info.yaml": (ECHO, OPENCV),
    "camchain.yaml": (CAMCHAIN, FISHEYE),
    "openvins.yaml": (f"%YAML:1.0\n\n{CAMCHAIN}", FISHEYE),
    "sensor.yaml": (SENSOR, OPENCV),
    "calibration.yml": (FILE_STORAGE, OPENCV),
    "calibration.xml": (FILE_STORAGE_XML, OPENCV),
    "fisheye.yml": (FILE_STORAGE_FISHEYE, FISHEYE),
    "EuRoC.yaml": (ORB_SLAM3, OPENCV),
    "TUM-VI.yaml": (ORB_SLAM3_FISHEYE, FISHEYE),
    "stella.yaml": (STELLA, OPENCV),
    "openvslam.yaml": (OPENVSLAM_FISHEYE, FISHEYE),
    "open3d.json": (OPEN3D, PINHOLE),
    "four.yaml": (
        "image_width: 640\nimage_height: 480\nintrinsics: [585.5, 584.25, 320.5, 240.25]\n"
        "distortion_coeffs: [0.05, -0.1, 0.001, 0.0005]\n",
        OPENCV,
    ),
    "pinhole.yaml": (CAMODOCAL, OPENCV),
    "equidistant.yaml": (CAMODOCAL_FISHEYE, FISHEYE),
    "transforms.json": (json.dumps(TRANSFORMS, indent="\t"), OPENCV),
    "no_model.json": (json.dumps(OWN), OPENCV),
    "lower.yaml": (f"{{width: 640, height: 480, model: opencv, params: {list(OPENCV.params)}}}", OPENCV),
    "bom.yaml": (f"\ufeff{OST}", OPENCV),
    "windows.yaml": (OST.replace("\n", "\r\n"), OPENCV),
}  # fmt: skip


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, newline="")
    return path


def assert_same(found, expected):
    assert (found.model, found.width, found.height) == (expected.model, expected.width, expected.height)
    assert found.params == pytest.approx(expected.params, abs=1e-9)


@pytest.mark.parametrize("name", SIZED)
def test_a_calibration_is_the_camera_that_it_was_written_for(tmp_path, name):
    text, camera = SIZED[name]
    assert_same(read_camera_file(written(tmp_path, name, text)), camera)


@pytest.mark.parametrize("model", [*sorted(MODEL_PARAMS.keys() - {"OPENCV_THIN_PRISM"}), *FISHEYES])
def test_cameras_of_colmap_send_points_where_colmap_sends_them(tmp_path, model):
    """COLMAP's doc/format.rst; its pixels begin at the corner of the first one, ours at its centre."""
    focals = ("fx", "fy") if model == "FISHEYE" else ("f",)
    names = MODEL_PARAMS.get(model, (*focals, "cx", "cy", *("k1", "k2")[: FISHEYES.get(model, 0)]))
    values = {"f": 585.5, "fx": 585.5, "fy": 584.25, "cx": 320.0, "cy": 240.0}
    params = [values.get(name, 0.01 * (1 + i)) for i, name in enumerate(names)]
    text = "# Camera list with one line of data per camera:\n#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n"
    path = written(tmp_path, "cameras.txt", f"{text}7 {model} 640 480 {' '.join(map(str, params))}\n")
    points = np.array([[0.1, -0.2, 1.0], [-0.3, 0.25, 1.2], [0.0, 0.0, 2.0]])
    colmap = pycolmap.Camera(model=model, width=640, height=480, params=params)
    np.testing.assert_allclose(read_camera_file(path).project(points) + 0.5, colmap.img_from_cam(points), atol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "[[585.5    0.   320.5 ]\n [  0.   584.25 240.25]\n [  0.     0.     1.  ]]\n",
        "array([[585.5 ,   0.  , 320.5 ],\n       [  0.  , 584.25, 240.25],\n       [  0.  ,   0.  ,   1.  ]])",
        "K = [585.5, 0, 320.5; 0, 584.25, 240.25; 0, 0, 1];\n",
        "K =\n\n  585.5000         0  320.5000\n         0  584.2500  240.2500\n         0         0    1.0000\n",
        "[[585.5, 0, 320.5], [0, 584.25, 240.25], [0, 0, 1]]",
        '"585,5";"0";"320,5"\n"0";"584,25";"240,25"\n"0";"0";"1"\n',
        "585.5 0 320.5 0\n0 584.25 240.25 0\n0 0 1 0\n",
    ],
    ids=["numpy", "numpy's repr", "matlab", "matlab prints", "json", "a spreadsheet", "a projection"],
)
def test_a_bare_matrix_is_read_as_programs_print_it(tmp_path, text):
    ((_, _, camera),) = read_cameras(written(tmp_path, "k.txt", text), lambda: (640, 480))
    assert_same(camera, PINHOLE)


@pytest.mark.parametrize("separator", [" ", ", ", ";", "\t"])
def test_a_bare_matrix_is_of_images_of_the_size_that_is_read(tmp_path, separator):
    """Stray Scanner's camera_matrix.csv, numpy.savetxt."""
    rows = np.array([[585.5, 0.0, 320.5], [0.0, 584.25, 240.25], [0.0, 0.0, 1.0]])
    text = "".join(separator.join(map(str, row)) + "\n" for row in rows)
    ((_, _, camera),) = read_cameras(written(tmp_path, "k.csv", text), lambda: (640, 480))
    assert_same(camera, PINHOLE)
    filled = "".join(separator.join([*map(str, row), "0"]) + "\n" for row in rows) + separator.join("0001") + "\n"
    ((_, _, camera),) = read_cameras(written(tmp_path, "intrinsic_color.txt", filled), lambda: (640, 480))
    assert_same(camera, PINHOLE)
    by_columns = "".join(separator.join(map(str, row)) + "\n" for row in rows.T)
    ((_, _, camera),) = read_cameras(written(tmp_path, "k.csv", by_columns), lambda: (640, 480))
    assert_same(camera, PINHOLE)
    for width, height in ((1280, 960), (800, 600)):
        said = rf"k\.csv: says no size.*not near the middle of images of {width}x{height} pixels"
        with pytest.raises(GeometryError, match=said):
            read_cameras(tmp_path / "k.csv", lambda size=(width, height): size)
    with pytest.raises(GeometryError, match=r"k\.csv: says no size of the images: add image_width"):
        read_cameras(tmp_path / "k.csv")


def test_a_calibration_without_a_size_is_of_the_images_too(tmp_path):
    """OpenCV's charuco samples, and ORB-SLAM2's TUM1.yaml, write none."""
    without = "".join(line for line in FILE_STORAGE.splitlines(True) if not line.startswith("image_"))
    orb = "".join(line for line in ORB_SLAM3.splitlines(True) if "idth" not in line and "eight" not in line)
    for text in (without, orb):
        ((_, _, camera),) = read_cameras(written(tmp_path, "c.yaml", text), lambda: (640, 480))
        assert_same(camera, OPENCV)


LENS = {
    "camera_matrix": [[461.5, 0, 356.5], [0, 460.25, 231.25], [0, 0, 1]], "image_size": [752, 480],
    "dist_coeffs": [[-0.0017], [0.0244], [-0.0358], [0.0199]],
}  # fmt: skip


@pytest.mark.parametrize(
    "said",
    [
        {"model": "fisheye"}, {"camera_model": "equidistant"}, {"Camera Model": "KannalaBrandt8"}, {"fisheye": True},
        {"is_fisheye": "true"}, {"lens": "Fisheye"}, {"type": "opencv_fisheye"}, {"projection": "cv2.fisheye"},
        {"distortion_model": "OpenCV fisheye", "camera_model": "pinhole"}, {"model": "pinhole-equi"},
        {"distortion_type": "equidistant", "model": "pinhole"},
        {"lens_type": "fisheye lens", "distortion_model": ""}, {"fisheye_model": 1, "model": "pinhole"},
    ],
    ids=str,
)  # fmt: skip
def test_a_fisheye_is_one_under_whatever_key_it_is_named(tmp_path, said):
    """Its four terms would be those of a pinhole too: docs.opencv.org, cv::fisheye::calibrate, cv::calibrateCamera."""
    assert_same(read_camera_file(written(tmp_path, "c.json", json.dumps({**LENS, **said}))), FISHEYE)
    as_yaml = "".join(f"{key}: {json.dumps(value)}\n" for key, value in {**LENS, **said}.items())
    assert_same(read_camera_file(written(tmp_path, "c.yaml", as_yaml)), FISHEYE)
    if "model" not in said:  # which is of a camera that is given by its parameters
        around = json.dumps({**said, "calibration": LENS})
        assert_same(read_camera_file(written(tmp_path, "c.json", around)), FISHEYE)


@pytest.mark.parametrize(
    "said",
    [
        {}, {"model": "pinhole"}, {"camera_model": "Brown-Conrady"}, {"model": "plumb_bob"}, {"type": "D435"},
        {"projection": "perspective"}, {"lens": "6 mm"}, {"distortion_model": "radtan", "model": "HERO 9"},
        {"distortion_model": "plumb_bob", "lens": "fisheye"}, {"fisheye_model": 0, "camera_model": "rational"},
        {"model": "pinhole_radtan8"}, {"fisheye": False}, {"camera_model": "opencv"},
        {"distortion_type": "radialtangential"}, {"model": "GoPro", "camera_model": "pinhole"},
        {"model": "pinhole", "notes": "no fisheye"}, {"camera_name": "fisheye", "fisheye_model": 0},
    ],
    ids=str,
)  # fmt: skip
def test_a_pinhole_stays_one_whatever_else_is_said(tmp_path, said):
    camera = read_camera_file(written(tmp_path, "c.json", json.dumps({**LENS, **said})))
    assert_same(camera, Camera("OPENCV", 752, 480, FISHEYE.params))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"model": "cahvor"}, "the model 'cahvor' is not known: say whose its distortion is, as `distortion_model: pl"),
        ({"camera_model": "radial division"}, "the cameramodel 'radial division' is not known"),
        ({"model": "inverse_brown_conrady"}, "the model 'inverse_brown_conrady' is not known"),
        ({"model": "omnidirectional"}, "an unsupported distortion: 'omnidirectional' with 4 numbers"),
        ({"lens": "double sphere"}, "an unsupported distortion: 'double sphere'"),
        ({"model": "fisheye", "camera_model": "pinhole"}, "it says model 'fisheye' and cameramodel 'pinhole': leave"),
        ({"model": "fisheye", "fisheye_model": 0}, "it says model 'fisheye' and fisheye false: leave the one"),
        ({"distortion_type": "cubic"}, "an unsupported distortion: 'cubic' with 4 numbers"),
        ({"camera_name": "fisheye_left"}, "it mentions 'fisheye' where no lens is named: say whose its distortion is"),
        ({"lens": {"kind": "Fish-Eye"}}, "it mentions 'Fish-Eye' where no lens is named"),
        ({"notes": "by the equidistant model"}, "it mentions 'equidistant' where no lens is named"),
    ],
)
def test_a_lens_that_is_not_known_or_two_are_refused(tmp_path, said, why):
    with pytest.raises(GeometryError, match=rf"c\.json: {re.escape(why)}"):
        read_camera_file(written(tmp_path, "c.json", json.dumps({**LENS, **said})))
    undistorted = json.dumps({**LENS, "dist_coeffs": [0.0] * 4, **said})
    if "not known" in why or "mentions" in why:  # without distortion any of them is a pinhole
        assert read_camera_file(written(tmp_path, "c.json", undistorted)).model == "PINHOLE"


@pytest.mark.parametrize(
    "size",
    [
        {"w": 752, "h": 480}, {"DIM": [752, 480]}, {"dim": [752.0, 480.0]},
        {"resolution": {"width": 752, "height": 480}},
        {"image_size": {"h": 480, "w": 752}}, {"image_size": "752x480"}, {"Image Resolution": "752 X 480"},
        {"img_width": "752", "img_height": "480"}, {"frame_size": [[752], [480]]}, {"size": [752, 480]},
        {"image_size": None, "w": 752, "h": 480},
    ],
    ids=str,
)  # fmt: skip
def test_a_size_is_found_under_its_names(tmp_path, size):
    """Record3D's metadata.json has K, w and h, of larger images than those of its video or depth."""
    fields = {key: value for key, value in LENS.items() if key != "image_size"}
    text = json.dumps({**fields, **size, "model": "fisheye"})
    ((_, _, camera),) = read_cameras(written(tmp_path, "c.json", text), lambda: (320, 240))
    assert_same(camera, FISHEYE)


def test_of_several_cameras_the_topic_tells_and_nothing_else(tmp_path):
    path = written(tmp_path, "camchain.yaml", CAMCHAIN + SECOND)
    assert read_camera_file(path, topics=["/cam1/image_raw"]).focal[0] == 470.5
    assert_same(read_camera_file(path, topics=["/cam0/image_raw"]), FISHEYE)
    for topics in ([], ["/other"], ["/cam0/image_raw", "/cam1/image_raw"]):
        with pytest.raises(
            GeometryError, match=r"several cameras \(cam0 /cam0/image_raw, cam1 /cam1/image_raw\): leave"
        ):
            read_camera_file(path, topics=topics)
    alike = "1 PINHOLE 640 480 585.5 584.25 321 240.75\n2 PINHOLE 640 480 585.5 584.25 321 240.75\n"
    assert_same(read_camera_file(written(tmp_path, "cameras.txt", alike)), PINHOLE)
    with pytest.raises(GeometryError, match=r"several cameras \(camera 1, camera 2\)"):
        read_camera_file(written(tmp_path, "cameras.txt", alike.replace("585.5", "600", 1)))


def test_frames_with_intrinsics_of_their_own_are_one_camera_where_these_are_alike(tmp_path):
    shared = {"w": 640, "h": 480}
    frames = [{"fl_x": 585.5, "fl_y": 584.25, "cx": 321.0, "cy": 240.75} for _ in range(2)]
    assert_same(read_camera_file(written(tmp_path, "t.json", json.dumps({**shared, "frames": frames}))), PINHOLE)
    frames[1]["fl_x"] = 700.0
    with pytest.raises(GeometryError, match=r"several cameras .*focal length 585\.5, .*focal length 700"):
        read_camera_file(written(tmp_path, "t.json", json.dumps({**shared, "frames": frames})))
    angle = {**shared, "camera_angle_x": 2 * np.arctan(320 / 500), "frames": []}
    camera = read_camera_file(written(tmp_path, "t.json", json.dumps(angle)))
    assert (camera.focal, camera.centre) == (pytest.approx((500.0, 500.0)), (319.5, 239.5))


METASHAPE = """\
<?xml version="1.0" encoding="UTF-8"?>
<document version="1.5.0">
  <chunk><sensors><sensor id="0"><calibration type="frame"><f>500</f></calibration></sensor></sensors></chunk>
</document>
"""
MRCAL = """\
{
  "lensmodel":  "LENSMODEL_OPENCV8",
  "intrinsics": [ 500, 501, 320, 240, .1, .2, .01, .02, .03, .04, .05, .06 ],
  "imagersize": [ 640, 480 ],
}
"""
PIX4D = """\
Pix4D camera calibration file 0

#Focal Length mm assuming a sensor width of 12.8x8.5mm
F 8.57
#Principal Point mm
Px 6.4
Py 4.2
"""


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("ost.yaml", OST.replace("585.5", "0."), "focal length of 0 is not in pixels"),
        ("ost.yaml", OST.replace("plumb_bob", "cubic"), "unsupported distortion: 'cubic'"),
        ("ost.yaml", OST.replace("image_width: 640", "image_width: wide"), "wide"),
        ("info.yaml", ECHO.replace("binning_x: 0", "binning_x: 2"), "binning"),
        ("chain.yaml", CAMCHAIN.replace("pinhole", "omni"), "cam0: the camera model 'omni' is not read.*pinhole-equi"),
        ("chain.yaml", CAMCHAIN.replace("equidistant", "fov"), "unsupported distortion: 'fov'"),
        ("chain.yaml", CAMCHAIN.replace("[752, 480]", "[752]"), "resolution must have 2 numbers, not 1"),
        ("imu.yaml", "sensor_type: imu\nrate_hz: 200\n", "of type 'imu': give the sensor.yaml of a camera"),
        ("c.yml", FILE_STORAGE.replace("rows: 3\n", "rows: 3\n   nothing\n"), "it is not yaml at line"),
        ("c.xml", FILE_STORAGE_XML.replace("</opencv_storage>", ""), "it is not XML at line"),
        ("c.xml", FILE_STORAGE_XML.replace("<opencv_storage>", "<!DOCTYPE a []><opencv_storage>"), "definitions"),
        ("o.yaml", ORB_SLAM3.replace("PinHole", "Omni"), "the Camera.type 'Omni' is not read"),
        ("o.yaml", ORB_SLAM3 + ORB_SLAM3.replace("Camera1.fx: 5", "Camera2.fx: 6").split("PinHole\"\n")[1]
         .replace("Camera1", "Camera2"), r"several cameras \(Camera1, Camera2\)"),
        ("o.yaml", ORB_SLAM3_FISHEYE.replace('Camera.type: "KannalaBrandt8"\n', ""),
         "Camera.k4 is of a fisheye, and Camera.type is 'PinHole': say 'KannalaBrandt8'"),
        ("s.yaml", STELLA.replace("perspective", "equirectangular"), "the Camera.model 'equirectangular' is not read"),
        ("skew.yaml", OST.replace("[585.5, 0.,", "[585.5, 12.,"), "no camera matrix: fx 0 cx, 0 fy cy"),
        ("basalt.json", json.dumps({"value0": {"intrinsics": [{"camera_type": "ds"}], "resolution": [[512, 512]]}}),
         "a calibration of Basalt is not read: write its numbers into a JSON file"),
        ("c.json", json.dumps({"value0": {}, "intrinsics": [{"camera_type": "ds"}], "resolution": [1]}), "of Basalt"),
        ("s.yaml", SENSOR.replace("[585.5, 584.25, 320.5, 240.25]", "[{}]"), "intrinsics must be a list of numbers"),
        ("d.json", json.dumps({"boardName": "OAK-D", "cameraData": []}), "a calibration of DepthAI is not read"),
        ("k.json", json.dumps({"CalibrationInformation": {"Cameras": []}}), "of Azure Kinect is not read"),
        ("a.json", json.dumps({"calibration_data": {"intrinsic_matrix": [1]}}), "a calibration of Apple is not read"),
        ("o.json", json.dumps({"v2": {"projection_type": "brown", "focal": 0.8}}), "of OpenSfM is not read"),
        ("m.sfm", json.dumps({"views": [], "intrinsics": [{"width": "640"}]}), "a calibration of Meshroom is not read"),
        ("o.yaml", "cameras:\n- {focal_length: [5, 5]}\n", "a calibration of OKVIS, SVO or maplab is not read"),
        ("r.json", json.dumps({"width": 640, "height": 480, "ppx": 320, "fx": 9}), "of librealsense is not"),
        ("r.txt", " Intrinsic of \"Color\" / 640x480\n  Width:\t640\n  PPX:\t320.5\n", "of rs-enumerate-devices .Real"),
        ("m.xml", '<?xml version="1.0"?><calibration><projection>frame</projection><f>500</f><cx>1</cx></calibration>',
         "a calibration of Metashape is not read"),
        ("m.xml", METASHAPE, "a calibration of Metashape is not read: save it for OpenCV: `sensor.calibration.save"),
        ("c.json", json.dumps({"intrinsics": [{"intrinsicId": "1", "pxFocalLength": "500"}]}), "of Meshroom is not"),
        ("c.cameramodel", MRCAL, "a calibration of mrcal is not read: write its numbers into a JSON file"),
        ("p.cam", PIX4D, "a calibration of Pix4D is not read: its numbers are millimetres, make pixels of them"),
        ("p.txt", "fileName imageWidth imageHeight \ncamera matrix K [3x3]\n\na.JPG 60 40\n5 0\n", "images of Pix4D"),
        ("r.txt", "[ 640x480  p[320.1 240.2]  f[500.5 501.5]  Brown Conrady [0 0 0 0 0] ]\n", "of RealSense .pyreal"),
        ("l.cfg", "0.7 0.93 0.5 0.5 0.9\n640 480\ncrop\n640 480\n", "a calibration of LSD-SLAM is not read"),
        ("r.xmp", '<x:xmpmeta><rdf:Description xcr:Version="3"/></x:xmpmeta>', "of RealityCapture is not read"),
        ("a.json", json.dumps({"CameraCalibrations": [{"Label": "camera-rgb"}]}), "a calibration of Aria is not read"),
        ("z.conf", "[LEFT_CAM_HD]\nfx=700\n", "a calibration of a ZED is not read"),
        ("d.txt", "RadTan 458.6 457.2 367.2 248.3 -0.28 0.07 0 0\n752 480\ncrop\n640 480\n", "of DSO is not read"),
        ("calib.txt", "P0: 718 0 607 0 0 718 185 0 0 0 1 0\n", "a calibration of KITTI is not read"),
        ("results-cam.txt", "cam0:\n type: <class 'aslam_cv.X'>\n", "kalibr's report: give the camchain"),
        ("k.npy", "\x93NUMPY", "give the matrix as text, as `numpy.savetxt"),
        ("k.txt", "500 500 320 240\n", "4 numbers without names; a bare matrix has 9, by rows: write its numbers"),
        ("p.txt", "500 0 320 -386\n0 500 240 0\n0 0 1 0\n", "a 3x4 matrix that is more than a camera matrix"),
        ("ost.txt", OST_TXT + OST_TXT.replace("585.5", "600.5").replace("narrow_stereo", "right"), "several cameras"),
        ("intrinsics.yml", STEREO, r"several cameras \(camera 1, camera 2\)"),
        ("roi.yaml", ECHO.replace("  height: 0\n  width: 0", "  height: 240\n  width: 320"), "a region of interest"),
        ("e.yaml", ORB_SLAM2_STEREO, "Camera.fx is of the rectified images, LEFT.K and RIGHT.K of those recorded"),
        ("v.yaml", CAMODOCAL.replace("PINHOLE", "MEI"), "the model_type 'MEI' is not read"),
        ("t.json", json.dumps({"fl_x": 500, "camera_model": "FISHEYE624", "w": 6, "h": 4}), "'FISHEYE624' is not read"),
        ("t.json", json.dumps({"fl_x": 500}), "says no size of the images"),
        ("o.txt", OST_TXT.replace("width\n640", ""), "width"),
        ("o.txt", OST_TXT.replace(" 0.000500 0.000000", " 0.000500"), "may be a fisheye's, which ost.txt does not say"),
        ("k.txt", "500 0 320 1\n0 500 240 0\n0 0 1 0\n0 0 0 1\n", "more than a camera matrix"),
        ("t.json", json.dumps({**TRANSFORMS, "k4": 0.1}), "k4 of a camera that is no fisheye"),
        ("cameras.txt", "1 FOV 640 480 500 500 320 240 0.9\n", "COLMAP's camera model FOV is not read"),
        ("cameras.txt", "1 PINHOLE 640 480 500 500 320\n", "needs the finite numbers"),
        ("k.csv", "1,2,3\n4,5,6\n7,8,9\n", "9 numbers that are no camera matrix"),
        ("k.csv", "0.9,0,0.5\n0,1.2,0.5\n0,0,1\n", "a focal length of 0.9 is not in pixels"),
        ("a.yaml", "a: &a [1]\nb: *a\n", "line 2: the alias \\*a is not followed"),
        ("own.json", json.dumps({name: 50 for name in [*OWN, "k3", "k4"] if name[0] != "p"}),
         "are of OPENCV_FISHEYE or of FULL_OPENCV: say which"),
        ("map.yaml", "image: map.pgm\nresolution: 0.05\n", "expected the keys width.*; got image, resolution"),
        ("c.json", json.dumps({"K": [500, 0, 320, 0, 500, 240, 0, 0, 1], "resolution": {"fps": 30}}),
         "the size must have a width and a height, got .*fps"),
        ("cameras.bin", "", "model_converter --output_type TXT"),
    ],
)  # fmt: skip
def test_what_is_no_camera_or_two_is_refused_by_name(tmp_path, name, text, said):
    with pytest.raises(GeometryError, match=said) as caught:
        read_camera_file(written(tmp_path, name, text))
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)
