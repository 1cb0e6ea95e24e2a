"""`campose align SCENE`: by what the recordings hold, or by what is given."""

import json
import math
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from campose_core.alignment.request import AlignRequest, TrackerRequest, kind_and_topic
from campose_core.alignment.sources.table import recorded_kinds
from campose_core.alignment.step import align_scene
from campose_core.capture.external_poses import check_reference
from campose_core.cli.console import say, show
from campose_core.cli.numbers import FiniteNumber, pose_numbers
from campose_core.errors import AlignmentError, UsageError
from campose_core.geometry import FARTHEST_M
from campose_core.learning.same_map import is_of_this_map
from campose_core.scene.scene import Scene

MAX_HEIGHT_M = 30.0  # of a camera on a mast, a crane or a drone above the floor that it sees; 120 are centimetres


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the scene, the ways to align it, and --json."""
    parser.add_argument("scene", help="scene folder")
    add_alignment_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the alignment as JSON")


def add_alignment_arguments(parser: ArgumentParser) -> None:
    """Declare the ways to align, as `campose build` has them. Several are compared; none: what recordings hold."""
    kinds = "; ".join(f"{kind} ({what})" for kind, what in recorded_kinds().items())
    parser.add_argument(
        "--from", nargs="+", metavar="KIND[:TOPIC]", help=f"align by this out of the recordings: {kinds}"
    )
    parser.add_argument(
        "--reference",
        type=Path | None,
        help="trajectory (TUM and others, docs/formats.md): the camera's poses in the map at the frames' stamps",
    )
    parser.add_argument(
        "--source", type=str | None, help="the source that --reference or --tracker is of, where there are several"
    )
    parser.add_argument(
        "--tracker",
        type=Path | None,
        help="trajectory or bag: poses of a body that carries the camera; clock and mounting are estimated",
    )
    parser.add_argument("--tracker-topic", type=str | None, help="pose topic of that bag (default: the only one)")
    add_mounting_argument(parser)
    parser.add_argument(
        "--imu",
        metavar="TOPIC",
        nargs="?",
        const="",
        type=str | None,
        help="frames that the map could not place, between others: place them by the IMU of their bag",
    )
    parser.add_argument(
        "--points", type=Path | None, help="CSV of three or more point pairs: name,x,y,z or sfm_x,...,x,y,z"
    )
    parser.add_argument(
        "--markers", type=Path | None, help="YAML of AprilTag or ArUco markers: dictionary, size_m, places"
    )
    parser.add_argument(
        "--distance", nargs=3, metavar=("FRAME", "FRAME", "METRES"), help="a known distance between two frames' cameras"
    )
    parser.add_argument(
        "--camera-height",
        metavar="METRES",
        type=str | None,
        help="metres above the floor: the scale, where nothing else gives it (default: 1.45, carried by hand); where "
        "z = 0 is, for --distance and markers without places (default: the floor that was seen)",
    )


def add_mounting_argument(parser: ArgumentParser) -> None:
    """Declare --mounting; `campose map` has the same."""
    parser.add_argument(
        "--mounting",
        type=FiniteNumber,
        nargs=7,
        metavar=("X", "Y", "Z", "QX", "QY", "QZ", "QW"),
        help="with --poses (`map`, `build`): the camera's pose on the body that they are of (default: they are the "
        "camera's); with --tracker: about where it sits on the tracked body, where the motion does not show it; not "
        "with --reference, whose poses are the camera's (give those of a body as --tracker)",
    )


def alignment_request(options: Namespace) -> AlignRequest:
    """Return what the options ask for; refuses before any work what `align` would refuse after it.

    Raises:
        UsageError: an option without the one it belongs to, an unknown kind, a distance that is no number.
        AlignmentError, TrajectoryError: a file is missing, or is none that can be a reference.
    """
    if options.source is not None and options.reference is None and options.tracker is None:
        raise UsageError("--source tells of which source --reference is: leave it out, or give the reference")
    told = ("tracker_topic",) if options.get("poses") else ("tracker_topic", "mounting")
    for name in told:
        if options[name] is not None and options.tracker is None:
            camera = "; poses of --reference are the camera's" if name == "mounting" and options.reference else ""
            named = f"--{name.replace('_', '-')} tells about --tracker"
            raise UsageError(f"{named}{camera}: leave it out, or give the tracker")
    kinds = tuple(options["from"] or ())
    known = recorded_kinds()
    for name in kinds:
        if kind_and_topic(name)[0] not in known:
            raise UsageError(
                f"--from {name}: choose of {', '.join(known)}, with :TOPIC behind it where there are several"
            )
    for path in (options.points, options.markers):
        if path is not None and not path.is_file():
            raise AlignmentError(f"{path}: no such file")
    if options.reference is not None:
        check_reference(options.reference)
    tracker = None
    if options.tracker is not None:
        if not options.tracker.exists():
            raise AlignmentError(f"{options.tracker}: no such file or folder")
        mounting = None if options.mounting is None else pose_numbers("--mounting", options.mounting)
        tracker = TrackerRequest(path=options.tracker, topic=options.tracker_topic, mounting=mounting)
    distance = None
    if options.distance is not None:
        first, second, text = options.distance
        distance = (first, second, _metres(text, "--distance needs two frame names and"))
    height_m = None
    if options.camera_height is not None:
        height_m = _metres(options.camera_height, "--camera-height needs")
        if height_m > MAX_HEIGHT_M:
            unit, times = ("centimetres", 100) if height_m <= 10 * MAX_HEIGHT_M else ("millimetres", 1000)
            raise UsageError(
                f"--camera-height needs metres above the floor, at most {MAX_HEIGHT_M:g}, got {height_m:g}: "
                f"{unit}? Then give {height_m / times:g}"
            )
    return AlignRequest(
        reference=options.reference,
        source=options.source,
        tracker=tracker,
        points=options.points,
        distance=distance,
        camera_height_m=height_m,
        markers=options.markers,
        recorded=kinds,
        imu=options.imu,
    )


def _metres(text: str, needs: str) -> float:
    try:
        metres = float(text)
    except ValueError:
        metres = math.nan
    if not 0 < metres <= FARTHEST_M:
        raise UsageError(f"{needs} a positive number of metres, got {text!r}")
    return metres


def run(options: Namespace) -> None:
    """Align the scene; the alignment goes to its scene.yaml, and with --json to stdout."""
    scene = Scene.open(options.scene)
    scene = align_scene(scene, alignment_request(options))
    for path in sorted(scene.models_dir.glob("*/model.yaml")):
        if not is_of_this_map(scene, path.parent.name):
            say(f"align: the model {path.parent.name} was trained in the map as it was: train it again, or remove it")
    if options.json and scene.alignment is not None:
        show(json.dumps({"scene": str(scene.path), **scene.alignment.to_dict()}))
