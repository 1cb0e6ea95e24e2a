"""`campose localize SCENE SOURCE --estimator NAME --out EST.tum`, and `campose localize SCENE IMAGE --show`"""

from __future__ import annotations

import json
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from campose_core.capture.recording import open_recording
from campose_core.capture.sources.folder_files import SUFFIXES
from campose_core.capture.sources.image_folder import ImageFile
from campose_core.cli.console import say, show
from campose_core.cli.outputs import check_file
from campose_core.cli.query import add_query_arguments, query_camera
from campose_core.errors import UsageError
from campose_core.evaluation.estimates import write_estimates
from campose_core.evaluation.run import localize_recording
from campose_core.frame import Recording
from campose_core.localization.estimators.pose_graph import PGO, recorded_odometry
from campose_core.localization.estimators.registry import ESTIMATORS, load_estimator
from campose_core.scene.scene import Scene


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the scene, the recording or image, the estimator, and where the answers go."""
    parser.add_argument("scene", help="scene folder")
    parser.add_argument("source", help="video file, image, folder of images, or bag")
    parser.add_argument(
        "--estimator",
        default="structure",
        help=f"{', '.join(ESTIMATORS.names())}, where MODEL is that of a trained model",
    )
    parser.add_argument(
        "--out",
        type=Path | None,
        help="TUM file to write; a summary goes beside it as .json. With --show: the drawing",
    )
    parser.add_argument(
        "--show", action="store_true", help="of an image: print where it was taken, and draw it on the floor plan"
    )
    add_query_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(options: Namespace) -> None:
    """Localize each frame by itself and write the trajectory, or with --show one image and draw its place."""
    source = Path(options.source)
    is_image = source.is_file() and source.suffix.lower() in SUFFIXES
    if options.out is not None:
        check_file("--out", options.out)
    if options.show:
        if not source.exists():
            raise UsageError(f"{source}: no such file")
        if not is_image:
            raise UsageError(f"{source} is not an image: --show draws where a single one was taken")
        from campose_core.cli.show_place import show_place

        show_place(options, ImageFile(source))
        return
    if options.out is None:
        raise UsageError("--out EST.tum is missing" + (", or --show" if is_image else ""))
    if options.out.suffix == ".json":
        raise UsageError(f"--out {options.out}: the summary gets this name; call the trajectory EST.tum")
    if options.out.suffix.lower() in (".png", ".svg", ".pdf", *SUFFIXES):
        raise UsageError(f"--out {options.out}: a drawing is made with --show; call the trajectory EST.tum")
    scene = Scene.open(options.scene)
    camera = query_camera(options, source)
    recording: Recording = ImageFile(source) if is_image else open_recording(options.source, options.topic)
    odometry = recorded_odometry(recording) if options.estimator.endswith(PGO) else None
    estimates = localize_recording(scene, recording, load_estimator(scene, options.estimator, odometry), camera)
    estimates = estimates.in_map_of(scene.scale)
    write_estimates(options.out, estimates)
    summary = {name: value for name, value in estimates.summary().items() if name != "per_frame"}
    if options.json:
        show(json.dumps(summary))
        return
    latency = estimates.latency_ms
    speed = f", {latency.p50:.0f} ms a frame (p95 {latency.p95:.0f})" if latency else ""
    if scene.scale.caution():
        say(f"localize: {scene.scale.caution()}")
    show(f"{options.out}: {summary['answered']} of {summary['frames']} frames answered by {options.estimator}{speed}")
