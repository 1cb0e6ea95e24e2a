"""The tables II to V of the paper, for any scene: train what is missing, score all of it on the same frames."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from campose_core.errors import CheckpointError, LearningError, LocalizationError, MappingError, MissingDependency
from campose_core.evaluation.benchmark import Course
from campose_core.evaluation.estimates import Estimates
from campose_core.evaluation.metrics import FrameErrors, scored, summarise
from campose_core.evaluation.table import aligned
from campose_core.extras import load_extra
from campose_core.learning.options import TrainOptions
from campose_core.localization.estimators.base import PoseEstimator
from campose_core.localization.estimators.pose_graph import PGO
from campose_core.localization.estimators.registry import estimator_names, knows_train_split_alone, load_estimator
from campose_core.localization.estimators.retrieval import RetrievalEstimator
from campose_core.paper.variants import Line, Plan
from campose_core.scene.scene import Scene
from campose_core.yaml_files import read_yaml

log = logging.getLogger(__name__)

COLUMNS = ("model", "position", "rotation", "parameters", "trainable", "training", "inference")
RETRIEVAL, STRUCTURE = "retrieval", "structure"
BESIDE_LABELS = {
    RETRIEVAL: "nearest image among the train frames",
    STRUCTURE: "landmarks and PnP: no network, the default estimator",
}


@dataclass(frozen=True)
class Score:
    """Median errors in metres and degrees, inf where most frames have no answer; the rest where it is known.

    inference_ms: median over the frames, of one image by itself. training_s: of the layers, without the features of a
    frozen backbone, which all models on it share.
    """

    position_m: float
    rotation_deg: float
    parameters: int | None = None
    trainable_parameters: int | None = None
    training_s: float | None = None
    inference_ms: float | None = None

    @property
    def total(self) -> float:
        """Return metres, where a radian counts as the metre it moves a point ahead, as in choosing the best epoch."""
        return self.position_m + math.radians(self.rotation_deg)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON, which has no infinity: an infinite error is None."""
        return {name: None if value == math.inf else value for name, value in asdict(self).items()}

    def cells(self) -> list[str]:
        """Write as many cells as COLUMNS has after the model."""
        return [
            "no pose" if math.isinf(self.position_m) else f"{self.position_m:.3f} m",
            "no pose" if math.isinf(self.rotation_deg) else f"{self.rotation_deg:.2f} deg",
            _count(self.parameters),
            _count(self.trainable_parameters),
            "-" if self.training_s is None else f"{self.training_s:.0f} s",
            "-" if self.inference_ms is None else f"{self.inference_ms:.1f} ms",
        ]


