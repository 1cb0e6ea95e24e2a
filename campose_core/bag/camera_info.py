"""What the camera_info messages of a bag, or of a running driver, say: the camera, and how far that is to be believed.

Messages are read by attribute only, so the same code serves bags and live ROS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from campose_core.bag.bag import Bag, Topic
from campose_core.bag.image_messages import IMAGE_TYPES, ImageDecoder, base_topic, image_frame
from campose_core.bag.opencv_camera import camera_of_info, is_fisheye_name
from campose_core.camera import Camera
from campose_core.errors import CaptureError, GeometryError

CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
# Of a driver that is starting, messages are empty; after so many they stay so.
MAX_MESSAGES = 1000
# Of logarithms: principal points lie within a tenth of the middle; the least factor between two modes is 1.5.
OTHER_SIZE, ONE_FACTOR, AT_CORNER = 0.3, 0.1, 0.1
MAX_SKEW = 0.01  # of the focal length
MAX_IMAGES = 30  # video begins with packets that complete no image


class EmptyCameraInfo(GeometryError):
    """A message whose K is all zero, as a driver sends it before it has read its calibration: it tells nothing."""


class InfoCamera(NamedTuple):
    """A camera, and why it is but a first guess; `doubt` is empty where it is calibrated."""

    camera: Camera
    doubt: str = ""


class FoundInfo(NamedTuple):
    """The topic of an image topic's intrinsics, None where there is none; `said`: why, unless the name alone tells."""

    topic: str | None
    said: str = ""


def read_camera_info(message: Any, rectified: bool = False) -> InfoCamera:
    """Read the camera of the images that a sensor_msgs/CameraInfo (ROS 1, ROS 2, rosbags) belongs to.

    K and D describe the full sensor image; region of interest and binning lead to the image that was sent. Rectified
    images (image_rect) are described by P, where that is filled in. Of a distortion that is not understood the focal
    length is kept, as a first guess.

    Raises:
        EmptyCameraInfo: K is all zero. GeometryError: uncalibrated, or without a size.
    """
    k, d, p = (_numbers(message, name) for name in "kdp")
    k_of_p = [p[i] for i in (0, 1, 2, 4, 5, 6, 8, 9, 10)] if len(p) == 12 else [0.0] * 9
    model, doubt = str(message.distortion_model), ""
    if not any(k):
        if not any(k_of_p[i] for i in (0, 4)):
            raise EmptyCameraInfo("camera_info is empty (K is all zero): its driver has not read a calibration")
        if not rectified:
            k, d, doubt = k_of_p, [], "K of camera_info is all zero: that of P is taken, without distortion"
    if rectified:
        if k_of_p[0] and k_of_p[4]:
            k = k_of_p
        elif any(d):
            doubt = "the images are rectified and P of camera_info is all zero: K is taken, without distortion"
        model, d = "", []
    width, height = int(message.width), int(message.height)
    if width < 1 or height < 1:
        raise GeometryError(f"camera_info is of {width}x{height} pixels: its driver must tell the size of the images")
    try:
        if scales := _scales_of_another_size(width, height, k):
            across, down = scales
            size = "x".join(f"{n:.0f}" if n >= 10 else f"{n:.2g}" for n in (width * across, height * down))
            k = [k[0] / across, 0.0, k[2] / across, 0.0, k[4] / down, k[5] / down, 0.0, 0.0, 1.0]
            raise GeometryError(f"K of camera_info is of images of about {size} pixels, not of {width}x{height}")
        camera = camera_of_info(width, height, k, d, model)
        if abs(k[1]) > MAX_SKEW * k[0]:
            raise GeometryError(f"camera_info has a skew (K[0][1] is {k[1]:g}), which no camera model here has")
        if not (0 < camera.centre[0] < width and 0 < camera.centre[1] < height):
            raise GeometryError(f"camera_info has its principal point outside the image, at {camera.centre}")
    except GeometryError as error:
        camera, doubt = _first_guess(width, height, k, model, error), f"{error}: its focal length is a first guess"
    region = message.roi
    if region.x_offset + region.width > width or region.y_offset + region.height > height:
        doubt = doubt or (
            f"the region of interest of camera_info ({region.width}x{region.height} from {region.x_offset}, "
            f"{region.y_offset}) is not inside its {width}x{height} pixels: it is left out, the camera a first guess"
        )
        return InfoCamera(camera, doubt)
    return InfoCamera(_as_sent(camera, message), doubt)


def camera_from_info(message: Any, rectified: bool = False) -> Camera:
    """Return the camera as `read_camera_info` reads it, where it is calibrated.

    Raises:
        GeometryError: uncalibrated, or a distortion that is not understood.
    """
    camera, doubt = read_camera_info(message, rectified)
    if doubt:
        raise GeometryError(doubt)
    return camera


def first_camera(messages: Iterable[tuple[int, Any]], rectified: bool) -> tuple[InfoCamera | None, int, str]:
    """Return the first calibrated camera of (log time, message or CaptureError), else the first guess; how many
    messages before it tell nothing, and why the last of them does not."""
    guess, useless, reason = None, 0, ""
    for number, (_, message) in enumerate(messages):
        if number == MAX_MESSAGES:
            break
        if isinstance(message, CaptureError):
            continue
        try:
            found = read_camera_info(message, rectified)
        except GeometryError as error:
            useless, reason = useless + 1, str(error)
            continue
        if not found.doubt:
            return found, useless, reason
        guess = guess or found
    return guess, useless, reason


