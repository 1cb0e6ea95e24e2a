"""`campose export SCENE --to FORM --out DIR`: the map for another program."""

import json
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from campose_core.cli.console import say, show
from campose_core.interchange.export import FORMS, export_scene
from campose_core.scene.scene import Scene


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the scene, the form, the folder to write, and --json."""
    parser.add_argument("scene", help="scene folder")
    parser.add_argument("--to", choices=list(FORMS), required=True, help="the form: whose program is to read it")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="new folder to write")
    parser.add_argument("--json", action="store_true", help="print what was written as JSON")


def run(options: Namespace) -> None:
    """Write the map; says in which frame it lies."""
    scene = Scene.open(options.scene)
    count = export_scene(scene, options.to, options.out)
    if not scene.scale.is_known:
        say(f"export: {scene.path} is not in metres: its scale is unknown (`campose align {scene.path}`)")
    elif scene.scale.caution():
        say(f"export: {scene.path}: {scene.scale.caution()}: all lengths are off by that much together")
    if options.json:
        show(json.dumps({"scene": str(scene.path), "form": options.to, "out": str(options.out), "images": count}))
        return
    show(f"{options.out}: {count} images of {scene.path} in the form of {options.to}")
