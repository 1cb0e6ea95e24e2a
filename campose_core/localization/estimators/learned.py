"""The learned estimator: a trained network, one image at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from campose_core.camera import Camera
from campose_core.errors import CheckpointError, LocalizationError
from campose_core.extras import load_extra
from campose_core.frame import Frame
from campose_core.landmark_map.intrinsics import RefinedCameras
from campose_core.learning.networks import MENET
from campose_core.localization.estimators.base import SCENE_ALONE, EstimatorRequest, Kind, PoseEstimate, PosePrior
from campose_core.scene.scene import Scene
from campose_core.seams.seam import did_you_mean
from campose_core.yaml_files import read_yaml

ASSUMED_DEPTH_M = 3.0  # of what an image shows


class LearnedEstimator:
    """Pose from a model of models/NAME. It always answers; how far it is off on average is in its covariance.

    The covariance is what the network expects its error to be, calibrated by the residuals on frames that training has
    not seen (see `learning.validation`). Intrinsics that mapping has refined are replaced: the network was trained with
    the refined ones.
    """

    of_train_split = True

    def __init__(self, scene: Scene, name: str) -> None:
        for module in ("torch", "torchvision", "safetensors"):
            load_extra(module, "train")
        from campose_core.learning.checkpoint import load
        from campose_core.learning.same_map import require_same_map

        self.name = name
        self._model = load(scene.models_dir / name)
        require_same_map(scene, name)
        self._refined = RefinedCameras(scene)

    @classmethod
    def load(cls, scene: Scene, request: EstimatorRequest = SCENE_ALONE) -> LearnedEstimator:
        """Load the trained model of the request.

        Raises:
            LocalizationError: the scene has no such model (the message lists its estimators), or it is a MeNet.
            CheckpointError: the model is damaged, or of before the map was moved. MissingDependency: no torch.
        """
        name = request.model
        if has_menet(scene) and name == MENET:
            raise LocalizationError(f"{name} is a MeNet: it tells how a camera moved, not where it is; try MODEL+pgo")
        if not name or not (scene.models_dir / name).is_dir():
            from campose_core.localization.estimators.registry import estimator_names

            known = estimator_names(scene)
            offered = ", ".join(known) or "none: it is not mapped yet, run `campose map`"
            raise LocalizationError(
                f"{scene.path} has no estimator {name!r}; it offers {offered}{did_you_mean(name, known)}"
            )
        return cls(scene, name)

    @classmethod
    def offered(cls, scene: Scene, request: EstimatorRequest) -> list[str]:
        return model_names(scene)

    def estimate(self, frame: Frame, camera: Camera, prior: PosePrior | None = None) -> list[PoseEstimate]:
        """Return the network's pose.

        Raises:
            LearningError: the camera sees too little of the view the network was trained with, or the image does not
                have the camera's size.
        """
        answer = self._model.estimate(frame.image, self._refined(camera))
        if answer is None:
            return []
        map_from_cam, covariance = answer
        # A focal length that is only estimated moves the camera along its axis, as far as it is off
        axis = camera.focal_sigma * ASSUMED_DEPTH_M * map_from_cam.rotation.apply([0.0, 0.0, 1.0])
        covariance = covariance + np.pad(np.outer(axis, axis), (0, 3))
        return [PoseEstimate(frame.stamp_ns, map_from_cam, covariance, 1, Kind.LEARNED)]

    def refresh(self) -> None:
        """Do nothing: each image is by itself."""


def model_names(scene: Scene) -> list[str]:
    """List the models of a scene that say where a camera is."""
    folders = [path.parent for path in scene.models_dir.glob("*/model.yaml")]
    return sorted(folder.name for folder in folders if _kind_of(folder) != MENET)


def has_menet(scene: Scene) -> bool:
    """Tell whether the scene has a network that says how a camera moved."""
    return _kind_of(scene.models_dir / MENET) == MENET


def _kind_of(folder: Path) -> str:
    """Of a model; empty where there is none, or a damaged one."""
    try:
        return str(read_yaml(folder / "model.yaml", CheckpointError)["architecture"]["kind"])
    except (CheckpointError, KeyError, TypeError):
        return ""
