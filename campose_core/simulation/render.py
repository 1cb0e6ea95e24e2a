"""Images of the simulated world: an off-screen renderer that takes a Camera and a pose.

The projection matrix is built from the intrinsics, so that a point falls on the pixel that `Camera.project` names.
Frames are drawn at twice the size and averaged down, and textures are mip-mapped, so that features do not flicker.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from types import TracebackType
from typing import Any

import numpy as np
from PIL import Image as PilImage

from campose_core.camera import Camera
from campose_core.errors import GeometryError, MissingDependency
from campose_core.extras import load_extra
from campose_core.frame import Image
from campose_core.geometry import Array, Pose
from campose_core.simulation.textures import paint
from campose_core.simulation.world import Surface, World

NEAR, FAR = 0.05, 50.0  # metres
SUPERSAMPLING = 2


class Renderer:
    """Draws the surfaces of a world as a camera sees them; a context manager, since it holds a graphics context.

    Raises:
        GeometryError: the camera has a distortion, which is not drawn.
        MissingDependency: pyvista is not installed, or no OpenGL driver.
    """

    def __init__(self, world: World, camera: Camera) -> None:
        if camera.model not in ("PINHOLE", "SIMPLE_PINHOLE"):
            raise GeometryError(f"only cameras without distortion can be rendered (PINHOLE), got {camera.model}")
        pyvista = load_extra("pyvista", "sim")
        self.camera = camera
        size = (camera.width * SUPERSAMPLING, camera.height * SUPERSAMPLING)
        self._plotter: Any = _plotter(pyvista, size)
        for surface in world.surfaces:
            self._add(pyvista, surface)
        self._plotter.camera.SetUseExplicitProjectionTransformMatrix(True)
        matrix = pyvista.vtkmatrix_from_array(projection_matrix(camera))
        self._plotter.camera.SetExplicitProjectionTransformMatrix(matrix)

    def _add(self, pyvista: Any, surface: Surface) -> None:
        corner, along, down = (np.array(edge) for edge in (surface.corner, surface.along, surface.down))
        corners = np.array([corner, corner + along, corner + along + down, corner + down])
        mesh = pyvista.PolyData(corners, np.array([4, 0, 1, 2, 3]))
        # Rows run from the upper edge down; a texture's origin is its lower left corner.
        mesh.active_texture_coordinates = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], dtype=np.float32)
        image = paint(surface.material, surface.width, surface.height, surface.seed)
        texture = pyvista.numpy_to_texture((image * surface.shade).astype(np.uint8))
        texture.SetInterpolate(True)
        texture.SetMipmap(True)
        texture.SetRepeat(False)
        # A surface is seen from where its picture is not mirrored; the other sides, half of all, need not be drawn.
        self._plotter.add_mesh(mesh, texture=texture, lighting=False, culling="front")

    def render(self, map_from_cam: Pose) -> Image:
        """Draw the image (H, W, 3) uint8 RGB from a pose of the optical frame (x right, y down, z forward)."""
        self._look(map_from_cam)
        large = np.ascontiguousarray(self._plotter.screenshot(return_img=True)[..., :3])
        return np.asarray(PilImage.fromarray(large).reduce(SUPERSAMPLING))

    def distances(self, map_from_cam: Pose) -> Array:
        """Return how far from the camera what each pixel shows is, (H, W) metres; FAR where it shows nothing."""
        from vtkmodules.util.numpy_support import vtk_to_numpy
        from vtkmodules.vtkCommonCore import vtkFloatArray

        self._look(map_from_cam)
        width, height = (SUPERSAMPLING * side for side in (self.camera.width, self.camera.height))
        buffer = vtkFloatArray()
        self._plotter.render_window.GetZbufferData(0, 0, width - 1, height - 1, buffer)
        # From the lower edge up, 0 at NEAR and 1 at FAR: see projection_matrix.
        in_window = vtk_to_numpy(buffer).reshape(height, width)[::-1].astype(np.float64)
        depth = 2 * FAR * NEAR / (FAR + NEAR - (2 * in_window - 1) * (FAR - NEAR))
        depth = depth.reshape(self.camera.height, SUPERSAMPLING, self.camera.width, SUPERSAMPLING).mean(axis=(1, 3))
        rows, columns = np.mgrid[: self.camera.height, : self.camera.width]
        (fx, fy), (cx, cy) = self.camera.focal, self.camera.centre
        return np.asarray(depth * np.sqrt(1 + ((columns - cx) / fx) ** 2 + ((rows - cy) / fy) ** 2))

    def _look(self, map_from_cam: Pose) -> None:
        """Draw the view from a pose into the window."""
        forward, up = map_from_cam.rotation.apply([[0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
        view = self._plotter.camera
        view.SetPosition(map_from_cam.translation)
        view.SetFocalPoint(map_from_cam.translation + forward)
        view.SetViewUp(up)
        self._plotter.render()

    def close(self) -> None:
        """Free the graphics context; nothing can be drawn afterwards."""
        self._plotter.close()

    def __enter__(self) -> Renderer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _plotter(pyvista: Any, size: tuple[int, int]) -> Any:
    """Make a window that is never shown, drawn by EGL: VTK's first choice, X, crashes where libX11 is not installed."""
    from vtkmodules.vtkCommonCore import vtkLogger

    # The LLVM that Mesa loads crashes a later import of triton, a part of torch; the other order is fine.
    with contextlib.suppress(ImportError):
        importlib.import_module("triton")
    window = os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    verbosity = vtkLogger.GetCurrentVerbosityCutoff()
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_ERROR)
    try:
        plotter = pyvista.Plotter(off_screen=True, window_size=size, lighting="none")
        # Without EGL, VTK takes OSMesa, installed or not, and crashes in the first frame.
        if window == "vtkEGLRenderWindow" and plotter.render_window.GetClassName() == "vtkOSOpenGLRenderWindow":
            raise MissingDependency("no OpenGL driver to draw with: apt install libegl1 libgl1-mesa-dri")
        plotter.disable_anti_aliasing()
        plotter.render()
    finally:
        vtkLogger.SetStderrVerbosity(verbosity)
    return plotter


def projection_matrix(camera: Camera) -> Array:
    """Return the 4x4 matrix of OpenGL clip coordinates from eye coordinates (x right, y up, z backward).

    The image spans [-0.5, width - 0.5] in pixels, since pixel centres are integers, and [-1, 1] in normalised device
    coordinates: x_ndc = 2 (u + 0.5) / width - 1 and y_ndc = 1 - 2 (v + 0.5) / height.
    """
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    return np.array(
        [
            [2 * fx / camera.width, 0.0, 1 - 2 * (cx + 0.5) / camera.width, 0.0],
            [0.0, 2 * fy / camera.height, 2 * (cy + 0.5) / camera.height - 1, 0.0],
            [0.0, 0.0, -(FAR + NEAR) / (FAR - NEAR), -2 * FAR * NEAR / (FAR - NEAR)],
            [0.0, 0.0, -1.0, 0.0],
        ]
    )


def expose(image: Image, seed: int, index: int, noise: float = 2.5, exposure: float = 0.06) -> Image:
    """Return the image as a sensor has it: `noise` grey levels of read noise, a gain slowly wandering by `exposure`.

    image: (H, W, 3) uint8. index: of the image in its recording; with `seed` it determines the noise.
    """
    rng = np.random.default_rng([seed, index])
    gain = 1 + exposure * np.sin(0.11 * index + seed)
    noisy = image * np.float32(gain) + noise * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)
