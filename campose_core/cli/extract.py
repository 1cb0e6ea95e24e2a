"""`campose extract SOURCE... --scene SCENE`."""

import json

from jsonargparse import ArgumentParser, Namespace

from campose_core.capture.camera_file import read_camera_file
from campose_core.capture.extract import extract
from campose_core.cli.console import show
from campose_core.cli.numbers import FrameRate
from campose_core.scene.scene import Scene


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the sources, how to read them, and --json."""
    add_extract_arguments(parser, "+")
    parser.add_argument("--json", action="store_true", help="print the sources as JSON")


def add_extract_arguments(parser: ArgumentParser, how_many: str) -> None:
    """Declare `how_many` sources and how to read them; `campose build` has the same."""
    parser.add_argument(
        "sources",
        nargs=how_many,
        metavar="SOURCE",
        help="video file, folder of images, bag, or export (docs/exports.md)",
    )
    parser.add_argument("--scene", required=True, metavar="SCENE", help="scene folder; made when it does not exist")
    parser.add_argument(
        "--topic", action="append", help="image topic, for bags with several; again for each camera of a rig"
    )
    parser.add_argument("--fps", type=FrameRate, default=10.0, help="keep at most this many frames a second")
    parser.add_argument(
        "--camera", metavar="FILE", type=str | None,
        help="intrinsics of the image as displayed: JSON or YAML with width, height, model, params (or fx, fy, cx, "
        "cy), or a calibration of ROS, OpenCV, kalibr, COLMAP and others (docs/formats.md)",
    )  # fmt: skip


def extract_sources(options: Namespace) -> Scene:
    """Return the scene, with the sources in it, or with the images of a COLMAP model: all of them."""
    model = options.get("colmap")
    sources = options.sources if model is None else [model]
    camera = read_camera_file(options.camera, sources, options.topic or []) if options.camera else None
    if model is not None:
        return extract(Scene.open_or_create(options.scene), sources, camera=camera, images=options.images)
    fps = None if options.fps == "all" else options.fps
    scene = Scene.open_or_create(options.scene)
    return extract(scene, options.sources, topic=options.topic, fps=fps, camera=camera)


def run(options: Namespace) -> None:
    """Extract the frames; prints a row a source."""
    scene = extract_sources(options)
    if options.json:
        show(*json.dumps({"scene": str(scene.path), "sources": scene.sources}, indent=2).splitlines())
        return
    show(f"{'source':24} {'kind':8} {'frames':>7} {'dropped':>8}  camera")
    for name, source in scene.sources.items():
        camera = scene.cameras[name]
        known = "calibrated" if source["calibrated"] else "guessed"
        dropped = sum(source["dropped"].values())
        size = f"{camera.width}x{camera.height}"
        show(f"{name:24} {source['kind']:8} {source['frames']:>7} {dropped:>8}  {camera.model} {size}, {known}")
