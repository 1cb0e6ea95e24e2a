"""`campose map SCENE`"""

from jsonargparse import ArgumentParser, Namespace
from jsonargparse.typing import PositiveFloat, PositiveInt

from campose_core.mapping.reconstruct import MAPPERS, MapOptions, map_scene
from campose_core.scene import Scene


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("scene", help="scene folder")
    parser.add_argument(
        "--mapper", choices=MAPPERS, default=MapOptions.mapper, help="COLMAP's global or incremental mapper"
    )
    parser.add_argument(
        "--keyframe-fps", type=PositiveFloat | None, help="keyframes per second (default: as many as allowed)"
    )
    parser.add_argument(
        "--max-keyframes", type=PositiveInt, default=MapOptions.max_keyframes, help="bound where no rate is given"
    )


def run(options: Namespace) -> None:
    chosen = MapOptions(mapper=options.mapper, keyframe_fps=options.keyframe_fps, max_keyframes=options.max_keyframes)
    map_scene(Scene.open(options.scene), chosen)
