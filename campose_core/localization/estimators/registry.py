"""Which estimators there are and which a scene offers, by name; docs/extend/estimator.md adds one."""

from __future__ import annotations

import re

from campose_core.errors import LocalizationError, PluginError
from campose_core.localization.estimators.base import EstimatorRequest, NamedEstimator, PoseEstimator
from campose_core.scene.scene import Scene
from campose_core.seams.seam import Seam
from campose_core.trajectory import Trajectory

HERE = "campose_core.localization.estimators"
# MODEL in a name stands for that of a trained model; a model of a name that stands here is not reached.
ESTIMATORS: Seam[type[NamedEstimator]] = Seam(
    "estimators",
    {
        "structure": f"{HERE}.structure:StructureEstimator",
        "retrieval": f"{HERE}.retrieval:RetrievalEstimator",
        "MODEL": f"{HERE}.learned:LearnedEstimator",
        "hybrid": f"{HERE}.hybrid:HybridEstimator",
        "hybrid:MODEL": f"{HERE}.hybrid:HybridEstimator",
        "MODEL+pgo": f"{HERE}.pose_graph:WindowEstimator",
    },
    LocalizationError,
    members=("of_train_split", "load", "offered", "estimate", "refresh"),
)


def estimator_names(scene: Scene, odometry: Trajectory | None = None) -> list[str]:
    """List the estimators of a scene.

    `structure` and `retrieval` where it is mapped, each model MODEL trained in it, `hybrid` with both, MODEL+pgo where
    motions are known by odometry or by the scene's model `menet`, and what plug-ins offer.
    """
    request = EstimatorRequest(odometry=odometry)
    classes = dict.fromkeys(ESTIMATORS.load(name) for name in ESTIMATORS.names())
    return [name for estimator in classes for name in estimator.offered(scene, request)]


def load_estimator(scene: Scene, name: str, odometry: Trajectory | None = None) -> PoseEstimator:
    """Make the estimator `name` of a scene, one of the table's names with MODEL replaced.

    odometry: odom_from_camera of what is to be localized, for MODEL+pgo; None takes the scene's MeNet.

    Raises:
        LocalizationError: the scene has no such estimator (the message lists those it has), or not what it needs.
        PluginError: it comes with an installed package, and is broken. CheckpointError: the model is damaged.
        MissingDependency: the estimator needs a package that is not installed.
    """
    entry, model = _entry(name)
    estimator = ESTIMATORS.load(entry).load(scene, EstimatorRequest(model, odometry))
    if not getattr(estimator, "name", ""):
        raise PluginError(f"the estimator {entry!r} has no `name`, by which reports tell it from others")
    return estimator


def knows_train_split_alone(name: str) -> bool:
    """Tell whether the frames of the train split made an estimator, so that the scene's other frames judge it."""
    return ESTIMATORS.load(_entry(name)[0]).of_train_split


def _entry(name: str) -> tuple[str, str]:
    """Which name of the table is meant, and which model: the longest that fits, since MODEL alone fits all."""
    names = ESTIMATORS.names()
    if name in names:
        return name, ""
    for entry in sorted((one for one in names if "MODEL" in one), key=len, reverse=True):
        if found := re.fullmatch(re.escape(entry).replace("MODEL", "(.*)"), name, re.DOTALL):
            return entry, found[1]
    raise AssertionError("MODEL fits all")
