"""What the log says of a scene and of the cameras, once they are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from campose_core.camera import MODEL_PARAMS, Camera
from campose_core.floorplan.scene_floor import why_not_snapped
from campose_core.map_scale import MEASURED
from campose_ros.camera_parameters import CameraParameters
from campose_ros.loading import LoadedScene
from campose_ros.parameters import LocalizerParameters

if TYPE_CHECKING:
    from rclpy.impl.rcutils_logger import RcutilsLogger


def log_scene(log: RcutilsLogger, loaded: LoadedScene) -> None:
    """Name the scene, and what its metres and its floor map do not give."""
    where = "no floor map" if loaded.walkable is None else "its floor map"
    log.info(f"scene {loaded.scene.path} with {where}, estimator {loaded.estimator.name}")
    scale, not_snapped = loaded.scene.scale, why_not_snapped(loaded.scene)
    if not scale.is_known:
        log.warning(
            f"{scale.in_words()}: poses are in a unit of the map's own, not metres; odometry is not used, and the "
            "place of the camera on the robot is not scaled"
        )
    elif scale != MEASURED:
        log.info(f"{scale.in_words()}: `campose align` with a reference puts it right")
    if not_snapped:
        log.warning(not_snapped)


def log_cameras(
    log: RcutilsLogger, parameters: LocalizerParameters, cameras: Sequence[CameraParameters], loaded: LoadedScene
) -> None:
    """Say whose intrinsics are used, and of which cameras nobody told where they sit."""
    for intrinsics in loaded.cameras.values():
        log.info(f"intrinsics are those of the scene, camera_info is not read: {in_words(intrinsics)}")
    for camera in (c for c in cameras if c.is_unplaced):
        unset = f"{camera.parameter('base_from_camera')} is the identity: the poses are those of the camera's "
        if parameters.use_odometry or parameters.publish_tf or len(cameras) > 1:
            log.warning(
                f"{unset}optical frame, and the robot would move along its z axis: set it, or base_from_camera_tf"
            )
        else:
            log.info(f"{unset}optical frame")


def in_words(camera: Camera) -> str:
    """Return model, size and parameters of a camera, for people."""
    values = zip(MODEL_PARAMS[camera.model], camera.params, strict=True)
    return (
        f"{camera.model}, {camera.width}x{camera.height}, {', '.join(f'{name} {value:.6g}' for name, value in values)}"
    )
