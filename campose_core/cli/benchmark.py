"""`campose benchmark SCENE [--query SOURCE --reference REF.tum]`"""

import json
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from campose_core.cli.query import add_query_arguments, query_camera
from campose_core.errors import UsageError
from campose_core.evaluation.benchmark import benchmark_query, benchmark_test_split
from campose_core.evaluation.table import tables
from campose_core.scene import Scene


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("scene", help="scene folder")
    parser.add_argument("--query", type=Path | None, help="a recording that the scene was not built from")
    parser.add_argument("--reference", type=Path | None, help="TUM file: map_from_cam of the query")
    add_query_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")


def run(options: Namespace) -> None:
    scene = Scene.open(options.scene)
    if (options.query is None) != (options.reference is None):
        raise UsageError("--query and --reference go together: the recording, and its truth")
    if options.query is None:
        rows = benchmark_test_split(scene)
    else:
        rows = benchmark_query(scene, options.query, options.reference, options.topic, query_camera(options))
    print(json.dumps([row.to_dict() for row in rows]) if options.json else tables(rows))
