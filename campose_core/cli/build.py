"""`campose build SOURCE... --scene SCENE`: from recordings to a localizer, each step skipped when it is done."""

from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from campose_core.capture.extract import extract, read_camera_file
from campose_core.cli.align import add_alignment_arguments, align
from campose_core.cli.extract import FrameRate
from campose_core.cli.train import KINDS
from campose_core.errors import UsageError
from campose_core.evaluation.benchmark import benchmark_test_split
from campose_core.evaluation.table import metrics_table
from campose_core.extras import load_extra
from campose_core.learning.options import TrainOptions
from campose_core.mapping.attach_floor import attach_floor
from campose_core.mapping.reconstruct import MapOptions, map_scene
from campose_core.mapping.split import split
from campose_core.progress import say
from campose_core.scene import Scene


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="video file, folder of pictures, or bag")
    parser.add_argument("--scene", required=True, help="scene folder; made when it does not exist")
    parser.add_argument("--topic", type=str | None, help="image topic, for bags with several")
    parser.add_argument("--fps", type=FrameRate, default=10.0, help="keep at most this many frames a second")
    parser.add_argument("--camera", metavar="FILE", type=str | None, help="intrinsics, where the recording has none")
    add_alignment_arguments(parser)
    parser.add_argument("--map", type=Path | None, help="nav2 map yaml of the floor")
    parser.add_argument(
        "--model", metavar="NAME", help="train a pose network too: posenet, mapnet, or a name that begins so"
    )
    parser.add_class_arguments(TrainOptions, "train", skip={"kind"})


def run(options: Namespace) -> None:
    kind = _model_kind(options.model)
    camera = read_camera_file(options.camera) if options.camera else None
    fps = None if options.fps == "all" else options.fps
    scene = Scene.open_or_create(options.scene)
    scene = extract(scene, [Path(p) for p in options.sources], topic=options.topic, fps=fps, camera=camera)
    scene = map_scene(scene, MapOptions())
    scene = align(scene, options)
    if options.map is not None:
        scene = attach_floor(scene, options.map)
    elif not scene.floor_yaml.is_file():
        say("floor: no --map was given, so poses are not snapped to walkable floor")
    scene = split(scene)
    if kind:
        from campose_core.learning.train import train

        scene = train(scene, options.model, TrainOptions(kind=kind, **options.train.as_dict()))
        print(metrics_table(benchmark_test_split(scene)))
    print(f"{scene.path} is ready: campose localize {scene.path} RECORDING --out EST.tum")


def _model_kind(name: str | None) -> Any:
    """The kind of the model to train, checked before the long work begins."""
    if name is None:
        return None
    kind = next((kind for kind in KINDS if name.startswith(kind)), None)
    if kind is None:
        raise UsageError(f"--model {name}: begin the name with {' or '.join(KINDS)}")
    for module in ("torch", "torchvision", "safetensors"):
        load_extra(module, "train")
    return kind
