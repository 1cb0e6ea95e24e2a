"""Pixels out of sensor_msgs/Image and CompressedImage messages, and into JPEG, by numpy and Pillow.

OpenCV converts YUV and Bayer patterns; where it is there, it also decodes the same JPEGs to the same pixels in less
than half the time. What has another encoding is left to cv_bridge, where a ROS distribution brings it.

Messages are read by attribute only, so the same code serves bags and live ROS. Encodings are those of
sensor_msgs/image_encodings.hpp.
"""

import importlib
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from campose_core.errors import CaptureError
from campose_core.extras import load_extra
from campose_core.image_files import check_size, opened
from campose_core.pixels.deep_images import rgb_pixels, values_of_16_bits
from campose_core.pixels.levels import Levels

Image = NDArray[np.uint8]  # (H, W, 3) RGB

JPEG_MAGIC = b"\xff\xd8\xff"
JPEG_END = b"\xff\xd9"
MAGIC = {
    JPEG_MAGIC: "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"RIFF": "WebP", b"II*\0": "TIFF", b"MM\0*": "TIFF",
}  # fmt: skip
EXIF_ORIENTATION = 0x0112

MEASURED, DEPTH = ("32fc", "64fc"), "compressedDepth"
OTHER_TOPIC = "choose the topic of a camera (--topic, of the node image_topic)"

