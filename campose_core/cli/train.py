"""`campose train SCENE --model NAME`"""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any, get_type_hints

from jsonargparse import ActionConfigFile, ArgumentParser, Namespace  # type: ignore[attr-defined]

from campose_core.cli.console import show
from campose_core.cli.numbers import between
from campose_core.errors import CheckpointError, UsageError
from campose_core.extras import load_extra
from campose_core.learning.networks import NETWORKS, kind_of_model
from campose_core.learning.options import LIMITS, TrainOptions
from campose_core.localization.estimators.registry import ESTIMATORS
from campose_core.scene.scene import Scene
from campose_core.yaml_files import read_yaml


class _BoundedConfig(ActionConfigFile):
    """A file of options that is looked at before jsonargparse reads it, whose reader follows aliases."""

    def __call__(self, parser: Any, namespace: Any, path: Any, option: Any = None) -> None:
        if Path(path).is_file():  # otherwise the parser says so
            read_yaml(Path(path), UsageError)
        super().__call__(parser, namespace, path, option)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the scene, the model's name, a preset, and an option for each field of TrainOptions."""
    parser.add_argument("scene", help="scene folder")
    parser.add_argument("--model", required=True, metavar="NAME", help="folder below models/; begins with the kind")
    # Its short name, action="config", came with jsonargparse 4.31; Ubuntu 24.04 has 4.27.
    parser.add_argument("--config", action=_BoundedConfig, help="YAML file with any of the options below")
    parser.add_argument("--kind", choices=NETWORKS.names(), help="kind of model, where NAME does not begin with it")
    parser.add_argument("--json", action="store_true", help="print the metrics as JSON")
    add_train_arguments(parser)


def add_train_arguments(parser: ArgumentParser, prefix: str = "") -> None:
    """Add an option per field of TrainOptions but `kind`, explained by its docstring; `campose build` has the same."""
    types = get_type_hints(TrainOptions)
    explained = dict(re.findall(r"^ +(\w+): (.+(?:\n {12}.+)*)$", TrainOptions.__doc__ or "", re.MULTILINE))
    group = parser.add_argument_group("training")
    for field in dataclasses.fields(TrainOptions):
        if field.name != "kind":
            option = f"--{prefix}{field.name.replace('_', '-')}"
            kind = types[field.name]
            if field.name in LIMITS:
                number = between(int if kind is int else float, *LIMITS[field.name])
                kind = number | None if field.default is None else number
            if field.name == "unlabelled":
                kind = kind | str  # one recording needs no brackets
            told = " ".join(explained[field.name].split())
            group.add_argument(option, type=kind, default=field.default, help=told)


def require_training_packages() -> None:
    """Raise MissingDependency before any work where one is not installed."""
    for module in ("torch", "torchvision", "safetensors", "pytorch_lightning"):
        load_extra(module, "train")


def require_model_name(name: str) -> None:
    """Refuse a name by which another estimator is asked for: nobody would reach the model.

    Raises:
        UsageError: it stands in the table of estimators, or ends like one that is made of a model.
    """
    taken = ESTIMATORS.names()
    endings = tuple(entry.removeprefix("MODEL") for entry in taken if entry.startswith("MODEL") and entry != "MODEL")
    if name in taken or name.endswith(endings):
        raise UsageError(f"--model {name}: this is the name of another estimator; choose another one for the model")


def run(options: Namespace) -> None:
    """Train the model; prints its metrics."""
    require_model_name(options.model)
    require_training_packages()
    from campose_core.learning.train import train

    kind = options.kind or kind_of_model(options.model)
    if kind is None:
        raise UsageError(
            f"--model {options.model}: begin the name with {' or '.join(NETWORKS.names())}, or give --kind"
        )
    names = [f.name for f in dataclasses.fields(TrainOptions) if f.name != "kind"]
    given: dict[str, Any] = {name: options[name] for name in names}
    scene = train(Scene.open(options.scene), options.model, TrainOptions(kind=kind, **given))
    metrics = read_yaml(scene.models_dir / options.model / "model.yaml", CheckpointError)["metrics"]
    if options.json:
        show(json.dumps(metrics))
    else:
        show(*(f"{name:16} {value:.6g}" for name, value in metrics.items()))
