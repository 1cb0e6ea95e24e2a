"""The options by which `localize` and `benchmark` take a recording that the scene was not built from."""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from campose_core.camera import Camera
from campose_core.capture.camera_file import read_camera_file


def add_query_arguments(parser: ArgumentParser) -> None:
    """Declare --topic and --camera."""
    parser.add_argument("--topic", type=str | None, help="image topic, for bags with several")
    parser.add_argument(
        "--camera", metavar="FILE", type=str | None, help="intrinsics of the query camera, if not the scene's"
    )


def query_camera(options: Namespace, recording: Path | str) -> Camera | None:
    """Return the camera given of this recording, None where the recording or the scene is to say."""
    topics = [options.topic] if options.topic else []
    return read_camera_file(options.camera, [recording], topics) if options.camera else None
