"""Rendered frames: geometry to a fraction of a pixel, orientation, completeness."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.errors import GeometryError
from campose_core.geometry import Pose
from campose_core.simulation.building import build_world
from campose_core.simulation.drive import camera_trajectory, drive
from campose_core.simulation.render import Renderer, expose
from campose_core.simulation.textures import paint
from campose_core.simulation.world import Surface

# Nothing symmetric: a swapped or shifted principal point cannot hide.
CAMERA = Camera("PINHOLE", 320, 240, (231.0, 219.0, 171.3, 108.6))
BOARD = Surface((0.3, 0.4, 1.0), (-0.5, 0.1, 0.0), (0.05, 0.1, -0.6), "wood", seed=1)


def corners(surface: Surface) -> np.ndarray:
    corner, along, down = (np.array(edge) for edge in (surface.corner, surface.along, surface.down))
    return np.array([corner, corner + along, corner + along + down, corner + down])


def looking_at(eye: np.ndarray, target: np.ndarray, roll: float = 0.0) -> Pose:
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    axes = Rotation.from_matrix(np.stack([right, np.cross(forward, right), forward], axis=1))
    return Pose(axes * Rotation.from_rotvec([0, 0, roll]), eye)


def polygon_centroid(points: np.ndarray) -> np.ndarray:
    following = np.roll(points, -1, axis=0)
    cross = points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1]
    return ((points + following) * cross[:, None]).sum(0) / (3 * cross.sum())


def test_a_point_falls_on_the_pixel_that_project_names():
    """The centroid of a rendered board against that of its projected outline, for views with perspective and roll."""
    world = replace(build_world("small"), surfaces=(BOARD,))
    centre = corners(BOARD).mean(axis=0)
    with Renderer(world, CAMERA) as renderer:
        for eye, roll in [
            ((0.4, 2.2, 0.9), 0.0),
            ((-0.6, 1.9, 1.2), 0.3),
            ((0.9, 1.5, 0.3), -1.0),
            ((0.1, 1.8, 0.2), 2.0),
        ]:
            map_from_cam = looking_at(np.array(eye), centre + np.array([0.1, 0.0, 0.05]), roll)
            image = renderer.render(map_from_cam)
            rows, columns = np.nonzero(image[..., 2] < 170)  # the board is brown, what is behind it white
            outline = CAMERA.project(map_from_cam.inverse().transform(corners(BOARD)))
            assert len(rows) > 2000
            np.testing.assert_allclose([columns.mean(), rows.mean()], polygon_centroid(outline), atol=0.08)


def test_pictures_hang_upright_and_are_not_mirrored():
    board = Surface((0.0, 0.0, 1.2), (1.6, 0.0, 0.0), (0.0, 0.0, -1.2), "picture", seed=4)
    camera = Camera("PINHOLE", 320, 240, (200.0, 200.0, 159.5, 119.5))
    pose = looking_at(np.array([0.8, -1.0, 0.6]), np.array([0.8, 0.0, 0.6]))
    with Renderer(replace(build_world("small"), surfaces=(board,)), camera) as renderer:
        image = renderer.render(pose)
    painted = Image.fromarray(paint("picture", 1.6, 1.2, 4)).resize((320, 240), Image.Resampling.BOX)
    difference = np.abs(image.astype(int) - np.asarray(painted))
    mirrored = np.abs(image[:, ::-1].astype(int) - np.asarray(painted))
    assert np.median(difference) < 4 < np.median(mirrored)


def test_frames_are_reproducible_and_show_no_hole():
    world = build_world("small", 2)
    poses = [pose for _, pose in camera_trajectory(drive(world, "mapping", 0.5))]
    with Renderer(world, CAMERA) as first, Renderer(build_world("small", 2), CAMERA) as second:
        for index, pose in enumerate(poses):
            image = first.render(pose)
            assert image.shape == (240, 320, 3)
            assert image.dtype == np.uint8
            np.testing.assert_array_equal(image, second.render(pose))
            assert (image == 255).all(axis=2).mean() < 0.002  # the background is white
            assert image.std() > 20
            noisy = expose(image, 2, index)
            np.testing.assert_array_equal(noisy, expose(image, 2, index))
            assert 1 < np.abs(noisy.astype(int) - image).mean() < 12


def test_a_camera_with_distortion_is_refused():
    with pytest.raises(GeometryError, match="OPENCV"):
        Renderer(build_world("small"), Camera("OPENCV", 320, 240, (200, 200, 160, 120, 0.1, 0, 0, 0)))


DRAW = """
from campose_core.camera import Camera
from campose_core.simulation.render import Renderer
from campose_core.simulation.building import build_world
Renderer(build_world("small"), Camera("PINHOLE", 64, 48, (50, 50, 32, 24))).close()
"""


def test_torch_can_be_loaded_after_drawing():
    pytest.importorskip("triton")
    subprocess.run([sys.executable, "-c", DRAW + "import triton"], check=True)


def test_no_opengl_driver_is_said_in_one_line():
    pytest.importorskip("pyvista")
    environment = {**os.environ, "__EGL_VENDOR_LIBRARY_DIRS": "/nonexistent"}  # where libEGL looks for drivers
    environment.pop("VTK_DEFAULT_OPENGL_WINDOW", None)
    done = subprocess.run([sys.executable, "-c", DRAW], env=environment, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].endswith("no OpenGL driver to draw with: apt install libegl1 libgl1-mesa-dri")