@dataclass
class PaperBenchmark:
    """What was compared and what came of it.

    left_out: why a backbone or an estimator is not there, by name. failed: why a model could not be trained.
    scores, runs, errors: of the models and of what stands beside them, by name. beside: names, in the order of showing.
    """

    scene: Scene
    course: Course
    plan: Plan
    left_out: dict[str, str]
    failed: dict[str, str] = field(default_factory=dict)
    scores: dict[str, Score] = field(default_factory=dict)
    runs: dict[str, Estimates] = field(default_factory=dict)
    errors: dict[str, FrameErrors] = field(default_factory=dict)

    @property
    def beside(self) -> list[str]:
        """Return the names of what is scored and is no model of the plan."""
        return [name for name in self.scores if name not in self.plan.models]

    @property
    def frames(self) -> int:
        """Count the frames that all were scored on."""
        return len(next(iter(self.errors.values())).stamps_ns)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of benchmark.json."""

        def row(name: str | None, **more: str) -> dict[str, Any]:
            score = self.scores.get(name or "")
            return {**more, "model": name, **(score.to_dict() if score else {})}

        return {
            "scene": str(self.scene.path),
            "frames_of": self.course.description,
            "frames": self.frames,
            "tables": [
                {"title": table.title, "varied": table.varied,
                 "rows": [row(line.model, label=line.label, published=line.published) for line in table.lines]}
                for table in self.plan.tables
            ],
            "beside": [row(name, label=beside_label(name)) for name in self.beside],
            "left_out": self.left_out,
            "failed": self.failed,
        }  # fmt: skip


def compare(
    scene: Scene, course: Course, plan: Plan, left_out: Mapping[str, str], with_structure: bool
) -> PaperBenchmark:
    """Train the models of the plan that are missing, and run all of them, and what stands beside them, over a course.

    A model that cannot be trained is a row without numbers, and its reason is kept. with_structure: only where the
    map was not made from the frames of the course.

    Raises:
        LearningError: the scene is not split, a model of the same name has other options, or none could be trained.
        MissingDependency: torch or matplotlib is not installed.
    """
    for module in ("torch", "torchvision", "safetensors", "pytorch_lightning"):
        load_extra(module, "train")
    load_extra("matplotlib", "view")
    _require_splits(scene)
    _require_own_names(scene, plan.models)
    found = PaperBenchmark(scene, course, plan, dict(left_out))
    for name, why in left_out.items():
        log.info(f"{name} is left out: {why}")
    _train_missing(found)
    for name in plan.models:
        if name not in found.failed:
            _run(found, name, load_estimator(found.scene, name))
    _run_what_stands_beside(found, with_structure)
    return found


def _require_splits(scene: Scene) -> None:
    """Before the first model: none of them could be trained."""
    if not (scene.posed_frames("train") and scene.posed_frames("val")):
        raise LearningError(f"{scene.path} has no train and val frames: run `campose split {scene.path}`")


def _require_own_names(scene: Scene, models: Mapping[str, TrainOptions]) -> None:
    """Refuse to replace a model that someone trained in another way, perhaps for hours."""
    for name, options in models.items():
        record = scene.steps.get(f"train:{name}")
        if record is None or not (scene.models_dir / name).is_dir():
            continue
        ours = options.to_dict()
        other = {key: value for key, value in record["options"].items() if key in ours and ours[key] != value}
        other.pop("weights", None)  # where the file lies
        if other:
            differing = ", ".join(f"{key} {value}, here {ours[key]}" for key, value in other.items())
            raise LearningError(
                f"{scene.models_dir / name} was trained with other options ({differing}) and would be replaced: "
                "rename its folder, or remove it"
            )


def _train_missing(found: PaperBenchmark) -> None:
    from campose_core.learning.train import train

    for number, (name, options) in enumerate(found.plan.models.items(), start=1):
        log.info(f"model {number} of {len(found.plan.models)}: {name}")
        try:
            found.scene = train(found.scene, name, options)
        except (LearningError, MissingDependency) as error:
            log.info(f"{name} could not be trained: {error}")
            found.failed[name] = str(error)
    if len(found.failed) == len(found.plan.models):
        raise LearningError(f"no model could be trained: {next(iter(found.failed.values()))}")


def _run(found: PaperBenchmark, name: str, estimator: PoseEstimator) -> None:
    estimates = found.course.run(estimator).in_map_of(found.scene.scale)
    errors = scored(estimates, found.course.truth)
    metrics = summarise(errors, estimates)
    found.runs[name], found.errors[name] = estimates, errors
    description = found.scene.models_dir / name / "model.yaml"
    trained: dict[str, float] = {}
    if description.is_file():
        trained = read_yaml(description, CheckpointError)["metrics"]
    parameters, trainable = trained.get("parameters"), trained.get("trainable_parameters")
    found.scores[name] = Score(
        metrics.position_m.median,
        metrics.rotation_deg.median,
        None if parameters is None else int(parameters),
        None if trainable is None else int(trainable),
        trained.get("seconds"),
        metrics.latency_ms.p50 if metrics.latency_ms else None,
    )


def _run_what_stands_beside(found: PaperBenchmark, with_structure: bool) -> None:
    scene = found.scene
    try:
        _run(found, RETRIEVAL, RetrievalEstimator.load(scene, split="train"))
        if with_structure:
            _run(found, STRUCTURE, load_estimator(scene, STRUCTURE))
    except (MappingError, LocalizationError) as error:
        found.left_out[STRUCTURE if RETRIEVAL in found.runs else RETRIEVAL] = str(error)
    if not with_structure:
        found.left_out[STRUCTURE] = "its map was made from these frames too; give --query"
    for name in estimator_names(scene):
        if knows_train_split_alone(name) and name.removesuffix(PGO) not in found.plan.models:
            _run(found, name, load_estimator(scene, name))


def text_tables(found: PaperBenchmark) -> str:
    """Write for people each table with the row of retrieval, what stands beside them, and what is left out."""
    parts = []
    for table in found.plan.tables:
        lines = [line for line in table.lines if line.model]
        rows = [[line.label, *cells_of(found, line)] for line in lines]
        parts.append(f"{table.title}\n{_with_header(table.varied, [*rows, *_baseline(found)])}")
    others = [[beside_label(n), n, *found.scores[n].cells()] for n in found.beside if n != RETRIEVAL]
    if others:
        parts.append(f"Beside them\n{_with_header('what', others)}")
    reasons = [*(f"{n} is left out: {why}" for n, why in found.left_out.items()),
               *(f"{n} could not be trained: {why}" for n, why in found.failed.items())]  # fmt: skip
    parts.append("\n".join([f"Median errors on {found.course.description} ({found.frames} frames).", *reasons]))
    return "\n\n".join(parts)


def beside_label(name: str) -> str:
    """Say what a row beside the tables is of."""
    return BESIDE_LABELS.get(name, "a model of the scene")


def cells_of(found: PaperBenchmark, line: Line) -> list[str]:
    """Write the texts of a row, as many as COLUMNS has; dashes where there is no model."""
    score = found.scores.get(line.model or "")
    return [line.model or "left out", *(score.cells() if score else ["-"] * (len(COLUMNS) - 1))]


def _baseline(found: PaperBenchmark) -> list[list[str]]:
    score = found.scores.get(RETRIEVAL)
    return [["nearest image", RETRIEVAL, *score.cells()]] if score else []


def _with_header(first: str, rows: Iterable[list[str]]) -> str:
    return aligned([[first, *COLUMNS], *rows])


def _count(parameters: int | None) -> str:
    return "-" if parameters is None else f"{parameters:,}".replace(",", " ")
