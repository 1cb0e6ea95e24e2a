"""Which networks the tables II to V of the paper compare, as models of a scene.

"A Deep Learning Approach to Camera Pose Estimation" (Izzo, Bozzo; University of Trento) trained PoseNet with one linear
layer and MapNet with three on frozen backbones, and compared backbones and losses of each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from campose_core.errors import LearningError, UsageError
from campose_core.learning.options import TrainOptions

DEFAULT_BACKBONE = "efficientnet_lite0"
PAPER_BACKBONES = ("googlenet", "resnet18", "resnet34", "resnet50", "resnet152", "efficientnet_b7")
# Of the rotation error, squared, beside that of the position, in eq. 9.
EQ_9_WEIGHT = 100.0
# A single layer has not arrived after 300 epochs at the rate that suits three. In a kitchen, the tenfold took its
# validation error from 14.2 to 12.3 cm and left the rotation at 18 deg; one run each.
ONE_LAYER_RATE = 10.0

# Position / rotation error in the units of the paper's own data set, which are neither metres nor degrees.
PUBLISHED = {
    ("posenet", "googlenet"): "0.781 / 0.119",
    ("posenet", "resnet18"): "0.635 / 0.288",
    ("posenet", "resnet34"): "0.632 / 0.223",
    ("posenet", "resnet50"): "0.707 / 0.191",
    ("posenet", "resnet152"): "0.594 / 0.139",
    ("posenet", "efficientnet_b7"): "0.817 / 0.132",
    ("posenet", "weighted"): "NaN",
    ("mapnet", "googlenet"): "0.225 / 0.0876",
    ("mapnet", "resnet18"): "0.202 / 0.0658",
    ("mapnet", "resnet34"): "0.187 / 0.0757",
    ("mapnet", "resnet50"): "0.220 / 0.0969",
    ("mapnet", "resnet152"): "0.233 / 0.0869",
    ("mapnet", "efficientnet_b7"): "0.210 / 0.0848",
    ("mapnet", "l1"): "0.227 / 0.042",
    ("mapnet", "smooth_l1"): "0.187 / 0.076",
    ("mapnet", "rmse"): "0.187 / 0.038",
}


@dataclass(frozen=True)
class Line:
    """A row of a table: what is varied, the model that stands for it (None where its backbone is left out), and what
    the paper found."""

    label: str
    model: str | None
    published: str = ""


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper: what is varied in it, and its rows."""

    title: str
    varied: str
    lines: tuple[Line, ...]


@dataclass
class Plan:
    """Tables, and the options of each model in them. Equal options are one model, under the name that came first."""

    tables: list[PaperTable] = field(default_factory=list)
    models: dict[str, TrainOptions] = field(default_factory=dict)

    def model(self, name: str, options: TrainOptions) -> str:
        """Add a model, unless one of the same options is there; returns the name under which it is."""
        for known, its_options in self.models.items():
            if its_options == options:
                return known
        self.models[name] = options
        return name


def choose_backbones(wanted: tuple[str, ...], weights: Path | None) -> tuple[dict[str, str], dict[str, str]]:
    """Choose the option `weights` of backbones that can be had without network; says why the others are left out.

    wanted: by name; none for efficientnet_lite0 and those of the paper.

    Raises:
        LearningError: no such backbone, or none can be had. UsageError: `weights` is not a folder.
    """
    from campose_core.learning.pretrained import require_known, weights_at_hand

    if weights is not None and not weights.is_dir():
        raise UsageError(f"--weights {weights}: there is no such folder")
    found, left_out = dict[str, str](), dict[str, str]()
    for name in wanted or (DEFAULT_BACKBONE, *PAPER_BACKBONES):
        require_known(name)
        try:
            found[name] = weights_at_hand(name, weights)
        except LearningError as error:
            left_out[name] = str(error)
    if not found:
        raise LearningError("no backbone can be had: " + "; ".join(f"{n}: {why}" for n, why in left_out.items()))
    return found, left_out


def plan_tables(weights: Mapping[str, str], left_out: Mapping[str, str], recipe: TrainOptions) -> Plan:
    """Plan tables II to V and one over linear layers.

    weights: the option `weights` of each backbone; the first of them carries the losses and the layers. recipe: all
    other options.
    """
    plan, first = Plan(), next(iter(weights))
    layers_of = {"posenet": 1, "mapnet": 3}

    def name_of(kind: str, what: str) -> str:
        return f"{kind}-{what}" if first == DEFAULT_BACKBONE else f"{kind}-{first}-{what}"

    def options(kind: Any, backbone: str = first, **changes: Any) -> TrainOptions:
        asked = {"linear_layers": layers_of[kind], "anchors": 1, **changes}  # the networks of the paper have none
        if asked["linear_layers"] == 1:
            asked["learning_rate"] = ONE_LAYER_RATE * recipe.learning_rate
        return replace(recipe, kind=kind, backbone=backbone, weights=weights[backbone], **asked)

    def backbones(kind: str) -> tuple[Line, ...]:
        lines = [
            Line(backbone, plan.model(f"{kind}-{backbone}", options(kind, backbone)), published(kind, backbone))
            for backbone in weights
        ]
        return (*lines, *(Line(backbone, None, published(kind, backbone)) for backbone in left_out))

    def loss(kind: str, label: str, what: str, **changes: Any) -> Line:
        return Line(label, plan.model(name_of(kind, what), options(kind, **changes)), published(kind, what))

    labels = {"smooth_l1": "SmoothL1", "l1": "L1", "mse": "MSE", "rmse": "RMSE"}
    fixed = {"penalty": "mse", "learn_weights": False, "beta": 0.0, "gamma": -math.log(EQ_9_WEIGHT)}
    weighted = f"weighted, eq. 9 with alpha = {EQ_9_WEIGHT:g}"

    def losses(kind: str, penalties: tuple[str, ...]) -> list[Line]:
        return [loss(kind, labels[penalty], penalty, penalty=penalty) for penalty in penalties]

    plan.tables.append(PaperTable("Table II: PoseNet, one linear layer", "backbone", backbones("posenet")))
    plan.tables.append(
        PaperTable(
            f"Table III: PoseNet on {first}",
            "loss",
            (*losses("posenet", ("smooth_l1", "l1", "mse")), loss("posenet", weighted, "weighted", **fixed)),
        )
    )
    plan.tables.append(PaperTable("Table IV: MapNet, three linear layers", "backbone", backbones("mapnet")))
    plan.tables.append(
        PaperTable(f"Table V: MapNet on {first}", "loss", tuple(losses("mapnet", ("l1", "smooth_l1", "rmse", "mse"))))
    )
    plan.tables.append(PaperTable(f"Linear layers: MapNet on {first}", "layers", tuple(
        Line(str(count), plan.model(name_of("mapnet", f"{count}-layer{'s' if count > 1 else ''}"),
                                    options("mapnet", linear_layers=count)))
        for count in (1, 2, 3)
    )))  # fmt: skip
    return plan


def published(kind: str, what: str) -> str:
    """Return position / rotation error of a backbone or a loss in the paper, in its own units; empty for none."""
    return PUBLISHED.get((kind, what), "")
