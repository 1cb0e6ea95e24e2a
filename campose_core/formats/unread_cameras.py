"""Calibrations that are known and not read: told by what is in them, so that a message can say what they are.

Each from the program's own source or manual, named beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

REMEDY = (
    'write its numbers into a JSON file, as {"width": 640, "height": 480, "fx": 525, "fy": 525, "cx": 319.5, '
    '"cy": 239.5}, with k1, k2, p1, p2, k3 where it has them'
)
REMEDIES = {
    # Metashape's Python reference: Calibration.save; its own file counts the principal point from the middle
    "Metashape": "save it for OpenCV: `sensor.calibration.save(path, format=Metashape.CalibrationFormatOpenCV)`",
    "Pix4D": f"its numbers are millimetres, make pixels of them by the width of its sensor and {REMEDY}",
}
TEXTS = {
    r"\bPPX:": "rs-enumerate-devices (RealSense)",  # librealsense tools/enumerate-devices
    r"\bp\[\s*-?[\d.]+[\s,]+-?[\d.]+\s*\]\s+f\[": "RealSense (pyrealsense2)",  # librealsense wrappers/python
    r"LENSMODEL_": "mrcal",  # mrcal.h; mrcal/cameramodel.py
    # support.pix4d.com: calibrated_internal_camera_parameters.cam, its cameras' XML; calibrated_camera_parameters.txt
    r"^Pix4D camera calibration|Focal Length mm assuming a sensor|<cameraModelDB>": "Pix4D",
    r"\AfileName imageWidth": "the images of Pix4D",
    r"\bxcr:": "RealityCapture",  # its XMP beside each image
    r"^\[LEFT_CAM_": "a ZED",  # support.stereolabs.com: SN*.conf
    r"\bCamera\.Parameters\s*=": "PTAM",  # its camera.cfg
    # dso src/util/Undistort.cpp: getUndistorterForFile
    r"\A(?:Pinhole|RadTan|EquiDistant|FOV|KannalaBrandt)\s[\d.eE\s+-]+\n\d+ \d+\n": "DSO",
    r"^(?:P0|P_rect_00|K_00):": "KITTI",  # calib.txt, calib_cam_to_cam.txt of its devkits
    r"\A[\d.]+(?:\s[\d.]+){4}\n\d+ \d+\n(?:crop|full|none)": "LSD-SLAM",  # lsd_slam_core src/util/Undistorter.cpp
    # Its principal point counts from the middle: Agisoft's manual, calibration XML.
    r"<projection>|<chunk\b|<document version=": "Metashape",
}
FIELDS: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "Basalt": lambda fields: "value0" in fields,  # basalt-headers: serialization.h, written by cereal
    "DepthAI": lambda fields: "cameraData" in fields,  # depthai-core: EepromData.hpp
    "Azure Kinect": lambda fields: "CalibrationInformation" in fields,  # Azure-Kinect-Sensor-SDK: calibration.json
    "Apple": lambda fields: "calibration_data" in fields,  # AVCameraCalibrationData, as apps write it
    "OpenSfM": lambda fields: any(isinstance(v, dict) and "projection_type" in v for v in fields.values()),
    "Meshroom": lambda fields: (
        isinstance(fields.get("intrinsics"), list)  # AliceVision's .sfm, of cameraInit too
        and ("views" in fields or any(isinstance(v, dict) and "intrinsicId" in v for v in fields["intrinsics"]))
    ),
    "Aria": lambda fields: "CameraCalibrations" in fields,  # projectaria_tools: DeviceCalibration
    "OKVIS, SVO or maplab": lambda fields: isinstance(fields.get("cameras"), list),
    "librealsense": lambda fields: "ppx" in fields,  # rs2_intrinsics
}
KALIBRS_REPORT = "aslam_cv"


def unread_text(text: str) -> str | None:
    """Return what a message says of a text that is known and not read; None where nothing is known of it."""
    if KALIBRS_REPORT in text:
        return "this is kalibr's report: give the camchain, which it wrote beside it"
    return _said(next((of for pattern, of in TEXTS.items() if re.search(pattern, text, re.MULTILINE)), None))


def unread_fields(fields: Mapping[str, Any]) -> str | None:
    """Return what a message says of the fields of a file that is known and not read."""
    return _said(next((of for of, fits in FIELDS.items() if fits(fields)), None))


def _said(of: str | None) -> str | None:
    return None if of is None else f"a calibration of {of} is not read: {REMEDIES.get(of, REMEDY)}"
