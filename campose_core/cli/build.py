"""`campose build SOURCE... --scene SCENE`: from recordings to a localizer, each step skipped when it is done."""

import json
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from campose_core.alignment.request import AlignRequest
from campose_core.alignment.step import align_scene
from campose_core.capture.mapped_recordings import image_topic_of
from campose_core.capture.referenced_frames import frames_with_reference
from campose_core.cli.align import add_alignment_arguments, alignment_request
from campose_core.cli.console import say, show
from campose_core.cli.extract import add_extract_arguments, extract_sources
from campose_core.cli.map import add_pose_arguments, given_poses
from campose_core.cli.train import add_train_arguments, require_training_packages
from campose_core.errors import FloorError, UsageError
from campose_core.evaluation.benchmark import benchmark_test_split
from campose_core.evaluation.metrics import Metrics
from campose_core.evaluation.table import tables
from campose_core.floorplan.attach import attach_floor, attach_floor_from_landmarks
from campose_core.landmark_map.colmap import load_pycolmap
from campose_core.learning.networks import NETWORKS, kind_of_model
from campose_core.learning.options import TrainOptions
from campose_core.scene.lock import locked
from campose_core.scene.scene import Scene
from campose_core.scene.split import split
from campose_core.sfm.given_poses import GivenPoses
from campose_core.sfm.pipeline import MapOptions, map_scene


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what `extract`, `align`, `map --poses` and `train` take, and the floor map."""
    add_extract_arguments(parser, "*")
    parser.add_argument(
        "--colmap",
        metavar="MODEL",
        type=Path | None,
        help="instead of sources: a COLMAP model that exists, such as sparse/0; its poses and intrinsics are kept",
    )
    parser.add_argument(
        "--images", metavar="DIR", type=Path | None, help="folder that the names in that model start from"
    )
    add_alignment_arguments(parser)
    add_pose_arguments(parser)
    parser.add_argument("--map", type=Path | None, help="nav2 map yaml of the floor")
    parser.add_argument(
        "--model", metavar="NAME", help="train a pose network too: posenet, linear, mapnet, or a name that begins so"
    )
    parser.add_argument("--json", action="store_true", help="print the alignment and the metrics as JSON")
    add_train_arguments(parser, "train.")


def run(options: Namespace) -> None:
    """Run each step that is not done, from the recordings to the alignment, and to a trained network with --model."""
    # What can be wrong with the options shows before structure from motion, which takes minutes.
    kind = _model_kind(options.model)
    request, poses = alignment_request(options), given_poses(options)
    model = _model_of_colmap(options)
    if poses is not None and request != AlignRequest():
        raise UsageError("--poses place the map in their own frame: leave out the other ways to align it")
    load_pycolmap()
    with locked(Path(options.scene)):
        scene, rows = _built(options, request, model or poses, kind)
    if options.json:
        alignment = scene.alignment.to_dict() if scene.alignment else None
        metrics = [row.to_dict() for row in rows]
        show(json.dumps({"scene": str(scene.path), "alignment": alignment, "metrics": metrics}))
        return
    if rows:
        show(*tables(rows).splitlines())
    show(f"{scene.path} is ready: campose localize {scene.path} RECORDING --out EST.tum")


def _model_of_colmap(options: Namespace) -> GivenPoses | None:
    """Return the poses of the COLMAP model that is to be built from.

    Raises:
        UsageError: neither sources nor a model, or both, or a model without its images.
    """
    if (options.colmap is None) == (not options.sources):
        raise UsageError("name SOURCES to build from, or --colmap MODEL --images DIR: one of the two")
    if (options.colmap is None) != (options.images is None):
        raise UsageError("--colmap MODEL and --images DIR, the folder of its images, belong together")
    if options.colmap is None:
        return None
    stray = next((name for name in ("poses", "topic") if options[name] is not None), None)
    if stray:
        raise UsageError(f"--{stray} is not for --colmap, which has its own: leave it out")
    return GivenPoses(path=str(options.colmap), images=str(options.images))


def _built(
    options: Namespace, request: AlignRequest, poses: GivenPoses | None, kind: str | None
) -> tuple[Scene, list[Metrics]]:
    """Return the scene, and of a network that was trained its errors on the test frames."""
    scene = extract_sources(options)
    if options.reference is not None:
        frames_with_reference(scene.frames, options.reference, options.source, image_topic_of(scene, options.source))
    if options.map is not None:
        scene = attach_floor(scene, options.map)
    scene = map_scene(scene, MapOptions(poses=poses))
    scene = align_scene(scene, request)
    if not scene.floor_yaml.is_file():
        scene = _floor_of_its_own(scene)
    scene = split(scene)
    if not kind:
        return scene, []
    from campose_core.learning.train import train

    scene = train(scene, options.model, TrainOptions(kind=kind, **options.train.as_dict()))
    return scene, benchmark_test_split(scene)


def _floor_of_its_own(scene: Scene) -> Scene:
    try:
        return attach_floor_from_landmarks(scene)
    except FloorError as error:  # a localizer works without a floor
        say(f"floor: none, so poses are not snapped: {error}")
        return scene


def _model_kind(name: str | None) -> Any:
    """Return the kind of the model to train, checked before the long work begins."""
    if name is None:
        return None
    kind = kind_of_model(name)
    if kind is None:
        raise UsageError(f"--model {name}: begin the name with {', '.join(NETWORKS.names())}")
    require_training_packages()
    return kind
