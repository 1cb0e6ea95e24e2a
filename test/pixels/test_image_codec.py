"""Pixels out of messages, against encoders written here from the definitions of the encodings."""

import array
import contextlib
import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from campose_core.errors import CaptureError
from campose_core.image_files import opened
from campose_core.pixels.image_codec import (
    BAYER,
    PACKED,
    YUV420,
    YUV422,
    decode_bytes,
    decode_compressed,
    decode_image,
    is_plain_jpeg,
)

ENCODINGS = [*PACKED, *YUV422, *YUV420, *BAYER]


def photo(height, width, seed=0):
    """A smooth colourful image: what chroma subsampling and demosaicing are made for."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    rng = np.random.default_rng(seed)
    planes = [0.5 + 0.4 * np.sin(rng.uniform(0, 3) * x + rng.uniform(0, 3) * y + rng.uniform(0, 6)) for _ in range(3)]
    return np.clip(np.stack(planes, axis=-1) * 255, 0, 255).astype(np.uint8)


def message(rows, width, height, encoding, padding=0, big=False):
    """rows: (R, B) bytes; `padding` rubbish bytes follow each row."""
    rubbish = np.full((len(rows), padding), 0xA5, dtype=np.uint8)
    padded = np.concatenate([rows.reshape(len(rows), -1), rubbish], axis=1)
    step = padded.shape[1]
    return SimpleNamespace(
        width=width, height=height, encoding=encoding, step=step, is_bigendian=int(big), data=padded.reshape(-1)
    )


def yuv(rgb):
    """ITU-R BT.601, video range, from its real-valued definition."""
    r, g, b = (rgb[..., i].astype(float) for i in range(3))
    luma = 0.299 * r + 0.587 * g + 0.114 * b
    y = 16 + luma * 219 / 255
    u = 128 + (b - luma) / (1 - 0.114) / 2 * 224 / 255
    v = 128 + (r - luma) / (1 - 0.299) / 2 * 224 / 255
    return y, u, v


def encode(rgb, encoding, padding=0, big=False):
    height, width = rgb.shape[:2]
    as_message = lambda rows: message(rows.astype(np.uint8), width, height, encoding, padding, big)  # noqa: E731
    grey = rgb[..., 0]
    with_alpha = lambda pixels: np.concatenate([pixels, np.full((height, width, 1), 77)], axis=2)  # noqa: E731
    if encoding in YUV422:
        y, u, v = yuv(rgb)
        u, v = u.reshape(height, -1, 2).mean(2), v.reshape(height, -1, 2).mean(2)
        y0, y1 = y[:, 0::2], y[:, 1::2]
        order = (u, y0, v, y1) if encoding in ("yuv422", "uyvy") else (y0, u, y1, v)
        return as_message(np.rint(np.stack(order, axis=-1)).reshape(height, -1))
    if encoding in YUV420:
        y, u, v = yuv(rgb)
        u, v = (c.reshape(height // 2, 2, width // 2, 2).mean((1, 3)) for c in (u, v))
        pairs = np.stack((u, v) if encoding == "nv12" else (v, u), axis=-1).reshape(height // 2, width)
        return as_message(np.rint(np.concatenate([y, pairs])))
    if encoding.startswith("bayer"):
        mosaic = np.zeros((height, width), dtype=np.uint8)
        for site, colour in enumerate(encoding[6:10]):
            top, left = divmod(site, 2)
            mosaic[top::2, left::2] = rgb[top::2, left::2, "rgb".index(colour)]
        pixels = mosaic[..., None]
    else:
        blue_first = rgb[..., ::-1]
        pixels = {
            "mono": grey[..., None], "8uc1": grey[..., None], "16uc": grey[..., None], "rgb8": rgb, "rgb1": rgb,
            "rgba": with_alpha(rgb), "bgr8": blue_first, "bgr1": blue_first, "8uc3": blue_first,
            "bgra": with_alpha(blue_first), "8uc4": with_alpha(blue_first),
        }[encoding[:4]]  # fmt: skip
    if "16" in encoding:  # the upper byte carries the value, the lower one noise
        words = pixels.astype(np.uint16) * 256 + np.arange(pixels.size).reshape(pixels.shape) % 256
        return as_message(words.astype(">u2" if big else "<u2").reshape(height, -1).view(np.uint8))
    return as_message(pixels.reshape(height, -1))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("big", [False, True])
@settings(max_examples=8, deadline=None)
@given(
    half_width=st.integers(2, 24), half_height=st.integers(2, 24), padding=st.integers(0, 9), seed=st.integers(0, 99)
)
def test_every_encoding_gives_back_the_picture(encoding, big, half_width, half_height, padding, seed):
    rgb = photo(2 * half_height, 2 * half_width, seed)
    decoded = decode_image(encode(rgb, encoding, padding, big))
    assert decoded.dtype == np.uint8
    assert decoded.flags.c_contiguous
    assert decoded.flags.writeable
    if encoding in ("mono8", "mono16", "8uc1", "16uc1"):
        np.testing.assert_array_equal(decoded, np.repeat(rgb[..., :1], 3, axis=2))
    elif encoding in PACKED:
        np.testing.assert_array_equal(decoded, rgb)
    elif encoding in BAYER:
        for site, colour in enumerate(encoding[6:10]):  # measured colours are kept as they are
            top, left = divmod(site, 2)
            channel = "rgb".index(colour)
            np.testing.assert_array_equal(decoded[top::2, left::2, channel], rgb[top::2, left::2, channel])
        change = max(np.abs(np.diff(rgb.astype(int), axis=axis)).max() for axis in (0, 1))
        assert np.abs(decoded.astype(int) - rgb).max() <= 2 * change + 1
    else:
        change = max(np.abs(np.diff(rgb.astype(int), axis=axis)).max() for axis in (0, 1))
        assert np.abs(decoded.astype(int) - rgb).max() <= 2 * change + 4


@pytest.mark.parametrize("encoding", sorted(BAYER))
@pytest.mark.parametrize("colour", [(200, 0, 0), (0, 200, 0), (0, 0, 200), (90, 140, 30)])
def test_a_bayer_image_of_one_colour_is_that_colour_up_to_its_borders(encoding, colour):
    rgb = np.broadcast_to(np.array(colour, dtype=np.uint8), (7, 9, 3))
    np.testing.assert_array_equal(decode_image(encode(rgb, encoding)), rgb)


def test_golden_pixels_of_video_yuv():
    # Colour bars at 100 %, ITU-R BT.601 code values.
    bars = {(235, 128, 128): (255, 255, 255), (81, 90, 240): (255, 0, 0), (145, 54, 34): (0, 255, 0),
            (41, 240, 110): (0, 0, 255), (16, 128, 128): (0, 0, 0)}  # fmt: skip
    for (y, u, v), rgb in bars.items():
        decoded = decode_image(message(np.array([[u, y, v, y]], dtype=np.uint8), 2, 1, "yuv422"))
        assert np.abs(decoded.astype(int) - rgb).max() <= 2


@pytest.mark.parametrize("kind", [bytes, bytearray, list, lambda data: array.array("B", data), memoryview])
def test_any_kind_of_buffer_is_read(kind):
    rgb = photo(4, 6)
    sent = encode(rgb, "bgr8")
    sent.data = kind(sent.data.tobytes())
    np.testing.assert_array_equal(decode_image(sent), rgb)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"encoding": "jpeg"}, "unknown image encoding 'jpeg', known: mono8"),
        ({"encoding": ""}, "unknown image encoding ''"),
        ({"width": 0}, "0x4 pixels"),
        ({"height": 0}, "6x0 pixels"),
        ({"step": 17}, "step is 17 bytes, a row of 6 rgb8 pixels has 18"),
        ({"step": 0}, "step is 0"),
        ({"data": b"\0" * 71}, "cut off: 71 bytes, 4 rows of 18 need 72"),
        ({"data": b""}, "cut off: 0 bytes"),
        ({"width": 16384, "height": 16384, "step": 49152}, "16384x16384 pixels"),
        ({"width": 2**32 - 1, "height": 2**32 - 1}, "pixels"),
        ({"width": 5, "encoding": "yuv422"}, "even"),
        ({"height": 3, "encoding": "nv12"}, "even"),
        ({"height": 1, "encoding": "bayer_rggb8"}, "Bayer image of 6x1"),
    ],
)
def test_broken_messages_are_refused_with_the_reason(change, complaint):
    sent = encode(photo(4, 6), "rgb8")
    for name, value in change.items():
        setattr(sent, name, value)
    with pytest.raises(CaptureError, match=complaint):
        decode_image(sent)


def file_bytes(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def compressed(data, kind="anything at all"):
    return SimpleNamespace(data=np.frombuffer(data, dtype=np.uint8), format=kind)


@pytest.mark.parametrize("kind", ["jpeg", "png", "", "rgb8; jpeg compressed bgr8", "tiff"])
def test_compressed_images_are_told_by_their_bytes_not_by_their_label(kind):
    rgb = photo(48, 64)
    picture = PillowImage.fromarray(rgb)
    np.testing.assert_array_equal(decode_compressed(compressed(file_bytes(picture, "PNG"), kind)), rgb)
    jpeg = decode_compressed(compressed(file_bytes(picture, "JPEG", quality=95), kind))
    assert np.abs(jpeg.astype(int) - rgb).mean() < 2
    webp = file_bytes(picture, "WEBP", lossless=True)
    for data in (webp, file_bytes(picture, "TIFF"), file_bytes(picture, "TIFF", compression="tiff_lzw")):
        np.testing.assert_array_equal(decode_compressed(compressed(data, kind)), rgb)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize(("bits", "kind"), [(8, "png"), (8, "jpeg"), (8, "tiff"), (16, "png"), (16, "tiff")])
@pytest.mark.parametrize("form", ["{0}; {1} compressed ", "{0}; {1} compressed {0}", "{0}"])
def test_a_compressed_bayer_mosaic_becomes_colour(pattern, bits, kind, form):
    # compressed_publisher.cpp of image_transport_plugins, noetic-devel and rolling: what is no colour image is
    # stored as it is, and nothing is named behind "compressed "; of JPEG, its issue 68.
    encoding, colour = f"bayer_{pattern}{bits}", (200, 140, 30)
    sent = encode(np.broadcast_to(np.array(colour, dtype=np.uint8), (16, 24, 3)), encoding)
    mosaic = PillowImage.fromarray(sent.data.view(f"<u{bits // 8}").reshape(16, 24))
    data = file_bytes(mosaic, kind, **({"quality": 100} if kind == "jpeg" else {}))
    decoded = decode_compressed(compressed(data, form.format(encoding, kind)))
    assert np.abs(decoded.astype(int) - colour).max() <= (3 if kind == "jpeg" else 0)


@pytest.mark.parametrize("form", ["bayer_rggb8; jpeg compressed mono8", "mono8; jpeg compressed ", "jpeg"])
def test_grey_that_is_no_mosaic_stays_grey(form):
    # Humble and later turn a mosaic into mono8 first, and say so: JPEG only supports 8 bits images (#73).
    grey = PillowImage.fromarray(photo(16, 24)[..., 0])
    decoded = decode_compressed(compressed(file_bytes(grey, "JPEG", quality=100), form))
    assert np.ptp(decoded.astype(int), axis=2).max() == 0
    colour = photo(16, 24)
    bgr = compressed(file_bytes(PillowImage.fromarray(colour), "PNG"), "bayer_rggb8; png compressed bgr8")
    np.testing.assert_array_equal(decode_compressed(bgr), colour)


@pytest.mark.parametrize("form", ["32FC1; tiff compressed ", "16UC1; compressedDepth png"])
def test_compressed_depth_is_no_picture(form):
    data = file_bytes(PillowImage.fromarray(np.full((8, 8), 0.5, dtype=np.float32)), "TIFF")
    with pytest.raises(CaptureError, match=r"is depth.*, no picture: .*--topic"):
        decode_compressed(compressed(data, form))


def test_grey_transparent_and_deep_files_become_rgb():
    grey = photo(8, 8)[..., 0]
    expected = np.repeat(grey[..., None], 3, axis=2)
    deep = PillowImage.fromarray(grey.astype(np.uint16) * 256 + 99)
    for data in (
        file_bytes(PillowImage.fromarray(grey), "PNG"),
        file_bytes(deep, "PNG"),
        file_bytes(PillowImage.fromarray(grey).convert("RGBA"), "PNG"),
        file_bytes(PillowImage.fromarray(grey).convert("LA"), "PNG"),
    ):
        np.testing.assert_array_equal(decode_compressed(compressed(data)), expected)
    assert decode_compressed(compressed(file_bytes(PillowImage.fromarray(grey), "JPEG"))).shape == (8, 8, 3)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_files_are_refused_or_decoded_never_more(data):
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF"]))
    file = bytearray(file_bytes(PillowImage.fromarray(photo(24, 32)), kind))
    for _ in range(data.draw(st.integers(0, 4))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    del file[data.draw(st.integers(0, len(file))) :]
    with contextlib.suppress(CaptureError):
        assert decode_compressed(compressed(bytes(file))).shape[2] == 3


@pytest.mark.parametrize(
    ("kind", "why"), [("JPEG", "cut off"), ("PNG", "cut off"), ("TIFF", "cut off|no image"), ("WebP", "damaged")]
)
def test_a_file_cut_in_the_middle_is_refused(kind, why):
    data = file_bytes(PillowImage.fromarray(photo(64, 64)), kind)
    with pytest.raises(CaptureError, match=f"unusable {kind}: it is ({why})"):
        decode_compressed(compressed(data[: len(data) // 2]))
    for data in (b"", b"BM6$", b"RIFF1234WAVE"):
        with pytest.raises(CaptureError, match=f"neither JPEG, PNG, WebP nor TIFF: {len(data)} bytes"):
            decode_compressed(compressed(data))


def test_a_decompression_bomb_is_refused_before_it_is_decoded():
    with pytest.raises(CaptureError, match=r"16000x16000 pixels|bomb"):
        decode_compressed(compressed(file_bytes(PillowImage.new("1", (16000, 16000)), "PNG")))


def test_only_jpeg_files_that_every_reader_shows_alike_are_plain():
    picture = PillowImage.fromarray(photo(16, 24))
    turned = PillowImage.Exif()
    turned[0x0112] = 6
    assert is_plain_jpeg(file_bytes(picture, "JPEG"))
    assert not is_plain_jpeg(file_bytes(picture, "JPEG", exif=turned))
    assert not is_plain_jpeg(file_bytes(picture.convert("L"), "JPEG"))
    assert not is_plain_jpeg(file_bytes(picture.convert("CMYK"), "JPEG"))
    assert not is_plain_jpeg(file_bytes(picture, "PNG"))
    assert not is_plain_jpeg(b"\xff\xd8\xff")


@pytest.mark.parametrize("encoding", [*YUV422, *YUV420, *(name for name in BAYER if name.endswith("8"))])
def test_the_pixels_are_those_of_opencv(encoding):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'campose_ros[robot]'")
    codes = {
        "yuv422": "YUV2RGB_UYVY", "uyvy": "YUV2RGB_UYVY", "yuv422_yuy2": "YUV2RGB_YUY2", "yuyv": "YUV2RGB_YUY2",
        "yuy2": "YUV2RGB_YUY2", "nv12": "YUV2RGB_NV12", "nv21": "YUV2RGB_NV21",
    }  # fmt: skip
    rows, channels = (36, 1) if encoding in YUV420 else (24, 2 if encoding in YUV422 else 1)
    noise = np.random.default_rng(1).integers(0, 256, (rows, 32, channels), dtype=np.uint8)
    code = codes.get(encoding) or f"Bayer{encoding[6:10].upper()}2RGB"
    expected = cv2.cvtColor(noise, getattr(cv2, f"COLOR_{code}")).astype(int)
    decoded = decode_image(message(noise.reshape(rows, -1), 32, 24, encoding)).astype(int)
    inside = (slice(1, -1), slice(1, -1))  # OpenCV repeats the last rows and columns of a Bayer image
    difference = np.abs(decoded - expected)
    assert (difference[inside] == 0).all() if encoding in BAYER else difference.max() <= 1


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_a_jpeg_has_the_same_pixels_with_opencv_and_without(monkeypatch, mode, subsampling):
    pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'campose_ros[robot]'")
    picture = PillowImage.fromarray(photo(75, 101)).convert(mode)
    sent = compressed(file_bytes(picture, "JPEG", quality=90, subsampling=subsampling))
    fast = decode_compressed(sent)
    monkeypatch.setitem(sys.modules, "cv2", None)
    np.testing.assert_array_equal(decode_compressed(sent), fast)


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "mono8", "bayer_rggb8"])
def test_the_pixels_are_those_of_cv_bridge(encoding):
    bridge = pytest.importorskip("cv_bridge", reason="cv_bridge comes with a ROS distribution").CvBridge()
    sent = encode(photo(24, 32), encoding)
    sent.data = sent.data.tobytes()
    inside = (slice(1, -1), slice(1, -1))
    np.testing.assert_array_equal(decode_image(sent)[inside], bridge.imgmsg_to_cv2(sent, "rgb8")[inside])


def test_rgb_without_padding_is_not_copied():
    sent = encode(photo(24, 32), "rgb8")
    assert np.shares_memory(decode_image(sent), sent.data)
    padded = encode(photo(24, 32), "rgb8", padding=3)
    assert not np.shares_memory(decode_image(padded), padded.data)


def test_photos_up_to_our_limit_are_opened_and_a_larger_one_is_refused_with_it(tmp_path, recwarn):
    for height, allowed in ((9000, True), (16000, True), (17000, False)):
        file = io.BytesIO()
        PillowImage.new("1", (12_500, height)).save(file, "PNG")
        if allowed:
            with opened(file, CaptureError) as image:
                assert image.size == (12_500, height)
        else:
            words = r"12500x17000 pixels are 212 megapixels, at most 200 are read: make it smaller"
            with pytest.raises(CaptureError, match=words), opened(file, CaptureError):
                pass
            with pytest.raises(CaptureError, match=words):
                decode_bytes(file.getvalue())
    assert not recwarn.list


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "it is no image"), (b"GIF89a", "it is no image|damaged"), (b"II*\0" + bytes(50), "no image|damaged")],
)
def test_why_an_image_cannot_be_read_is_said_in_our_words(data, words):
    with pytest.raises(CaptureError, match=words), opened(io.BytesIO(data), CaptureError) as image:
        image.load()
