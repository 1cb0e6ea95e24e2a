"""`campose align SCENE --reference REF.tum | --points PAIRS.csv | --distance FRAME FRAME METRES`"""

import json
import math
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from campose_core.errors import AlignmentError, UsageError
from campose_core.mapping.align import align_scene_by_distance, align_scene_to_points, align_scene_to_reference
from campose_core.scene import Scene


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("scene", help="scene folder")
    add_alignment_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the alignment as JSON")


def add_alignment_arguments(parser: ArgumentParser) -> None:
    """The ways to align; `campose build` has the same."""
    parser.add_argument(
        "--reference", type=Path | None, help="TUM file: the camera's pose in the map at the frames' stamps"
    )
    parser.add_argument(
        "--source", type=str | None, help="the source that --reference is of, where the stamps of several fit"
    )
    parser.add_argument(
        "--points", type=Path | None, help="CSV of three or more point pairs: name,x,y,z or sfm_x,...,x,y,z"
    )
    parser.add_argument(
        "--distance", nargs=3, metavar=("FRAME", "FRAME", "METRES"), help="a known distance between two frames' cameras"
    )
    parser.add_argument("--camera-height", type=float, default=0.0, help="above the floor, for --distance, in metres")


def check_alignment_arguments(options: Namespace) -> None:
    """Refuse before any work what `align` would refuse after it.

    Raises:
        UsageError: none or several ways were given, or the distance is not a number. AlignmentError: a file is missing.
    """
    given = [name for name in ("reference", "points", "distance") if options[name] is not None]
    if len(given) != 1:
        raise UsageError("give one of --reference REF.tum, --points PAIRS.csv, --distance FRAME FRAME METRES")
    if options.source is not None and options.reference is None:
        raise UsageError("--source tells of which source --reference is: leave it out, or give the reference")
    for path in (options.reference, options.points):
        if path is not None and not path.is_file():
            raise AlignmentError(f"{path}: no such file")
    if options.distance is not None:
        _metres(options.distance[2])


def align(scene: Scene, options: Namespace) -> Scene:
    """Align by the one way that was given; see `check_alignment_arguments`."""
    if options.reference is not None:
        return align_scene_to_reference(scene, options.reference, options.source)
    if options.points is not None:
        return align_scene_to_points(scene, options.points)
    first, second, metres = options.distance
    return align_scene_by_distance(scene, first, second, _metres(metres), options.camera_height)


def _metres(text: str) -> float:
    try:
        metres = float(text)
    except ValueError:
        metres = math.nan
    if not 0 < metres < math.inf:
        raise UsageError(f"--distance needs two frame names and a positive number of metres, got {text!r}")
    return metres


def run(options: Namespace) -> None:
    scene = Scene.open(options.scene)
    check_alignment_arguments(options)
    scene = align(scene, options)
    if options.json and scene.alignment is not None:
        print(json.dumps({"scene": str(scene.path), **scene.alignment.to_dict()}))
