"""The one door to pycolmap.

zlib is imported first: pycolmap's wheel exports `deflate` and other symbols of its own, and a libz that is loaded after
it binds to those and aborts the process at its first use.

Importing it also sets glog's handler for SIGTERM, which prints a stack trace and kills: the handler from before
(rclpy's, that ends a node cleanly) is put back.
"""

from __future__ import annotations

import ctypes
import signal
import zlib  # noqa: F401  (must precede pycolmap, see above)
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.extras import load_extra
from campose_core.geometry import Pose


@cache
def load_pycolmap() -> Any:
    """The pycolmap module, without its progress chatter (until a stage of mapping asks for it).

    Raises:
        MissingDependency: pycolmap is not installed.
    """
    with _keeping_sigterm():
        pycolmap = load_extra("pycolmap", "map")
    pycolmap.logging.minloglevel = pycolmap.logging.Level.WARNING.value
    return pycolmap


@contextmanager
def _keeping_sigterm() -> Iterator[None]:
    # Python's signal module neither shows nor restores handlers that C code has set.
    libc = ctypes.CDLL(None)
    action = ctypes.create_string_buffer(512)  # struct sigaction has at most 152 bytes
    libc.sigaction(int(signal.SIGTERM), None, action)
    yield
    libc.sigaction(int(signal.SIGTERM), action, None)


def to_colmap_camera(camera: Camera) -> Any:
    """The pycolmap camera of `camera`, with COLMAP's pixel origin."""
    model, width, height, params = camera.to_colmap()
    return load_pycolmap().Camera(model=model, width=width, height=height, params=params)


def from_colmap_camera(camera: Any) -> Camera:
    """The Camera of a pycolmap camera, with pixel centres at integers."""
    return Camera.from_colmap(camera.model_name, camera.width, camera.height, list(camera.params))


def to_colmap_pose(pose: Pose) -> Any:
    """The pycolmap Rigid3d of a pose; both map points alike."""
    pycolmap = load_pycolmap()
    return pycolmap.Rigid3d(pycolmap.Rotation3d(pose.quat_xyzw), pose.translation)


def from_colmap_pose(rigid: Any) -> Pose:
    """The Pose of a pycolmap Rigid3d."""
    return Pose(Rotation.from_quat(rigid.rotation.quat), rigid.translation)
