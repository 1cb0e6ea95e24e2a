"""`campose map SCENE`"""

import json
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from campose_core.cli.align import add_mounting_argument
from campose_core.cli.console import show
from campose_core.cli.numbers import Count, pose_numbers
from campose_core.errors import UsageError
from campose_core.features.registry import FEATURES
from campose_core.scene.scene import Scene
from campose_core.sfm.given_poses import GivenPoses
from campose_core.sfm.map_run import MATCHINGS
from campose_core.sfm.pipeline import MAPPERS, MapOptions, map_scene
from campose_core.sfm.report import MapReport
from campose_core.sfm.rig_constraints import RIG_USES


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the scene, how it is mapped, and poses that are known."""
    parser.add_argument("scene", help="scene folder")
    parser.add_argument(
        "--mapper", choices=MAPPERS, default=MapOptions.mapper, help="COLMAP's global or incremental mapper"
    )
    parser.add_argument(
        "--features", choices=FEATURES.names(), default=MapOptions.features, help="what is matched between images"
    )
    parser.add_argument(
        "--matching",
        choices=MATCHINGS,
        default=MapOptions.matching,
        help="SIFT, and XFeat with LighterGlue where that does not hold the walk together; or both, at seconds a "
        "keyframe",
    )
    parser.add_argument(
        "--max-keyframes",
        type=Count,
        default=MapOptions.max_keyframes,
        help="where there would be more, they lie further apart",
    )
    parser.add_argument(
        "--rig",
        choices=RIG_USES,
        default=MapOptions.rig,
        help="cameras of one robot: fixed where /tf_static has them, where the images put them, or not to each other",
    )
    add_pose_arguments(parser)
    add_mounting_argument(parser)
    parser.add_argument("--json", action="store_true", help="print what was reconstructed as JSON")


def add_pose_arguments(parser: ArgumentParser) -> None:
    """Declare --poses and what it needs; `campose build` has the same."""
    parser.add_argument(
        "--poses",
        type=Path | None,
        help="known poses: a trajectory (TUM and others, docs/formats.md) or a bag; landmarks are triangulated",
    )
    parser.add_argument("--poses-topic", type=str | None, help="pose topic of that bag (default: the only one)")
    parser.add_argument("--poses-frame", type=str | None, help="frame from which that bag's TF leads to the camera")
    parser.add_argument(
        "--poses-source", type=str | None, help="the source they are of, where the stamps of several fit"
    )


def given_poses(options: Namespace) -> GivenPoses | None:
    """Return what the pose arguments ask for.

    Raises:
        UsageError: one of them without --poses, or a mounting that is no pose.
    """
    named = {name: options[name] for name in ("poses_topic", "poses_frame", "poses_source", "mounting")}
    if options.get("tracker"):
        del named["mounting"]  # tells about the tracker
    if options.poses is None:
        stray = next((name for name, value in named.items() if value is not None), None)
        if stray is not None:
            raise UsageError(f"--{stray.replace('_', '-')} tells about --poses: leave it out, or give the poses")
        return None
    return GivenPoses(
        path=str(options.poses),
        topic=options.poses_topic,
        frame=options.poses_frame,
        source=options.poses_source,
        mounting=None if options.mounting is None else pose_numbers("--mounting", options.mounting),
    )


def run(options: Namespace) -> None:
    """Map the scene; prints the report of it."""
    chosen = MapOptions(
        mapper=options.mapper,
        features=options.features,
        matching=options.matching,
        max_keyframes=int(options.max_keyframes),
        poses=given_poses(options),
        rig=options.rig,
    )
    scene = map_scene(Scene.open(options.scene), chosen)
    if options.json:
        show(json.dumps({"scene": str(scene.path), **MapReport.load(scene).to_dict()}))
