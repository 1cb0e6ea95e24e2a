"""`campose align SCENE --reference REF.tum | --points PAIRS.csv | --distance FRAME FRAME METRES`"""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from campose_core.errors import UsageError
from campose_core.mapping.align import align_scene_by_distance, align_scene_to_points, align_scene_to_reference
from campose_core.scene import Scene


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("scene", help="scene folder")
    add_alignment_arguments(parser)


def add_alignment_arguments(parser: ArgumentParser) -> None:
    """The ways to align; `campose build` has the same."""
    parser.add_argument(
        "--reference", type=Path | None, help="TUM file: the camera's pose in the map at the frames' stamps"
    )
    parser.add_argument(
        "--points", type=Path | None, help="CSV of three or more point pairs: name,x,y,z or sfm_x,...,x,y,z"
    )
    parser.add_argument(
        "--distance", nargs=3, metavar=("FRAME", "FRAME", "METRES"), help="a known distance between two frames' cameras"
    )
    parser.add_argument("--camera-height", type=float, default=0.0, help="above the floor, for --distance, in metres")


def align(scene: Scene, options: Namespace) -> Scene:
    """Align by the one way that was given.

    Raises:
        UsageError: none or several were given, or the distance is not a number.
    """
    given = [name for name in ("reference", "points", "distance") if options[name] is not None]
    if len(given) != 1:
        raise UsageError("give one of --reference REF.tum, --points PAIRS.csv, --distance FRAME FRAME METRES")
    if options.reference is not None:
        return align_scene_to_reference(scene, options.reference)
    if options.points is not None:
        return align_scene_to_points(scene, options.points)
    first, second, metres = options.distance
    try:
        distance_m = float(metres)
    except ValueError:
        raise UsageError(f"--distance needs two frame names and metres, got {metres!r}") from None
    return align_scene_by_distance(scene, first, second, distance_m, options.camera_height)


def run(options: Namespace) -> None:
    align(Scene.open(options.scene), options)
