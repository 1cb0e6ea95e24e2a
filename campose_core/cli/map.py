"""`campose map SCENE`"""

import json

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
    parser.add_argument("--json", action="store_true", help="print what was reconstructed as JSON")


def run(options: Namespace) -> None:
    chosen = MapOptions(mapper=options.mapper, keyframe_fps=options.keyframe_fps, max_keyframes=options.max_keyframes)
    scene = map_scene(Scene.open(options.scene), chosen)
    if options.json:
        report = json.loads((scene.sfm_dir / "report.json").read_text(encoding="utf-8"))
        print(json.dumps({"scene": str(scene.path), **report}))