def find_info_topic(bag: Bag, image_topic: str) -> FoundInfo:
    """Return the CameraInfo topic of an image topic.

    By image_transport's rule it is `camera_info` in the namespace of the image; some drivers put it below the image.
    Under any other name it is the one whose messages are of the frame and the size of the images, or the only one of a
    bag with one camera; of several the one whose name has most in common with the image topic's.
    """
    infos = [topic for topic in bag.topics if topic.msgtype == CAMERA_INFO and topic.messages]
    by_rule = _by_rule(image_topic)
    for name in by_rule:
        if name in {topic.name for topic in infos}:
            return FoundInfo(name)
    cameras = {base_topic(topic.name) for topic in bag.topics if topic.msgtype in IMAGE_TYPES}
    taken = {name for other in cameras - {base_topic(image_topic)} for name in _by_rule(other)} - set(by_rule)
    free = [topic for topic in infos if topic.name not in taken]
    fitting = _fitting(bag, image_topic, free, is_only=len(cameras) == len(infos) == 1)
    if fitting:
        scores = [_words_in_common(image_topic, name) for name in fitting]
        if scores.count(max(scores)) == 1:
            chosen = fitting[int(np.argmax(scores))]
            return FoundInfo(chosen, f"the intrinsics of {image_topic} are taken from {chosen}, which fits its images")
    if not infos:
        return FoundInfo(None)
    listed, why = ", ".join(topic.name for topic in infos), "each fits" if fitting else "none fits in frame and size"
    return FoundInfo(
        None,
        f"no camera_info is used for {image_topic}: of {listed} {why}; give the intrinsics with --camera FILE",
    )


def _by_rule(image_topic: str) -> tuple[str, str]:
    base = base_topic(image_topic)
    return f"{base.rsplit('/', 1)[0]}/camera_info", f"{base}/camera_info"


def _fitting(bag: Bag, image_topic: str, infos: Sequence[Topic], is_only: bool) -> list[str]:
    """Those of the size of the first image, and of its frame unless there is but one camera to be of."""
    shown = _first_image(bag, image_topic) if infos else None
    if shown is None:
        return []
    frame, size = shown
    namespace, fitting = base_topic(image_topic).rsplit("/", 1)[0], []
    for topic in infos:
        for _, message in bag.messages(topic.name):
            if isinstance(message, CaptureError):
                continue
            try:
                camera = read_camera_info(message).camera
            except GeometryError:
                continue
            of_frame = str(message.header.frame_id).lstrip("/")
            may_be = is_only or topic.name.rsplit("/", 1)[0] == namespace or (of_frame == frame and frame)
            if may_be and (camera.width, camera.height) == size:
                fitting.append(topic.name)
            break
    return fitting


def _first_image(bag: Bag, topic: str) -> tuple[str, tuple[int, int]] | None:
    """Frame, and (width, height), of the first image that can be decoded."""
    decoder = ImageDecoder()
    for number, (_, message) in enumerate(bag.messages(topic)):
        if number == MAX_IMAGES:
            break
        if isinstance(message, CaptureError):
            continue
        try:
            for image in decoder.feed(message):
                height, width = image.pixels().shape[:2]
                return image_frame(message).lstrip("/"), (width, height)
        except CaptureError:
            continue
    return None


def _words_in_common(image_topic: str, info_topic: str) -> int:
    one, other = (set(re.split(r"[/_]+", name.strip("/"))) for name in (base_topic(image_topic), info_topic))
    return len(one & other)


def _numbers(message: Any, name: str) -> list[float]:
    values = getattr(message, name if hasattr(message, name) else name.upper())  # ROS 1: K, D, P
    return [float(value) for value in values]


def _first_guess(width: int, height: int, k: Sequence[float], model: str, error: GeometryError) -> Camera:
    """Of K alone; its principal point where that lies in the image.

    Raises:
        GeometryError: `error`, where K is no camera's either.
    """
    if len(k) != 9 or not np.isfinite(k).all() or min(k[0], k[4]) <= 0:
        raise error
    inside = 0 < k[2] < width and 0 < k[5] < height
    centre = (k[2], k[5]) if inside else ((width - 1) / 2, (height - 1) / 2)
    if is_fisheye_name(model):
        return Camera("OPENCV_FISHEYE", width, height, (k[0], k[4], *centre, 0.0, 0.0, 0.0, 0.0))
    return Camera("SIMPLE_RADIAL", width, height, ((k[0] + k[4]) / 2, *centre, 0.0))


def _scales_of_another_size(width: int, height: int, k: Sequence[float]) -> tuple[float, float] | None:
    """Return by how much larger, across and down, the images are that K describes, where its principal point says so:
    far from the middle of an image of this size, by one factor in both directions, or at its very corner. None where K
    may be of this size.

    Drivers publish the K of binned images with the size of the sensor, one of another mode, or in units of the image.
    """
    across, down = 2.0 * k[2] / width, 2.0 * k[5] / height
    if not (0 < across < np.inf and 0 < down < np.inf):
        return None
    is_one_factor = abs(np.log(across / down)) < ONE_FACTOR and abs(np.log(across * down)) > 2 * OTHER_SIZE
    return (across, down) if is_one_factor or max(across, down) < AT_CORNER else None


def _as_sent(camera: Camera, message: Any) -> Camera:
    region = message.roi
    if region.width and region.height:
        camera = camera.cropped(int(region.x_offset), int(region.y_offset), int(region.width), int(region.height))
    across, down = max(1, int(message.binning_x)), max(1, int(message.binning_y))
    return camera.resized(camera.width // across, camera.height // down) if across * down > 1 else camera
