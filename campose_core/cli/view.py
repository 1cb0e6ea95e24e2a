"""`campose view SCENE`: look at a scene in Foxglove or Lichtblick."""

import signal
import threading
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from campose_core.errors import UsageError
from campose_core.progress import say
from campose_core.scene import Scene
from campose_core.visualization.layout import how_to_look


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("scene", type=Path, help="scene folder")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 lets the network look")
    parser.add_argument("--port", type=int, default=8765, help="port to listen on; 0 takes any free one")
    parser.add_argument("--mcap", type=Path, metavar="OUT.mcap", help="write the scene to this file, serve nothing")


def run(options: Namespace) -> None:
    path = Path(options.scene)
    if path.is_file() or (path / "metadata.yaml").is_file():
        raise UsageError(f"{path} is a recording, not a scene. {how_to_look(f'Open local file, {path}')}")
    scene = Scene.open(path)
    if options.mcap is not None:
        from campose_core.visualization.mcap import write_scene_mcap

        write_scene_mcap(options.mcap, scene)
        say(f"wrote {options.mcap}\n{how_to_look(f'Open local file, {options.mcap}')}")
        return
    from campose_core.visualization.server import serve

    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        serve(scene, options.host, options.port, stop)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
