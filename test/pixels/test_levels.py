"""16 bit images: 10, 12 and 14 bits, and thermal ones, become 8 bits alike in all images of a recording."""

import io

import numpy as np
import pytest
from PIL import Image as PillowImage
from recordings import START_NS, TOPIC, Messages, picture, write_bag

from campose_core.bag.image_messages import ImageDecoder
from campose_core.capture.recording import open_recording
from campose_core.pixels.levels import Levels

GREY = np.stack([np.tile(np.arange(256), (48, 1))] * 6) // np.arange(1, 7)[:, None, None]  # each darker than before


def deep_message(index, values, encoding="mono16"):
    message = Messages().image(START_NS + index * 100_000_000, picture(0))
    message.encoding, message.height, message.width, message.step = encoding, *values.shape, values.shape[1] * 2
    message.data = values.astype("<u2").view(np.uint8).reshape(-1)
    return message


def png_message(index, values):
    file = io.BytesIO()
    PillowImage.fromarray(values.astype(np.uint16)).save(file, "PNG")
    return Messages().compressed(START_NS + index * 100_000_000, file.getvalue())


def recorded(tmp_path, values, make=deep_message):
    entries = [(TOPIC, START_NS + i, make(i, image)) for i, image in enumerate(values)]
    return open_recording(write_bag(tmp_path / "deep", entries))


@pytest.mark.parametrize("make", [deep_message, png_message])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_values_of_fewer_bits_are_the_image_and_stay_comparable(tmp_path, capsys, make, bits):
    recording = recorded(tmp_path, GREY << (bits - 8), make)
    for frame, grey in zip(recording.frames(), GREY, strict=True):
        np.testing.assert_array_equal(frame.image[..., 0], grey)
    said = f"16 bit values that use {bits} bits keep the upper 8 of these, in all images alike"
    assert capsys.readouterr().err.count(said) == (bits < 16)
    assert (recording.describe().get("values") == said) == (bits < 16)


@pytest.mark.parametrize(("low", "span"), [(7000, 1500), (29000, 2500), (60000, 900)])
def test_a_thermal_camera_is_stretched_between_its_coldest_and_its_warmest(tmp_path, capsys, low, span):
    values = low + GREY * span // 255
    images = np.stack([frame.image[..., 0].astype(int) for frame in recorded(tmp_path, values).frames()])
    assert images.min() == 0
    assert images.max() >= 250
    expected = np.clip(GREY, 0, 255)
    assert np.abs(images - expected).max() <= 4
    assert "are stretched to 8 bits, in all images alike" in capsys.readouterr().err


def test_what_a_running_camera_shows_decides_as_it_comes(caplog):
    caplog.set_level("INFO")
    decoder = ImageDecoder()
    for index, grey in enumerate(GREY):
        ((_, _, pixels, _),) = decoder.feed(deep_message(index, grey << 4))
        np.testing.assert_array_equal(pixels()[..., 0], grey)
    assert caplog.text.count("use 12 bits") == 1


@pytest.mark.parametrize("encoding", ["bayer_rggb16", "16uc1", "mono16"])
def test_dead_pixels_and_lamps_do_not_make_the_others_dark(tmp_path, encoding):
    values = np.tile(np.arange(64, 320) * 8, (48, 1))
    values[0, ::64] = 65535
    (frame,) = recorded(tmp_path, [values], lambda index, image: deep_message(index, image, encoding)).frames()
    assert 90 < np.median(frame.image) < 100


@pytest.mark.parametrize("encoding", ["rgba16", "bgra16"])
def test_alpha_is_no_value_of_the_picture(tmp_path, encoding):
    def message(index, values):
        made = deep_message(index, values.reshape(len(values), -1), encoding)
        made.width = values.shape[1]
        return made

    grey = GREY[0, :12]
    values = np.stack([grey << 4] * 3 + [np.full_like(grey, 65535)], axis=-1)
    (frame,) = recorded(tmp_path, [values], message).frames()
    np.testing.assert_array_equal(frame.image, np.stack([grey] * 3, axis=-1))
    ((_, _, pixels, _),) = ImageDecoder().feed(message(0, values))
    np.testing.assert_array_equal(pixels(), frame.image)


def test_a_blank_image_is_no_contrast():
    levels = Levels()
    noise = 8000 + np.random.default_rng(1).integers(0, 4, (48, 64)).astype(np.uint16)
    assert np.ptp(levels.to_bytes(noise)) < 20
