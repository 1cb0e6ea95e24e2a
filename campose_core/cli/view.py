"""`campose view SCENE|MCAP|BAG`: look at a scene or a recording in Foxglove or Lichtblick."""

import signal
import threading
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from campose_core.bag.file import is_bag, open_bag
from campose_core.cli.console import say
from campose_core.cli.numbers import Port
from campose_core.cli.outputs import check_file
from campose_core.errors import UsageError
from campose_core.scene.files import HEADER
from campose_core.scene.scene import Scene
from campose_core.visualization.layout import LAYOUT, how_to_look, layout_beside, write_layout
from campose_core.visualization.topics import Source
from campose_core.walkable import WalkableMap


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what to look at, and where viewers find it."""
    parser.add_argument("what", type=Path, metavar="SCENE|MCAP|BAG", help="scene folder, MCAP file, or bag")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 lets the network look")
    parser.add_argument("--port", type=Port, default=8765, help="port to listen on; 0 takes any free one")
    parser.add_argument("--mcap", type=Path, metavar="OUT.mcap", help="write the scene to this file, serve nothing")


def run(options: Namespace) -> None:
    """Serve a scene or a recording until it is interrupted, or write a scene as MCAP."""
    path = Path(options.what)
    if options.mcap is not None:
        check_file("--mcap", options.mcap)
    if path.exists() and is_bag(path) and not (path / HEADER).is_file():  # a recording may lie in a scene
        if options.mcap is not None:
            raise UsageError(f"{path} is a recording: --mcap writes scenes, and the app opens MCAP files itself")
        _view_recording(path, options)
        return
    from campose_core.visualization.scene_view import SceneView

    scene = Scene.open(path)
    view = SceneView(scene)
    layout = _layout_of(scene, view.walkable)
    if options.mcap is None:
        _serve(view, options, layout)
        return
    from campose_core.visualization.mcap import write_source

    write_source(options.mcap, view)
    for line in (f"wrote {options.mcap}", *how_to_look(f"Open local file, {options.mcap}", layout)):
        say(line)


def _layout_of(scene: Scene, walkable: WalkableMap | None) -> Path | None:
    """Write SCENE/foxglove_layout.json; None where that cannot be, which is told."""
    path = scene.path / LAYOUT
    try:
        return write_layout(path, scene, walkable)
    except OSError as error:
        say(f"{path} cannot be written ({error.strerror}): the layout for all scenes does not look at the middle of it")
        return None


def _view_recording(path: Path, options: Namespace) -> None:
    from campose_core.visualization.recording_view import RecordingView

    with open_bag(path) as bag:
        if path.suffix == ".mcap":
            say(f"the app opens this file by itself as well: Open local file, {path}")
        _serve(RecordingView(bag), options, layout_beside(path))


def _serve(source: Source, options: Namespace, layout: Path | None) -> None:
    from campose_core.visualization.server import serve

    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        serve(source, options.host, options.port, stop, layout)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
