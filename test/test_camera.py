import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import cameras

from campose_core.bag.opencv_camera import camera_of_info
from campose_core.camera import Camera
from campose_core.errors import GeometryError

POINTS = np.array([[0.1, -0.2, 1.0], [-0.3, 0.1, 2.0], [0.4, 0.3, 1.5], [0.0, 0.0, 1.0]])


@given(cameras())
def test_colmap_and_dict_round_trips(camera):
    from_colmap = Camera.from_colmap(*camera.to_colmap())
    np.testing.assert_allclose(from_colmap.params, camera.params, atol=1e-9)
    assert Camera.from_dict(camera.to_dict()) == camera


@given(cameras())
def test_projection_agrees_with_colmap(camera):
    """COLMAP's own projection, in the pixels that it is told: half a pixel apart by convention."""
    from campose_core.landmark_map.colmap import to_colmap_camera, to_colmap_pixels

    theirs = np.array([to_colmap_camera(camera).img_from_cam(point) for point in POINTS]).reshape(-1, 2)
    np.testing.assert_allclose(to_colmap_pixels(camera, camera.project(POINTS)), theirs, atol=1e-6)


@given(cameras())
def test_rays_invert_projection(camera):
    np.testing.assert_allclose(camera.rays(camera.project(POINTS)), POINTS[:, :2] / POINTS[:, 2:], atol=1e-7)


@given(cameras(models=("PINHOLE", "OPENCV", "FULL_OPENCV", "OPENCV_FISHEYE")), st.floats(0.2, 3.0), st.floats(0.2, 3.0))
def test_resizing_moves_pixels_as_the_picture_is_scaled(camera, x_scale, y_scale):
    small = camera.resized(max(1, round(camera.width * x_scale)), max(1, round(camera.height * y_scale)))
    scale = np.array([small.width / camera.width, small.height / camera.height])
    np.testing.assert_allclose(small.project(POINTS) + 0.5, (camera.project(POINTS) + 0.5) * scale, atol=1e-6)


@given(cameras(), st.integers(0, 20), st.integers(0, 20))
def test_cropping_shifts_pixels(camera, left, top):
    cropped = camera.cropped(left, top, camera.width - left, camera.height - top)
    np.testing.assert_allclose(cropped.project(POINTS), camera.project(POINTS) - [left, top], atol=1e-9)


@given(cameras(), st.integers(0, 3))
def test_rotation_follows_numpy_rot90(camera, turns):
    """A mark painted at a projected pixel is found at the rotated camera's projection of the rotated point."""
    quarter = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]])  # new x = old y, new y = -old x
    points = POINTS @ np.linalg.matrix_power(quarter, turns).T
    old = camera.project(POINTS)
    for _ in range(turns):
        width = camera.width if _ % 2 == 0 else camera.height
        old = np.stack([old[:, 1], width - 1 - old[:, 0]], axis=1)
    np.testing.assert_allclose(camera.rotated(turns).project(points), old, atol=1e-6)
    assert camera.rotated(4) == camera


def test_points_behind_the_camera_have_no_pixel():
    camera = Camera.from_field_of_view(640, 480, 60)
    assert np.isnan(camera.project([[0, 0, -1], [0, 0, 0]])).all()


def test_field_of_view():
    camera = Camera.from_field_of_view(640, 480, 90)
    edge = camera.project([[1.0, 0, 1.0]])[0, 0]
    assert edge == pytest.approx(639.5)  # the outer edge of the last pixel


K = [500.0, 0, 320, 0, 510, 240, 0, 0, 1]


