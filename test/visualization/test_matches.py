"""The image of an image with its landmarks."""

import numpy as np
import pytest

from campose_core.camera import Camera
from campose_core.geometry import Pose
from campose_core.localization.estimators.base import Matches
from campose_core.localization.result import LocalizationResult, Status
from campose_core.pixels.image_codec import decode_bytes
from campose_core.visualization.matches import EXPECTED, MAX_SIDE, SEEN, draw_matches, draw_result, encode_drawing


def matches(camera: Camera) -> Matches:
    """Four landmarks 2 m ahead, seen 10 pixels right of where they are, and one behind the camera."""
    xyz = np.array([[x, y, 2.0] for x in (-0.5, 0.5) for y in (-0.2, 0.5)] + [[0.0, 0.0, -1.0]])
    pixels = camera.project(xyz) + np.array([10.0, 0.0])
    pixels[-1] = 20.0, 400.0
    return Matches(camera, pixels, xyz)


def near_color(picture: np.ndarray, xy: np.ndarray, color: tuple[int, int, int], radius: int) -> bool:
    x, y = np.round(xy).astype(int)
    around = picture[y - radius : y + radius + 1, x - radius : x + radius + 1].reshape(-1, 3).astype(int)
    return bool((np.abs(around - color).max(axis=1) < 40).any())


@pytest.mark.parametrize("shape", [(480, 640, 3), (480, 640), (1080, 1920, 3)])
def test_dots_where_landmarks_were_seen_and_rings_where_they_should_be(shape):
    image = np.full(shape, 90, dtype=np.uint8)
    height, width = shape[:2]
    camera = Camera("PINHOLE", width, height, (0.8 * width, 0.8 * width, width / 2 - 0.5, height / 2 - 0.5))
    found = matches(camera)
    drawing = draw_matches(image, found, Pose.identity(), "TRACKING", True)
    assert max(drawing.shape) <= MAX_SIDE
    assert (image == 90).all()
    scale = drawing.shape[1] / width
    for pixel, expected in zip(found.pixels[:4], camera.project(found.xyz[:4]), strict=True):
        assert near_color(drawing, (pixel + 0.5) * scale - 0.5, SEEN, 1)
        assert near_color(drawing, (expected + 0.5) * scale - 0.5, EXPECTED, 5)
    without_pose = draw_matches(image, found, None, "LOST", False)
    assert not near_color(without_pose, (camera.project(found.xyz[:1])[0] + 0.5) * scale - 0.5 - [3, 0], EXPECTED, 1)


def test_a_result_without_landmarks_is_drawn_too_and_says_what_it_is():
    image = np.full((480, 640, 3), 90, dtype=np.uint8)
    lost = draw_result(image, LocalizationResult(5, Status.LOST))
    tracking = draw_result(image, LocalizationResult(5, Status.TRACKING, map_from_cam=Pose.identity(), support=30))
    assert (lost[100:] == 90).all()
    assert (lost[:30] != tracking[:30]).any()
    assert np.abs(decode_bytes(encode_drawing(tracking)).astype(int) - tracking).mean() < 6
