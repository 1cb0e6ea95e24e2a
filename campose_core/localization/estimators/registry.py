"""Which estimators a scene offers, by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from campose_core.errors import LocalizationError
from campose_core.learning.options import MENET
from campose_core.localization.estimators.base import PoseEstimator
from campose_core.localization.estimators.pose_graph import PGO, MeNetMotions, OdometryMotions, WindowEstimator
from campose_core.progress import say
from campose_core.scene import Scene
from campose_core.trajectory import Trajectory

if TYPE_CHECKING:
    from campose_core.localization.estimators.learned import LearnedEstimator


def estimator_names(scene: Scene, odometry: Trajectory | None = None) -> list[str]:
    """`structure` and `retrieval` where the scene is mapped, each model MODEL trained in it, `hybrid` with both, and
    MODEL+pgo where motions are known: by odometry, or by the scene's model `menet`."""
    mapped = ["structure", "retrieval"] if scene.posed_frames() else []
    models = _model_names(scene)
    hybrid = ["hybrid"] if mapped and len(models) == 1 else []
    return mapped + models + hybrid + [model + PGO for model in models if odometry or _has_menet(scene)]


def load_estimator(scene: Scene, name: str, odometry: Trajectory | None = None) -> PoseEstimator:
    """The estimator `name` of a scene: `structure`, `retrieval`, `hybrid`, or a model in its folder models/, alone or
    as MODEL+pgo.

    `hybrid` is `structure` and the scene's one model, or the one MODEL of `hybrid:MODEL`; what the scene lacks of the
    two is left out, with a line on stderr. odometry: odom_from_camera of what is to be localized, for MODEL+pgo; None
    takes the scene's MeNet.

    Raises:
        LocalizationError: the scene has no such estimator (the message lists those it has), or not what it needs.
        CheckpointError: the model is damaged.
        MissingDependency: the estimator needs a package that is not installed.
    """
    kind, _, model = name.partition(":")
    if kind == "hybrid":
        return _hybrid(scene, model)
    if name == "structure":
        from campose_core.localization.estimators.structure import StructureEstimator

        return StructureEstimator.load(scene)
    if name == "retrieval":
        from campose_core.localization.estimators.retrieval import RetrievalEstimator

        return RetrievalEstimator.load(scene)
    if name.endswith(PGO):
        return _window(scene, name.removesuffix(PGO), odometry)
    return _learned(scene, name)


def _model_names(scene: Scene) -> list[str]:
    """Of the models that say where a camera is."""
    folders = [path.parent for path in scene.models_dir.glob("*/model.yaml")]
    return sorted(folder.name for folder in folders if _kind_of(folder) != MENET)


def _has_menet(scene: Scene) -> bool:
    return _kind_of(scene.models_dir / MENET) == MENET


def _kind_of(folder: Path) -> str:
    """Of a model; empty where there is none, or a damaged one."""
    try:
        return str(yaml.safe_load((folder / "model.yaml").read_text(encoding="utf-8"))["architecture"]["kind"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return ""


def _window(scene: Scene, model: str, odometry: Trajectory | None) -> WindowEstimator:
    absolute = _learned(scene, model)
    if odometry:
        return WindowEstimator(absolute, OdometryMotions(odometry))
    if not _has_menet(scene):
        raise LocalizationError(
            f"{model}{PGO} needs to know how the camera moves: localize a bag with odometry (nav_msgs/Odometry and "
            f"/tf_static), or run `campose train {scene.path} --model {MENET}`"
        )
    return WindowEstimator(absolute, MeNetMotions(scene))


def _learned(scene: Scene, name: str) -> LearnedEstimator:
    if _kind_of(scene.models_dir / name) == MENET:
        raise LocalizationError(f"{name} is a MeNet: it tells how a camera moved, not where it is; try MODEL{PGO}")
    if name not in _model_names(scene):
        offered = ", ".join(estimator_names(scene)) or "none: it is not mapped yet, run `campose map`"
        raise LocalizationError(f"{scene.path} has no estimator {name!r}; it offers {offered}")
    from campose_core.localization.estimators.learned import LearnedEstimator

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
    from campose_core.localization.estimators.hybrid import HybridEstimator
    from campose_core.localization.estimators.structure import StructureEstimator

    return HybridEstimator(StructureEstimator.load(scene), learned)
