"""`campose floor`: attach a nav2 map to a scene, or make one out of a plan whose blocked zones are painted."""

import json
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from campose_core.errors import UsageError
from campose_core.mapping.attach_floor import attach_floor, attach_plan
from campose_core.mapping.plan import resolution_from_points
from campose_core.scene import Scene
from campose_core.walkable import DEFAULT_MAX_SNAP_M, DEFAULT_RADIUS_M, load_walkable


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("scene", type=Path)
    parser.add_argument("--map", type=Path, help="nav2 map yaml, as map_server reads it")
    parser.add_argument("--plan", type=Path, help="drawing in which all that cannot be walked on is painted")
    parser.add_argument("--keepout", type=Path, help="nav2 yaml of a mask; its occupied cells are not walked on")
    parser.add_argument("--radius", type=float, default=DEFAULT_RADIUS_M, help="metres kept from walls")
    parser.add_argument("--max-snap", type=float, default=DEFAULT_MAX_SNAP_M, help="metres a pose is moved at most")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    plan = parser.add_argument_group("with --plan")
    plan.add_argument("--resolution", type=float, metavar="M", help="metres per pixel")
    plan.add_argument(
        "--points", type=float, nargs=4, metavar=("X1", "Y1", "X2", "Y2"), help="two pixels that are --distance apart"
    )
    plan.add_argument("--distance", type=float, metavar="M", help="metres between the two --points")
    plan.add_argument(
        "--origin", type=float, nargs=3, metavar=("X", "Y", "YAW"), default=[0.0, 0.0, 0.0],
        help="lower left corner of the drawing in the map frame, metres and radians",
    )  # fmt: skip
    plan.add_argument("--colour", type=str, default="red", help="of the paint, by name or as #rrggbb")


def run(options: Namespace) -> None:
    if (options.map is None) == (options.plan is None):
        raise UsageError("give either --map MAP.yaml or --plan PLAN.png")
    if options.map is not None and (options.resolution, options.points, options.distance) != (None, None, None):
        raise UsageError("--resolution, --points and --distance belong to --plan: the yaml of --map has its own scale")
    resolution = None if options.plan is None else _resolution(options)
    scene = Scene.open(options.scene)
    common = {"keepout_yaml": options.keepout, "radius_m": options.radius, "max_snap_m": options.max_snap}
    if resolution is None:
        scene = attach_floor(scene, options.map, **common)
    else:
        scene = attach_plan(scene, options.plan, resolution, tuple(options.origin), options.colour, **common)
    walkable = load_walkable(scene.floor_yaml.parent)
    assert walkable is not None
    rows, columns = walkable.floor.shape
    cell = walkable.floor.resolution
    facts: dict[str, Any] = {
        "map": str(scene.floor_yaml),
        "width_m": columns * cell,
        "height_m": rows * cell,
        "resolution": cell,
        "free_m2": float(walkable.floor.free.sum() * cell**2),
        "walkable_m2": float(walkable.walkable.sum() * cell**2),
    }
    if options.json:
        print(json.dumps(facts))
    else:
        print(
            "{map}: {width_m:.1f} x {height_m:.1f} m at {resolution:.3g} m a cell, "
            "{free_m2:.1f} m2 free, {walkable_m2:.1f} m2 walkable".format(**facts)
        )


def _resolution(options: Namespace) -> float:
    by_points = options.points is not None, options.distance is not None
    if any(by_points) == (options.resolution is not None) or any(by_points) != all(by_points):
        raise UsageError("a plan has no scale: give either --resolution, or --points X1 Y1 X2 Y2 and --distance")
    if options.resolution is not None:
        return float(options.resolution)
    x1, y1, x2, y2 = options.points
    return resolution_from_points((x1, y1), (x2, y2), options.distance)
