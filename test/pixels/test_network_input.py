"""Images of any camera, as the network's camera would have taken them."""

import numpy as np
import pytest
from learnable import CAMERA

from campose_core.camera import Camera
from campose_core.errors import LearningError
from campose_core.pixels.network_input import NetworkInput


def coordinates_picture(camera: Camera) -> np.ndarray:
    """Red and green tell the horizontal and vertical tangent of each pixel's ray."""
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    x, y = (columns - camera.centre[0]) / camera.focal[0], (rows - camera.centre[1]) / camera.focal[1]
    return np.clip(np.stack([128 + 150 * x, 128 + 150 * y, 0 * x], axis=-1), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "other",
    [
        Camera("PINHOLE", 128, 96, (110.0, 112.0, 60.0, 49.0)),
        Camera("PINHOLE", 96, 160, (60.0, 60.0, 50.0, 70.0)),
        Camera("SIMPLE_PINHOLE", 200, 120, (100.0, 99.5, 59.5)),
    ],
)
def test_another_camera_is_cut_so_that_each_ray_falls_on_its_pixel(other):
    trained = Camera("PINHOLE", 128, 96, (115.0, 115.0, 63.5, 47.5))
    network_input = NetworkInput.covering(trained, 64)
    expected = network_input.prepare(coordinates_picture(trained), trained).astype(int)
    found = network_input.prepare(coordinates_picture(other), other).astype(int)
    inner = (slice(8, -8), slice(8, -8))
    assert np.abs(found[inner] - expected[inner]).max() <= 3


def test_a_camera_that_sees_too_little_is_refused():
    network_input = NetworkInput.covering(CAMERA, 32)
    tele = Camera("PINHOLE", 64, 48, (140.0, 140.0, 31.5, 23.5))
    with pytest.raises(LearningError, match=r"of \d+x\d+ pixels .* shows \d+% of the view .* in a scene of their own"):
        network_input.prepare(np.zeros((48, 64, 3), np.uint8), tele)
    with pytest.raises(LearningError, match=r"\(10, 64, 3\) does not fit"):
        network_input.prepare(np.zeros((10, 64, 3), np.uint8), CAMERA)
