"""What files of a camera matrix call its lens: under many keys, by many names, and none of them may be missed.

Four terms of distortion are those of a pinhole as well as those of a fisheye: only a name tells them apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from campose_core.bag.opencv_camera import is_fisheye_name
from campose_core.errors import GeometryError

FLAGS = ("fisheyemodel", "fisheye", "isfisheye", "usefisheye")
MODEL_KEYS = (
    "model", "cameramodel", "modeltype", "modelname", "projection", "projectionmodel", "projectiontype",
    "calibrationmodel", "calibrationtype",
)  # fmt: skip
# What stands there may be anything: of it only a wide lens counts.
FREE_KEYS = ("type", "cameratype", "lens", "lenstype", "lensmodel", "calibrationmethod")
LENS_KEYS = {"distortionmodel", "distortiontype", *FLAGS, *MODEL_KEYS, *FREE_KEYS}
FISHEYE = re.compile(
    "(?:pinhole|cv2?|opencv)*(?:fisheye|equi|equidistant|kannalabrandt[48]?|kb[48]?)+"
    "(?:opencv|model|camera|lens|calibrate|calibration|distortion)*"
)
PINHOLE = re.compile(
    "(?:pinhole|plumbbob|radtan|radial|tangential|brown|conrady|rational|polynomial|thinprism|opencv|cv2?|perspective|"
    "rectilinear|standard|normal|full|simple|mono|monocular|camera|model|lens|distortion|calibrate|calibration|[458])+"
)
MENTIONED = re.compile(r"fish[\W_]?eye|equidistant|kannala", re.IGNORECASE)
TERMS = 4  # of a fisheye's distortion, and of a pinhole's


def plain_key(key: Any) -> str:
    """Return a key in small letters, without what stands between its words."""
    return re.sub(r"[\s_-]", "", str(key)).lower()


def lens_model(plain: Mapping[str, Any], d: Sequence[float]) -> str:
    """Return the distortion model that the fields of a file name; "" for OpenCV's of a pinhole.

    plain: by their plain keys. d: the terms of the distortion, of which the name matters where they are not zero.

    Raises:
        GeometryError: a name that is not known, or two that contradict each other.
    """
    flags = [_is_yes(plain[key]) for key in FLAGS if isinstance(plain.get(key), bool | int | float | str)]
    if any(flags):
        return "equidistant"
    if said := str(plain.get("distortionmodel") or ""):
        return "equidistant" if _fits(FISHEYE, said) else said
    if said := str(plain.get("distortiontype") or ""):
        return "equidistant" if _fits(FISHEYE, said) else "" if _fits(PINHOLE, said) else said
    named = {key: str(plain[key]) for key in (*MODEL_KEYS, *FREE_KEYS) if _is_name(plain.get(key))}
    fisheyes = [f"{key} {name!r}" for key, name in named.items() if _fits(FISHEYE, name)]
    pinholes = [f"{key} {name!r}" for key, name in named.items() if _fits(PINHOLE, name)]
    pinholes += ["fisheye false"] if flags else []
    if fisheyes and pinholes:
        raise GeometryError(f"it says {fisheyes[0]} and {pinholes[0]}: leave the one that is right")
    if fisheyes:
        return "equidistant"
    if wide := next(filter(is_fisheye_name, named.values()), ""):
        return wide  # which is refused with any distortion that is not understood
    if pinholes or not any(d):
        return ""
    doubts = [f"the {key} {name!r} is not known" for key, name in named.items() if key in MODEL_KEYS]
    if len(d) == TERMS and (mentioned := MENTIONED.search(str(plain))):
        doubts.append(f"it mentions {mentioned[0]!r} where no lens is named")
    if doubts:
        raise GeometryError(
            f"{doubts[0]}: say whose its distortion is, as `distortion_model: plumb_bob` of a pinhole or `equidistant` "
            "of a fisheye"
        )
    return ""


def _fits(names: re.Pattern[str], name: str) -> bool:
    return names.fullmatch(re.sub(r"[\W_]", "", name).lower()) is not None


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and re.fullmatch(r"[-+.\d\s]+", value) is None


def _is_yes(value: bool | int | float | str) -> bool:
    """Tell a flag that is set; what is no flag but a name is one where it is a fisheye's."""
    text = str(value).strip().lower()
    return text in ("true", "yes", "on", "y") or bool(re.fullmatch(r"\d+(?:\.0*)?", text) and float(text))
