"""`campose benchmark SCENE [--query SOURCE --reference REF.tum]`"""

import json
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from campose_core.capture.extract import read_camera_file
from campose_core.errors import UsageError
from campose_core.evaluation.benchmark import benchmark_query, benchmark_test_split
from campose_core.evaluation.table import metrics_table
from campose_core.scene import Scene


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("scene", help="scene folder")
    parser.add_argument("--query", type=Path | None, help="a recording that the scene was not built from")
    parser.add_argument("--reference", type=Path | None, help="TUM file: map_from_cam of the query")
    parser.add_argument("--topic", type=str | None, help="image topic, for bags with several")
    parser.add_argument(
        "--camera", metavar="FILE", type=str | None, help="intrinsics of the query camera, if not the scene's"
    )
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")


def run(options: Namespace) -> None:
    scene = Scene.open(options.scene)
    if (options.query is None) != (options.reference is None):
        raise UsageError("--query and --reference go together: the recording, and its truth")
    if options.query is None:
        rows = benchmark_test_split(scene)
    else:
        camera = read_camera_file(options.camera) if options.camera else None
        rows = benchmark_query(scene, options.query, options.reference, options.topic, camera)
    print(json.dumps([row.to_dict() for row in rows]) if options.json else metrics_table(rows))