# encoding -> (channels, bytes a channel, which channels are red, green, blue)
PACKED = {
    "mono8": (1, 1, (0, 0, 0)), "8uc1": (1, 1, (0, 0, 0)),
    "mono16": (1, 2, (0, 0, 0)), "16uc1": (1, 2, (0, 0, 0)),
    "rgb8": (3, 1, (0, 1, 2)), "rgba8": (4, 1, (0, 1, 2)),
    "bgr8": (3, 1, (2, 1, 0)), "bgra8": (4, 1, (2, 1, 0)),
    "rgb16": (3, 2, (0, 1, 2)), "rgba16": (4, 2, (0, 1, 2)),
    "bgr16": (3, 2, (2, 1, 0)), "bgra16": (4, 2, (2, 1, 0)),
    # OpenCV's type names say nothing of colour; what writes them holds blue, green, red.
    "8uc3": (3, 1, (2, 1, 0)), "8uc4": (4, 1, (2, 1, 0)),
}  # fmt: skip
# encoding -> OpenCV's conversion
YUV422 = {
    "yuv422": "YUV2RGB_UYVY", "uyvy": "YUV2RGB_UYVY",
    "yuv422_yuy2": "YUV2RGB_YUY2", "yuyv": "YUV2RGB_YUY2", "yuy2": "YUV2RGB_YUY2",
}  # fmt: skip
YUV420 = {"nv12": "YUV2RGB_NV12", "nv21": "YUV2RGB_NV21"}
BAYER = {
    f"bayer_{pattern}{bits}": (f"Bayer{pattern.upper()}2RGB", bits // 8)
    for pattern in ("rggb", "bggr", "gbrg", "grbg")
    for bits in (8, 16)
}


def decode_image(message: Any, levels: Levels | None = None) -> Image:
    """Return the image (H, W, 3) uint8 RGB of a sensor_msgs/Image (ROS 1, ROS 2, rosbags).

    16 bit values become 8 bits by `levels`; without, they keep their upper 8. Of rgb8 without padding the pixels are
    the message's own, not a copy.

    Raises:
        CaptureError: unknown encoding, a size of zero or beyond `MAX_PHOTO_PIXELS`, rows or data that are too short.
        MissingDependency: YUV or Bayer, and OpenCV is not installed.
    """
    encoding = str(message.encoding).strip().lower()
    width, height = int(message.width), int(message.height)
    check_size(width, height, CaptureError)
    if encoding in PACKED:
        _, size, order = PACKED[encoding]
        return _ordered(_one_byte(_opaque(message, encoding), size, message.is_bigendian, levels), order)
    if encoding in YUV422:
        _check_even(encoding, width % 2 == 0, width, height)
        return _converted(_rows(message, height, width * 2).reshape(height, width, 2), YUV422[encoding])
    if encoding in YUV420:
        _check_even(encoding, width % 2 == height % 2 == 0, width, height)
        return _converted(_rows(message, height * 3 // 2, width), YUV420[encoding])
    if encoding in BAYER:
        code, size = BAYER[encoding]
        rows = _rows(message, height, width * size)
        return _demosaiced(_one_byte(rows, size, message.is_bigendian, levels), code)
    if encoding.startswith(MEASURED):
        raise CaptureError(f"{message.encoding} is depth or another measurement, no picture: {OTHER_TOPIC}")
    return _by_cv_bridge(message)


def deep_values(message: Any) -> NDArray[np.uint16] | None:
    """Return the values (any shape) of an image message of more than 8 bits; None of any other.

    Raises:
        CaptureError: as `decode_image` and `decode_compressed`.
    """
    if not hasattr(message, "encoding"):
        return _deep_values_of_file(_bytes(message.data).tobytes())
    encoding, width, height = str(message.encoding).strip().lower(), int(message.width), int(message.height)
    size = PACKED[encoding][1] if encoding in PACKED else BAYER.get(encoding, ("", 1))[1]
    if size == 1:
        return None
    check_size(width, height, CaptureError)
    rows = _opaque(message, encoding) if encoding in PACKED else _rows(message, height, width * size)
    return _words(rows, message.is_bigendian)


def decode_compressed(message: Any, levels: Levels | None = None) -> Image:
    """Return the image (H, W, 3) uint8 RGB of a sensor_msgs/CompressedImage holding a JPEG, PNG, WebP or TIFF.

    The kind is told by the first bytes: drivers fill `format` in many ways. EXIF rotation is not applied, as in
    image_transport. 16 bit values as in `decode_image`. Grey that `format` calls a Bayer mosaic becomes colour.

    Raises:
        CaptureError: no such file, depth, damaged, cut off, or larger than `MAX_PHOTO_PIXELS`.
        MissingDependency: Bayer, and OpenCV is not installed.
    """
    form = str(message.format).strip().lower()
    if DEPTH.lower() in form:
        raise CaptureError(f"{DEPTH} is depth, no picture: {OTHER_TOPIC}")
    if form.startswith(MEASURED):
        raise CaptureError(f"{form} is depth or another measurement, no picture: {OTHER_TOPIC}")
    pixels, is_grey = _decoded(_bytes(message.data).tobytes(), levels)
    mosaic = _mosaic(form)
    return _demosaiced(pixels[..., 0], BAYER[mosaic][0]) if mosaic and is_grey else pixels


def _mosaic(form: str) -> str | None:
    """Return the Bayer encoding of the pixels of a CompressedImage by its format, None where they are none.

    compressed_image_transport writes "bayer_rggb8; jpeg compressed " and the mosaic itself, or, since 2021, behind it
    what it was made into: "mono8".
    """
    encoding, _, rest = form.partition(";")
    stored = rest.partition("compressed")[2].strip() or encoding.strip()
    return stored if stored in BAYER else None


def decode_bytes(data: bytes, levels: Levels | None = None) -> Image:
    """As `decode_compressed`, of the bytes of a file."""
    return _decoded(data, levels)[0]


def _decoded(data: bytes, levels: Levels | None) -> tuple[Image, bool]:
    """Return the image, and whether it is grey in its file."""
    kind = _kind_of_file(data)
    if kind is None:
        start = data[:12].hex(" ") or "nothing"
        raise CaptureError(f"neither JPEG, PNG, WebP nor TIFF: {len(data)} bytes that start with {start}")
    try:
        with opened(io.BytesIO(data), CaptureError, formats=(kind.upper(),)) as image:
            is_grey = image.mode in ("1", "L", "F") or image.mode.startswith("I")
            fast = _jpeg_by_opencv(data) if kind == "JPEG" and image.mode in ("RGB", "L") else None
            return (rgb_pixels(image, data, levels) if fast is None else fast), is_grey
    except CaptureError as error:
        raise CaptureError(f"unusable {kind}: {error}") from error


def _kind_of_file(data: bytes) -> str | None:
    found = next((kind for magic, kind in MAGIC.items() if data.startswith(magic)), None)
    return None if found == "WebP" and data[8:12] != b"WEBP" else found


def _jpeg_by_opencv(data: bytes) -> Image | None:
    """Decode the image of a whole JPEG, without EXIF rotation; None where Pillow has to say what it is."""
    if not data.rstrip(b"\0").endswith(JPEG_END):
        return None  # OpenCV would fill up what is cut off
    try:
        import cv2
    except ImportError:
        return None
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if pixels is None else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels))


def _by_cv_bridge(message: Any) -> Image:
    known = ", ".join([*PACKED, *YUV422, *YUV420, *BAYER])
    try:
        cv_bridge = importlib.import_module("cv_bridge")
    except ImportError as error:
        raise CaptureError(
            f"unknown image encoding {message.encoding!r}, known: {known}; any other needs cv_bridge "
            "(apt install ros-$ROS_DISTRO-cv-bridge)"
        ) from error
    try:
        return np.asarray(cv_bridge.CvBridge().imgmsg_to_cv2(message, "rgb8"), dtype=np.uint8)
    except Exception as error:  # its own CvBridgeError, OpenCV's, KeyError
        raise CaptureError(
            f"unknown image encoding {message.encoding!r}, known: {known}; cv_bridge: {error}"
        ) from error


def encode_jpeg(image: Image, quality: int) -> bytes:
    """Encode the image (H, W, 3) uint8 RGB as a JPEG file. quality: 1 to 100."""
    file = io.BytesIO()
    PillowImage.fromarray(image).save(file, "JPEG", quality=quality)
    return file.getvalue()


def _deep_values_of_file(data: bytes) -> NDArray[np.uint16] | None:
    kind = _kind_of_file(data)
    if kind not in ("PNG", "TIFF"):
        return None
    with opened(io.BytesIO(data), CaptureError, formats=(kind,)) as image:
        return values_of_16_bits(image, data)


def is_plain_jpeg(data: bytes) -> bool:
    """Tell whether any reader shows a JPEG file as `decode_bytes` does: RGB, and no EXIF rotation."""
    if not data.startswith(JPEG_MAGIC):
        return False
    try:
        with opened(io.BytesIO(data), CaptureError, formats=("JPEG",)) as image:
            return image.mode == "RGB" and image.getexif().get(EXIF_ORIENTATION, 1) == 1
    except CaptureError:
        return False


def _check_even(encoding: str, is_even: bool, width: int, height: int) -> None:
    if not is_even:
        raise CaptureError(f"{encoding} needs an even size, got {width}x{height}")


def _bytes(data: Any) -> NDArray[np.uint8]:
    """ndarray, array.array, bytes or list: rosbags and rclpy deliver different kinds."""
    if isinstance(data, list):
        data = bytes(data)
    return np.frombuffer(memoryview(data), dtype=np.uint8)


def _rows(message: Any, height: int, width_bytes: int) -> NDArray[np.uint8]:
    """Return the data as (height, width_bytes), the padding at the end of each row cut away."""
    step, data = int(message.step), _bytes(message.data)
    if step < width_bytes:
        raise CaptureError(
            f"step is {step} bytes, a row of {message.width} {message.encoding} pixels has {width_bytes}"
        )
    if len(data) < step * height:
        raise CaptureError(f"data is cut off: {len(data)} bytes, {height} rows of {step} need {step * height}")
    return data[: step * height].reshape(height, step)[:, :width_bytes]


def _opaque(message: Any, encoding: str) -> NDArray[np.uint8]:
    """Return the bytes (height, width, B) of packed pixels without those of alpha, whose white is no picture's."""
    (channels, size, _), height, width = PACKED[encoding], int(message.height), int(message.width)
    rows = _rows(message, height, width * channels * size)
    return rows.reshape(height, width, channels * size)[..., : 3 * size]


def _one_byte(rows: NDArray[np.uint8], size: int, is_bigendian: Any, levels: Levels | None) -> NDArray[np.uint8]:
    if size == 1:
        return rows
    if levels is not None:
        return levels.to_bytes(_words(rows, is_bigendian))
    return rows[..., 0::2] if is_bigendian else rows[..., 1::2]


def _words(rows: NDArray[np.uint8], is_bigendian: Any) -> NDArray[np.uint16]:
    return np.ascontiguousarray(rows).view(">u2" if is_bigendian else "<u2").astype(np.uint16, copy=False)


def _ordered(pixels: NDArray[np.uint8], order: tuple[int, int, int]) -> Image:
    if order == (0, 1, 2) and pixels.shape[2] == 3 and pixels.flags.c_contiguous:
        return pixels
    # Plane by plane is several times faster in numpy than pixels[..., order].
    image = np.empty((*pixels.shape[:2], 3), dtype=np.uint8)
    if order == (0, 1, 2):
        image[...] = pixels[..., :3]
    else:
        for channel, source in enumerate(order):
            image[..., channel] = pixels[..., source]
    return image


def _converted(values: NDArray[np.uint8], code: str) -> Image:
    """By OpenCV; it takes YUV for BT.601, video range, and Bayer patterns are interpolated bilinearly."""
    cv2 = load_extra("cv2", "robot")
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(values), getattr(cv2, f"COLOR_{code}")))


def _demosaiced(mosaic: NDArray[np.uint8], code: str) -> Image:
    """Each missing colour is the mean of its two or four nearest neighbours."""
    height, width = mosaic.shape
    if min(height, width) < 3:
        raise CaptureError(f"a Bayer image of {width}x{height} pixels")
    # OpenCV knows no neighbours beyond the border, and repeats the pixels beside it. Reflection of two rows and columns
    # keeps the pattern.
    reflected = np.pad(mosaic, 2, mode="reflect")
    return np.ascontiguousarray(_converted(reflected, code)[2:-2, 2:-2])