@pytest.mark.parametrize(
    ("d", "distortion", "model"),
    [
        ([], "", "PINHOLE"),
        ([0.0] * 5, "plumb_bob", "PINHOLE"),
        ([0.1, 0.01, 0.001, 0.002, 0.0], "plumb_bob", "OPENCV"),
        ([0.1, 0.01, 0.001, 0.002, 0.003], "plumb_bob", "FULL_OPENCV"),
        ([0.1, 0.01, 0.001, 0.002, 0.003, 0.1, 0.2, 0.3], "rational_polynomial", "FULL_OPENCV"),
        (
            [0.1, 0.01, 0.001, 0.002, 0.003, 0.1, 0.2, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            "rational_polynomial",
            "FULL_OPENCV",
        ),
        (
            [7.2, -15.5, 0.001, 0.002, 10.5, 7.1, -15.2, 10.4, 0.0005, -0.0003, -0.0004, 0.0002],
            "rational_polynomial",
            "OPENCV_THIN_PRISM",
        ),
        ([0.1, 0.01, 0.001, 0.002], "equidistant", "OPENCV_FISHEYE"),
        ([0.0] * 4, "equidistant", "OPENCV_FISHEYE"),
        ([0.1, 0.01, 0.001, 0.002, 0.0], "equidistant", "OPENCV_FISHEYE"),
        ([0.1, 0.01, 0.001, 0.002, 0.003, 0.1, 0.2, 0.3], "plumb_bob", "FULL_OPENCV"),
        ([0.1, 0.01, 0.001, 0.002, 0.0], "", "OPENCV"),
        ([], "equidistant", "OPENCV_FISHEYE"),
        ([0.0] * 5, "Equidistant", "OPENCV_FISHEYE"),
        ([0.0] * 5, "fisheye", "OPENCV_FISHEYE"),
        ([0.1, 0.01, 0.001, 0.002], "Kannala Brandt4", "OPENCV_FISHEYE"),
        ([0.1, 0.01, 0.001, 0.002], "radtan", "OPENCV"),
        ([0.1, 0.01, 0.001, 0.002, 0.003, 0.0], "plumb_bob", "FULL_OPENCV"),  # filled up
        ([0.0] * 5, "inverse_brown_conrady", "PINHOLE"),
    ],
)
def test_camera_info_models(d, distortion, model):
    camera = camera_of_info(640, 480, K, d, distortion)
    assert camera.model == model
    np.testing.assert_allclose(camera.matrix(), np.reshape(K, (3, 3)))


@pytest.mark.parametrize(
    ("k", "d", "distortion", "message"),
    [
        ([0.0] * 9, [], "plumb_bob", "uncalibrated"),
        (K, [0.1] * 3, "plumb_bob", "unsupported distortion"),
        (K, [0.1] * 5, "my_own", "my_own"),
        (K, [0.1] * 14, "rational_polynomial", "unsupported distortion"),  # a sensor that is tilted
        (K, [0.1] * 5, "equidistant", "unsupported distortion"),
        (K, [0.1] * 3 + [0.0], "equidistant_of_our_own", "unsupported distortion"),
        (K, [0.0] * 4, "double_sphere", "unsupported distortion"),  # without terms no pinhole either
    ],
)
def test_camera_info_that_cannot_be_used(k, d, distortion, message):
    with pytest.raises(GeometryError, match=message):
        camera_of_info(640, 480, k, d, distortion)


@pytest.mark.parametrize(
    "arguments",
    [
        ("MAGIC", 640, 480, (1.0,)),
        ("PINHOLE", 640, 480, (1.0, 2.0)),
        ("PINHOLE", 0, 480, (1.0, 1.0, 0.0, 0.0)),
        ("PINHOLE", 640, 480, (0.0, 1.0, 0.0, 0.0)),
        ("PINHOLE", 640, 480, (np.nan, 1.0, 0.0, 0.0)),
    ],
)
def test_bad_cameras_are_refused(arguments):
    with pytest.raises(GeometryError):
        Camera(*arguments)


@given(cameras(), st.floats(-1.5, 1.5), st.floats(-1.5, 1.5))
def test_derivatives_of_the_distortion_are_its_slopes(camera, x, y):
    rays, step = np.array([[x, y], [0.0, 0.0]]), 1e-6
    slopes = [
        (camera.distort(rays + step * axis) - camera.distort(rays - step * axis)) / (2 * step) for axis in np.eye(2)
    ]
    np.testing.assert_allclose(
        camera.distortion.derivatives(rays), np.stack([slope.T for slope in slopes], axis=1), atol=1e-6
    )
