"""What the node needs of a scene folder, loaded whole or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from campose_core.camera import Camera
from campose_core.errors import LocalizationError, SceneError
from campose_core.floorplan.scene_floor import walkable_of
from campose_core.localization.estimators.base import PoseEstimator
from campose_core.localization.estimators.registry import load_estimator
from campose_core.localization.localizer import Localizer
from campose_core.localization.scene_digest import scene_digest
from campose_core.motion.imu_motion import ImuMotion
from campose_core.scene.scene import Scene
from campose_core.session.focal_watch import ASSUMED_SIGMA
from campose_core.walkable import WalkableMap
from campose_ros.camera_parameters import CameraParameters
from campose_ros.home_paths import from_home
from campose_ros.parameters import LocalizerParameters, pose_of_numbers


@dataclass(frozen=True)
class LoadedScene:
    """A scene in memory. `walkable` is None when it has no floor map, or none where its poses are (`why_not_snapped`);
    `cameras`: the intrinsics that were asked for.

    digest: of landmarks and alignment, the same on every robot with this scene.
    """

    scene: Scene
    estimator: PoseEstimator
    walkable: WalkableMap | None
    cameras: dict[str, Camera]
    digest: str

    def facts(self) -> dict[str, object]:
        """Return keys for the diagnostics."""
        return {
            "scene": self.scene.path,
            "scene_digest": self.digest,
            "estimator": self.estimator.name,
            "scale": self.scene.scale.basis.value,
        }

    def localizer(self, parameters: LocalizerParameters) -> Localizer:
        """Make one that begins without a place."""
        options, scale = parameters.localizer_options(), self.scene.scale
        by_imu = parameters.use_imu and scale.is_known  # it measures metres
        motion = ImuMotion(pose_of_numbers(parameters.base_from_imu)) if by_imu else None
        return Localizer(self.estimator, parameters.mounting(), self.walkable, options, motion, scale)


def load(path: str, parameters: LocalizerParameters, cameras: Sequence[CameraParameters]) -> LoadedScene:
    """Load the scene at `path` as `parameters` say, for these cameras of the robot.

    Raises:
        CamposeError: what is missing or damaged.
    """
    if not path:
        raise SceneError("no scene is given: set the parameter `scene` to a scene folder")
    scene = Scene.open(from_home(path))
    return LoadedScene(
        scene=scene,
        estimator=load_estimator(scene, parameters.estimator),
        walkable=walkable_of(scene),
        cameras={camera.name: _camera(scene, camera) for camera in cameras if camera.camera_source == "scene"},
        digest=scene_digest(scene),
    )


def _camera(scene: Scene, wanted: CameraParameters) -> Camera:
    name = wanted.scene_camera
    if name and name not in scene.cameras:
        raise LocalizationError(f"{scene.path} has no camera {name!r}; it has {', '.join(sorted(scene.cameras))}")
    cameras = {scene.cameras[name]} if name else set(scene.cameras.values())
    if len(cameras) != 1:
        have = ", ".join(sorted(scene.cameras)) or "none"
        parameter = wanted.parameter("scene_camera")
        raise LocalizationError(f"{scene.path} has the cameras {have}: name one in the parameter `{parameter}`")
    # Nobody measured that these images are of this camera: its images are asked (`FocalWatch`).
    return replace(cameras.pop(), focal_sigma=ASSUMED_SIGMA)
