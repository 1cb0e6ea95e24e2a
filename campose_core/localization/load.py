"""Which estimators a scene offers, by name."""

from campose_core.errors import LocalizationError
from campose_core.localization.estimator import PoseEstimator
from campose_core.scene import Scene


def estimator_names(scene: Scene) -> list[str]:
    """`structure` and `retrieval` where the scene is mapped, and each model trained in it."""
    mapped = ["structure", "retrieval"] if scene.posed_frames() else []
    return mapped + sorted(folder.parent.name for folder in scene.models_dir.glob("*/model.yaml"))


def load_estimator(scene: Scene, name: str) -> PoseEstimator:
    """The estimator `name` of a scene: `structure`, `retrieval`, or a model in its folder models/.

    Raises:
        LocalizationError: the scene has no such estimator (the message lists those it has), or not what it needs.
        CheckpointError: the model is damaged.
        MissingDependency: the estimator needs a package that is not installed.
    """
    if name == "structure":
        from campose_core.localization.structure import StructureEstimator

        return StructureEstimator.load(scene)
    if name == "retrieval":
        from campose_core.localization.retrieval import RetrievalEstimator

        return RetrievalEstimator.load(scene)
    if name not in estimator_names(scene):
        offered = ", ".join(estimator_names(scene)) or "none: it is not mapped yet, run `campose map`"
        raise LocalizationError(f"{scene.path} has no estimator {name!r}; it offers {offered}")
    from campose_core.localization.learned import LearnedEstimator

    return LearnedEstimator.load(scene, name)
