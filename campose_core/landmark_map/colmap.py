"""The one door to pycolmap.

zlib is imported first: pycolmap's wheel exports `deflate` and other symbols of its own, and a libz that is loaded after
it binds to those and aborts the process at its first use.

Importing it also sets glog's handler for SIGTERM, which prints a stack trace and kills, or waits for ever for a lock of
the import: the handler from before (rclpy's, that ends a node cleanly) is put back before a signal gets through.
"""

from __future__ import annotations

import ctypes
import signal
import zlib  # noqa: F401  (must precede pycolmap, see above)
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera, pixels_to_colmap
from campose_core.extras import load_extra
from campose_core.geometry import Array, Pose
from campose_core.landmark_map.intrinsics import lens_of

COLMAP_LACKS = ("OPENCV_THIN_PRISM",)
MAX_REPROJECTION_PX, MIN_ANGLE_DEG = 4.0, 1.5  # COLMAP's own bounds on a landmark


@cache
def load_pycolmap() -> Any:
    """Import pycolmap, without its progress chatter (until a stage of mapping asks for it).

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
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    libc.sigaction(int(signal.SIGTERM), None, action)
    try:
        yield
    finally:
        libc.sigaction(int(signal.SIGTERM), action, None)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def to_colmap_camera(camera: Camera) -> Any:
    """Return the pycolmap camera for `camera`, with COLMAP's pixel origin; its pixels are of `to_colmap_pixels`."""
    if camera.model not in COLMAP_LACKS:
        model, width, height, params = camera.to_colmap()
        return load_pycolmap().Camera(model=model, width=width, height=height, params=params)
    return to_colmap_camera(Camera("PINHOLE", camera.width, camera.height, (*camera.focal, *camera.centre)))


def to_colmap_pixels(camera: Camera, pixels: Array) -> Array:
    """Return where the camera of `to_colmap_camera` sees what `camera` sees at pixels (N, 2), with COLMAP's origin.

    NaN where no ray of a lens that COLMAP lacks ends.
    """
    if camera.model in COLMAP_LACKS:
        pixels = camera.rays(pixels) * camera.focal + camera.centre
    return pixels_to_colmap(pixels)


def from_colmap_camera(camera: Any) -> Camera:
    """Return the Camera of a pycolmap camera, with pixel centres at integers."""
    return Camera.from_colmap(camera.model_name, camera.width, camera.height, list(camera.params))


def max_extra_param(cameras: Iterable[Any]) -> float:
    """Return COLMAP's bound on distortion coefficients, beyond which it takes a pycolmap camera for bogus.

    Its own, 1, suits lenses that are guessed; measured ones have larger coefficients.
    """
    given = [abs(camera.params[i]) for camera in cameras for i in camera.extra_params_idxs()]
    return max(1.0, 2.0 * max(given, default=0.0))


def incremental_options(cameras: Iterable[Any], seed: int) -> Any:
    """Make options of COLMAP's incremental pipeline for these pycolmap cameras, on one thread: several add up in the
    order in which they happen to finish.
    """
    options = load_pycolmap().IncrementalPipelineOptions()
    options.random_seed = seed
    options.num_threads = 1
    bound = max_extra_param(cameras)
    options.max_extra_param = options.mapper.max_extra_param = options.triangulation.max_extra_param = bound
    return options


def to_colmap_pose(pose: Pose) -> Any:
    """Return the pycolmap Rigid3d of a pose; both map points alike."""
    pycolmap = load_pycolmap()
    return pycolmap.Rigid3d(pycolmap.Rotation3d(pose.quat_xyzw), pose.translation)


def from_colmap_pose(rigid: Any) -> Pose:
    """Return the Pose of a pycolmap Rigid3d."""
    return Pose(Rotation.from_quat(rigid.rotation.quat), rigid.translation)


def model_poses(model: Any) -> dict[str, Pose]:
    """Return world_from_cam of a Reconstruction's registered images, by name."""
    images = [model.image(image_id) for image_id in model.reg_image_ids()]
    return {image.name: from_colmap_pose(image.cam_from_world().inverse()) for image in images}


def model_images(model: Any) -> list[Any]:
    """Return a Reconstruction's registered images in the order of their names."""
    return sorted(map(model.image, model.reg_image_ids()), key=lambda image: str(image.name))


def model_cameras(model: Any, switches: Sequence[str] = ()) -> dict[str, Camera]:
    """Return the cameras that took the registered images of a Reconstruction, by `lens_of`.

    switches: first images by another lens.
    """
    return {lens_of(image.name, switches): from_colmap_camera(image.camera) for image in model_images(model)}


def shown_landmarks(model: Any, names: Sequence[str]) -> tuple[Any, Array]:
    """Return which landmarks registered images show: (F, L), sparse, of ones; and where these landmarks are (L, 3)."""
    images = {model.image(i).name: model.image(i) for i in model.reg_image_ids()}
    seen = [{point.point3D_id for point in images[name].points2D if point.has_point3D()} for name in names]
    ids, columns = np.unique(np.array([i for some in seen for i in sorted(some)], dtype=np.uint64), return_inverse=True)
    rows = np.repeat(np.arange(len(names)), [len(some) for some in seen])
    shown = coo_matrix((np.ones(len(rows), dtype=np.int32), (rows, columns)), (len(names), max(1, len(ids)))).tocsr()
    return shown, np.array([model.point3D(i).xyz for i in ids.tolist()]).reshape(-1, 3)


def adjust(model: Any, refine_rigs: bool = False, tolerance: float = 1e-4, *, refine_centres: bool = False) -> None:
    """Adjust all that a Reconstruction holds (bundle adjustment).

    refine_rigs: also how the cameras of a rig sit to each other. refine_centres: also where lenses have their centre.
    tolerance: the relative change of the cost at which it ends; COLMAP's own, zero, goes on for ten times as long as
    1e-4.
    """
    pycolmap = load_pycolmap()
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = False
    options.refine_sensor_from_rig = refine_rigs
    options.refine_principal_point = refine_centres
    options.ceres.loss_function_type = pycolmap.LossFunctionType.SOFT_L1
    options.ceres.solver_options.function_tolerance = tolerance
    options.ceres.solver_options.num_threads = 1  # several add up in the order in which they happen to finish
    pycolmap.bundle_adjustment(model, options)


def drop_outliers(model: Any) -> None:
    """Take out observations far from where their landmark should be seen, and landmarks seen from one place."""
    load_pycolmap().ObservationManager(model).filter_all_points3D(MAX_REPROJECTION_PX, MIN_ANGLE_DEG)
    model.update_point_3d_errors()
