"""Colour of 16 bits out of files, against writers of PNG, TIFF and PPM written here from their specifications."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as PillowImage

from campose_core.capture.recording import open_recording
from campose_core.errors import CaptureError
from campose_core.image_files import opened
from campose_core.pixels.deep_images import values_of_16_bits
from campose_core.pixels.image_codec import decode_bytes

COLOUR, GREY_ALPHA, COLOUR_ALPHA = 2, 4, 6  # colour types of PNG, ISO 15948
GREY = np.tile(np.arange(256, dtype=np.uint16), (48, 1))


def noise(channels=3):
    return np.random.default_rng(channels).integers(0, 65536, (7, 11, channels)).astype(np.uint16)


def png(values, colour_type, orientation=None):
    """Rows filtered by Sub, whose differences reach over all bytes of a pixel."""
    height, width, channels = values.shape
    rows = values.astype(">u2").reshape(height, -1).view(np.uint8).astype(int)
    left = np.pad(rows, ((0, 0), (2 * channels, 0)))[:, : rows.shape[1]]
    filtered = np.pad((rows - left).astype(np.uint8), ((0, 0), (1, 0)), constant_values=1)
    exif = PillowImage.Exif()
    exif[0x0112] = orientation or 1

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)),
            chunk(b"eXIf", exif.tobytes()[6:]) if orientation else b"",
            chunk(b"IDAT", zlib.compress(filtered.tobytes())),
            chunk(b"IEND", b""),
        ]
    )


def tiff(values, order="<", alpha=0, deflated=False, in_planes=False, sample_format=1):
    """Baseline TIFF 6.0 of one strip, with its tags of a fixed size.

    alpha: 1 where colours are multiplied by it, 2 where not.
    """
    height, width, channels = values.shape
    pixels = (np.moveaxis(values, 2, 0) if in_planes else values).astype(order + values.dtype.str[1:]).tobytes()
    strips = [zlib.compress(pixels) if deflated else pixels]
    if in_planes:
        strips = [pixels[i * len(pixels) // channels :][: len(pixels) // channels] for i in range(channels)]
    data = b"".join(strips)
    extra = io.BytesIO()
    bits = 8 * values.dtype.itemsize
    end = 8 + len(data)
    tags = {
        256: [width], 257: [height], 258: [bits] * channels, 259: [8 if deflated else 1],
        262: [2 if channels > 1 else 1], 273: [8 + sum(map(len, strips[:i])) for i in range(len(strips))],
        277: [channels], 278: [height], 279: [len(strip) for strip in strips], 284: [2 if in_planes else 1],
        **({338: [alpha]} if alpha else {}), 339: [sample_format] * channels,
    }  # fmt: skip
    after = end + 2 + 12 * len(tags) + 4
    entries = b""
    for tag, numbers in tags.items():
        packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
        kind = 4
        if tag in (258, 259, 262, 277, 284, 338, 339):
            packed, kind = struct.pack(f"{order}{len(numbers)}H", *numbers), 3
        entries += struct.pack(f"{order}HHI", tag, kind, len(numbers))
        if len(packed) > 4:
            entries += struct.pack(f"{order}I", after + extra.tell())
            extra.write(packed)
        else:
            entries += packed.ljust(4, b"\0")
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", end)
    return start + data + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + extra.getvalue()


def ppm(values, white=65535):
    height, width, _ = values.shape
    return f"P6\n{width} {height}\n{white}\n".encode() + values.astype(">u2").tobytes()


def read(data, upright=False):
    with opened(io.BytesIO(data), CaptureError) as image:
        return values_of_16_bits(image, data, upright)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize(("channels", "alpha"), [(3, 0), (4, 1), (4, 2)])
def test_every_value_of_a_tiff_is_read_whole(order, deflated, channels, alpha):
    values = noise(channels)
    np.testing.assert_array_equal(read(tiff(values, order, alpha, deflated)), values[..., :3])


def test_every_value_of_a_png_and_a_ppm_is_read_whole():
    colour, with_alpha, grey_alpha = noise(3), noise(4), noise(2)
    np.testing.assert_array_equal(read(png(colour, COLOUR)), colour)
    np.testing.assert_array_equal(read(png(with_alpha, COLOUR_ALPHA)), with_alpha[..., :3])
    np.testing.assert_array_equal(read(png(grey_alpha, GREY_ALPHA)), np.repeat(grey_alpha[..., :1], 3, axis=2))
    np.testing.assert_array_equal(read(ppm(colour)), colour)
    assert np.abs(read(ppm(colour >> 4, 4095)).astype(int) - colour).max() <= 16  # of what is white there
    assert read(b"P6\n2 1\n255\n" + bytes(6)) is None


def test_deep_colour_is_turned_upright_as_any_image():
    values = noise()
    np.testing.assert_array_equal(read(png(values, COLOUR, 6)), values)
    np.testing.assert_array_equal(read(png(values, COLOUR, 6), upright=True), np.rot90(values, -1))


@pytest.mark.parametrize("file", [png(noise(), COLOUR), tiff(noise()), tiff(noise(), deflated=True), ppm(noise())])
def test_deep_colour_that_is_cut_off_is_refused(file):
    with pytest.raises(CaptureError, match=r"cut off|damaged|no image"):
        read(file[: len(file) // 2])


def test_deep_colour_in_a_way_that_is_not_read_is_refused_with_a_remedy():
    with pytest.raises(CaptureError, match="16 bit colour in separate planes: save it as PNG"):
        read(tiff(noise(), in_planes=True))
    with pytest.raises(CaptureError, match="16 bit colour written as text: save it as PNG"):
        read(b"P3\n1 1\n4095\n1 2 3\n")


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.ppm"])
def test_a_folder_of_12_bit_colour_is_as_bright_as_it_was(tmp_path, capsys, name):
    colours = np.stack([GREY, GREY // 2, GREY // 4], axis=-1)
    write = {"a.png": lambda values: png(values, COLOUR), "a.tif": tiff, "a.ppm": ppm}[name]
    for number in range(3):
        (tmp_path / f"{number}{name}").write_bytes(write(colours << 4 >> number))
    recording = open_recording(tmp_path)
    for number, frame in enumerate(recording.frames()):
        np.testing.assert_array_equal(frame.image, colours >> number)
    said = "16 bit values that use 12 bits keep the upper 8 of these, in all images alike"
    assert capsys.readouterr().err.count(said) == 1
    assert recording.describe()["values"] == said


@pytest.mark.parametrize("colour", [0, 1, 2])
def test_the_brightest_colour_decides(tmp_path, colour):
    colours = np.zeros((320, 320, 3), dtype=np.uint16)  # 15 values apart lie those that are looked at
    colours[..., colour] = np.arange(320) * 12
    (tmp_path / "a.png").write_bytes(png(colours, COLOUR))
    (frame,) = open_recording(tmp_path).frames()
    np.testing.assert_array_equal(frame.image, colours >> 4)


def test_floating_point_is_read_where_it_is_known_what_is_white(tmp_path):
    grey = (GREY / 255).astype(np.float32)
    (tmp_path / "a.tif").write_bytes(tiff(grey[..., None], sample_format=3))
    (frame,) = open_recording(tmp_path).frames()
    np.testing.assert_array_equal(frame.image[..., 0], GREY)
    for values, said in ((grey * 1000, "0 to 1000"), (grey - 0.5, "-0.5 to 0.5"), (grey + np.nan, "nan to nan")):
        (tmp_path / "a.tif").write_bytes(tiff(values.astype(np.float32)[..., None], sample_format=3))
        with pytest.raises(CaptureError, match=rf"a\.tif: floating-point values of {said}, and only 0 \(black\) to 1"):
            list(open_recording(tmp_path).frames())


def test_without_a_look_at_the_recording_the_upper_byte_is_kept():
    np.testing.assert_array_equal(decode_bytes(png(noise(), COLOUR)), noise() >> 8)
