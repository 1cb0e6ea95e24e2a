"""The hybrid estimator: geometry first, a pose network as hint and as fallback.

Learned poses are coarse but come from every image; landmarks are exact but must be found. So the network says where to
look when retrieval does not find the place, and answers itself only for a while after geometry has lost a place that
it had, from an image that shows something, and if it is known to be exact enough: a network alone is wrong and sure
too often to found a belief on.
"""

from __future__ import annotations

import logging

from campose_core.camera import Camera
from campose_core.errors import LearningError, LocalizationError
from campose_core.frame import Frame
from campose_core.localization.estimators.base import (
    SCENE_ALONE,
    EstimatorRequest,
    PoseEstimate,
    PoseEstimator,
    PosePrior,
    is_sure,
)
from campose_core.localization.estimators.learned import LearnedEstimator, model_names
from campose_core.localization.estimators.structure import StructureEstimator
from campose_core.scene.scene import Scene

log = logging.getLogger(__name__)

HELD_BY_NETWORK_S = 5.0  # after the last answer of geometry
MIN_FEATURES = 50  # a covered lens, darkness and strong blur show fewer; a network answers those as well


class HybridEstimator:
    """`structure` with the network `learned`; each answer says by its kind whose it is."""

    name, of_train_split = "hybrid", False

    def __init__(self, structure: StructureEstimator, learned: PoseEstimator) -> None:
        self._structure, self._learned = structure, learned
        self._network_fits = True
        self._geometry_answered_ns: int | None = None

    @classmethod
    def load(cls, scene: Scene, request: EstimatorRequest = SCENE_ALONE) -> PoseEstimator:
        """Join `structure` with the scene's one model, or with the one MODEL of `hybrid:MODEL`.

        What the scene lacks of the two is left out, with a line on stderr.

        Raises:
            LocalizationError: the scene has several models and none is named, or not the one that is.
            MappingError: it has neither landmarks nor a model. CheckpointError: the model is damaged.
        """
        models, mapped = model_names(scene), (scene.sfm_dir / "landmarks.npz").is_file()
        if not request.model and len(models) > 1:
            raise LocalizationError(
                f"{scene.path} has the models {', '.join(models)}: name one, as in hybrid:{models[0]}"
            )
        if not request.model and not models:
            log.info(f"hybrid: {scene.path} has no trained model: landmarks alone")
            return StructureEstimator.load(scene)
        learned = LearnedEstimator.load(scene, EstimatorRequest(request.model or models[0]))
        if not mapped:
            log.info(f"hybrid: {scene.path} has no landmarks: the model {learned.name} alone")
            return learned
        return cls(StructureEstimator.load(scene), learned)

    @classmethod
    def offered(cls, scene: Scene, request: EstimatorRequest) -> list[str]:
        return [cls.name] if scene.posed_frames() and len(model_names(scene)) == 1 else []

    def estimate(self, frame: Frame, camera: Camera, prior: PosePrior | None = None) -> list[PoseEstimate]:
        """Answer as geometry finds it, with the network's pose as a further place to look.

        With a prior and soon after geometry's last answer, it is the network's pose itself.
        """
        found = self._structure.track(frame, camera, prior)
        if not found:
            features = self._structure.features(frame)
            found = self._structure.find(frame, features, camera)
            if not found:
                learned = self._by_network(frame, camera)
                hints = [estimate.map_from_cam for estimate in learned]
                found = self._structure.find(frame, features, camera, hints) if hints else []
            if not found:
                held = prior is not None and self._lately(frame.stamp_ns) and len(features.pixels) >= MIN_FEATURES
                return [estimate for estimate in learned if is_sure(estimate.covariance)] if held else []
        self._geometry_answered_ns = frame.stamp_ns
        return found

    def refresh(self) -> None:
        self._structure.refresh()

    def _by_network(self, frame: Frame, camera: Camera) -> list[PoseEstimate]:
        """Nothing where the camera sees too little of the view that the network was trained with."""
        try:
            return self._learned.estimate(frame, camera)
        except LearningError as error:
            if self._network_fits:
                log.info(f"hybrid: landmarks alone: {error}")
            self._network_fits = False
            return []

    def _lately(self, stamp_ns: int) -> bool:
        answered_ns = self._geometry_answered_ns
        return answered_ns is not None and 0 <= stamp_ns - answered_ns <= HELD_BY_NETWORK_S * 1e9
