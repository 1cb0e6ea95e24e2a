"""The learned estimator: a trained network, one image at a time."""

from __future__ import annotations

from campose_core.camera import Camera
from campose_core.capture.frame import Frame
from campose_core.errors import LocalizationError
from campose_core.extras import load_extra
from campose_core.landmark_map.intrinsics import RefinedCameras
from campose_core.localization.estimators.base import Kind, PoseEstimate, PosePrior
from campose_core.scene import Scene


class LearnedEstimator:
    """Pose from a model of models/NAME. It always answers; how far it is off on average is in its covariance.

    The covariance is what the network expects its error to be, calibrated by the residuals on frames that training has
    not seen (see `learning.validation`). Intrinsics that mapping has refined are replaced: the network was trained with
    the refined ones.
    """

    def __init__(self, scene: Scene, name: str) -> None:
        for module in ("torch", "torchvision", "safetensors"):
            load_extra(module, "train")
        from campose_core.learning.checkpoint import load

        self.name = name
        self._model = load(scene.models_dir / name)
        self._refined = RefinedCameras(scene)

    @classmethod
    def load(cls, scene: Scene, name: str) -> LearnedEstimator:
        """From a scene with the trained model `name`.

        Raises:
            LocalizationError: the scene has no such model. CheckpointError: the model is damaged.
            MissingDependency: torch is not installed.
        """
        if not (scene.models_dir / name).is_dir():
            there = sorted(path.name for path in scene.models_dir.glob("[!.]*"))
            raise LocalizationError(
                f"{scene.path} has no model {name!r}; it has {', '.join(there) or 'none'}: "
                f"run `campose train {scene.path} --model {name}`"
            )
        return cls(scene, name)

    def estimate(self, frame: Frame, camera: Camera, prior: PosePrior | None = None) -> list[PoseEstimate]:
        """The network's pose.

        Raises:
            LearningError: the camera sees too little of the view the network was trained with, or the image does not
                have the camera's size.
        """
        answer = self._model.estimate(frame.image, self._refined(camera))
        return [] if answer is None else [PoseEstimate(frame.stamp_ns, *answer, 1, Kind.LEARNED)]

    def refresh(self) -> None:
        """Nothing: each image is by itself."""
