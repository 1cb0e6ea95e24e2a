"""Which estimators a scene offers, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from campose_core.errors import LocalizationError
from campose_core.localization.estimator import PoseEstimator
from campose_core.progress import say
from campose_core.scene import Scene

if TYPE_CHECKING:
    from campose_core.localization.learned import LearnedEstimator


def estimator_names(scene: Scene) -> list[str]:
    """`structure` and `retrieval` where the scene is mapped, each model trained in it, and `hybrid` with both."""
    mapped = ["structure", "retrieval"] if scene.posed_frames() else []
    models = _model_names(scene)
    return mapped + models + (["hybrid"] if mapped and len(models) == 1 else [])


def load_estimator(scene: Scene, name: str) -> PoseEstimator:
    """The estimator `name` of a scene: `structure`, `retrieval`, `hybrid`, or a model in its folder models/.

    `hybrid` is `structure` and the scene's one model, or the one MODEL of `hybrid:MODEL`; what the scene lacks of the
    two is left out, with a line on stderr.

    Raises:
        LocalizationError: the scene has no such estimator (the message lists those it has), or not what it needs.
        CheckpointError: the model is damaged.
        MissingDependency: the estimator needs a package that is not installed.
    """
    kind, _, model = name.partition(":")
    if kind == "hybrid":
        return _hybrid(scene, model)
    if name == "structure":
        from campose_core.localization.structure import StructureEstimator

        return StructureEstimator.load(scene)
    if name == "retrieval":
        from campose_core.localization.retrieval import RetrievalEstimator

        return RetrievalEstimator.load(scene)
    return _learned(scene, name)


def _model_names(scene: Scene) -> list[str]:
    return sorted(folder.parent.name for folder in scene.models_dir.glob("*/model.yaml"))


def _learned(scene: Scene, name: str) -> LearnedEstimator:
    if name not in _model_names(scene):
        offered = ", ".join(estimator_names(scene)) or "none: it is not mapped yet, run `campose map`"
        raise LocalizationError(f"{scene.path} has no estimator {name!r}; it offers {offered}")
    from campose_core.localization.learned import LearnedEstimator

    return LearnedEstimator.load(scene, name)


def _hybrid(scene: Scene, model: str) -> PoseEstimator:
    models, mapped = _model_names(scene), (scene.sfm_dir / "landmarks.npz").is_file()
    if not model and len(models) > 1:
        raise LocalizationError(f"{scene.path} has the models {', '.join(models)}: name one, as in hybrid:{models[0]}")
    if not model and not models:
        say(f"hybrid: {scene.path} has no trained model: landmarks alone")
        return load_estimator(scene, "structure")
    learned = _learned(scene, model or models[0])
    if not mapped:
        say(f"hybrid: {scene.path} has no landmarks: the model {learned.name} alone")
        return learned
    from campose_core.localization.hybrid import HybridEstimator
    from campose_core.localization.structure import StructureEstimator

    return HybridEstimator(StructureEstimator.load(scene), learned)
