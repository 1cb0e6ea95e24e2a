"""`campose benchmark SCENE [--query SOURCE --reference REF.tum]`"""

import json
import os
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from campose_core.cli.console import say, show
from campose_core.cli.gate import add_gate_arguments, gates_of
from campose_core.cli.numbers import between
from campose_core.cli.outputs import check_folder
from campose_core.cli.query import add_query_arguments, query_camera
from campose_core.cli.train import require_training_packages
from campose_core.errors import UsageError
from campose_core.evaluation.benchmark import benchmark_query, course_of_query, course_of_test_split
from campose_core.evaluation.gate import require, thresholds_of
from campose_core.evaluation.table import tables
from campose_core.learning.options import LIMITS, TrainOptions
from campose_core.matrix.datasets.layouts import DATASETS
from campose_core.matrix.datasets.table import field_table, table_text, to_dicts
from campose_core.matrix.engine import on_this_machine
from campose_core.scene.scene import Scene


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the scene, the query with its truth, and which networks the paper's tables are made of."""
    parser.add_argument("scene", help="scene folder; with --dataset, the folder of its scenes or one of them")
    parser.add_argument(
        "--dataset", choices=[*DATASETS], help="build and ask these scenes; prints published numbers beside ours"
    )
    parser.add_argument(
        "--out", metavar="DIR", type=Path | None, help="with --dataset: folder for its maps and answers"
    )
    parser.add_argument("--query", type=Path | None, help="a recording that the scene was not built from")
    parser.add_argument("--reference", type=Path | None, help="TUM file, or bag: map_from_cam of the query")
    add_query_arguments(parser)
    parser.add_argument(
        "--tables", action="store_true", help="with --query: train and compare the paper's networks on the query"
    )
    parser.add_argument(
        "--backbones",
        nargs="+",
        metavar="NAME",
        type=str,
        help="of the networks, instead of all whose weights are here",
    )
    parser.add_argument("--weights", metavar="DIR", type=Path | None, help="folder with NAME.pth or NAME.safetensors")
    parser.add_argument(
        "--epochs",
        type=between(int, 0, LIMITS["epochs"][1]) | None,
        help="of each network, instead of the default of `campose train`",
    )
    add_gate_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")


def run(options: Namespace) -> None:
    """Compare the scene's estimators on the query, or the paper's networks; prints the tables."""
    if options.out:
        check_folder("--out", options.out)
    if options.dataset:
        _field(options)
        return
    if options.out:
        raise UsageError("--out is of --dataset: the results of a scene go into its own folder")
    scene = Scene.open(options.scene)
    if (options.query is None) != (options.reference is None):
        raise UsageError("--query and --reference go together: the recording, and its truth")
    gates = gates_of(options)
    if options.query is None or options.tables:
        if gates or options.allow_leak:
            raise UsageError(
                "--fail-under judges the scene's first estimator on a query: give --query, without --tables"
            )
        _tables(scene, options)
        return
    if options.backbones or options.weights or options.epochs:
        raise UsageError("--backbones, --weights and --epochs are of networks to train: give --tables with --query")
    camera = query_camera(options, options.query)
    rows = benchmark_query(scene, options.query, options.reference, options.topic, camera, thresholds_of(gates))
    show(*(json.dumps([row.to_dict() for row in rows]) if options.json else tables(rows)).splitlines())
    require(gates, rows[0], options.allow_leak)


def _field(options: Namespace) -> None:
    """Compare with what was published of a data set."""
    others = ("query", "reference", "topic", "camera", "tables", "backbones", "weights", "epochs")
    given = [f"--{name.replace('_', '-')}" for name in (*others, "fail_under", "allow_leak") if getattr(options, name)]
    if given:
        raise UsageError(f"--dataset brings its own images and truth: leave out {', '.join(given)}")
    out = options.out or Path(f"benchmark-{options.dataset}")
    engine = on_this_machine(len(os.sched_getaffinity(0)))
    scores = field_table(options.dataset, Path(options.scene), out, engine)
    show(*(json.dumps(to_dicts(scores)) if options.json else table_text(scores)).splitlines())


def _tables(scene: Scene, options: Namespace) -> None:
    """Compare the paper's networks: on the scene's test frames, or on the query."""
    require_training_packages()
    from campose_core.paper.page import write_benchmark
    from campose_core.paper.tables import compare, text_tables
    from campose_core.paper.variants import choose_backbones, plan_tables

    if options.query is None:
        course = course_of_test_split(scene)
    else:
        camera = query_camera(options, options.query)
        course = course_of_query(scene, options.query, options.reference, options.topic, camera)
    weights, left_out = choose_backbones(tuple(options.backbones or ()), options.weights)
    recipe = TrainOptions() if options.epochs is None else TrainOptions(epochs=options.epochs)
    plan = plan_tables(weights, left_out, recipe)
    with scene.writing("reports"):
        found = compare(scene, course, plan, left_out, with_structure=options.query is not None)
        page = write_benchmark(scene.reports_dir / "benchmark", found)
    show(*(json.dumps(found.to_dict()) if options.json else text_tables(found)).splitlines())
    say(f"the page: {page}")
