"""`campose floor`: the floor map of a scene, from a nav2 map, out of a plan drawing, or out of the recording itself."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from jsonargparse import ArgumentParser, Namespace

from campose_core.cli.console import say, show
from campose_core.cli.numbers import FiniteNumber, NotNegative, PositiveNumber
from campose_core.errors import UsageError
from campose_core.floor import FloorMap
from campose_core.floorplan.attach import attach_floor, attach_floor_from_landmarks, attach_plan
from campose_core.floorplan.drawing import DrawingKind
from campose_core.floorplan.drawing_registration import PlanPlace, register_plan
from campose_core.floorplan.painted_zones import resolution_from_points
from campose_core.floorplan.scene_floor import why_not_snapped
from campose_core.scene.scene import Scene
from campose_core.snap_targets import walkable_cells
from campose_core.walkable import DEFAULT_MAX_SNAP_M, DEFAULT_RADIUS_M


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the scene, what its floor map is made from, and what is kept from walls."""
    parser.add_argument("scene", type=Path)
    parser.add_argument("--map", type=Path, help="nav2 map yaml, as map_server reads it")
    parser.add_argument(
        "--plan", type=Path, help="drawing: what cannot be walked on is painted, or the walls are in ink"
    )
    parser.add_argument("--keepout", type=Path, help="nav2 yaml of a mask; its occupied cells are not walked on")
    parser.add_argument("--radius", type=NotNegative, default=DEFAULT_RADIUS_M, help="metres kept from walls")
    parser.add_argument("--max-snap", type=NotNegative, default=DEFAULT_MAX_SNAP_M, help="metres a pose moves at most")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    plan = parser.add_argument_group("with --plan")
    plan.add_argument("--resolution", type=PositiveNumber, metavar="M", help="metres per pixel")
    plan.add_argument(
        "--points", type=str, nargs="+", metavar="POINT",
        help="PAIRS.csv with the columns px,py,x,y: two or more pixels and their places in the map; "
        "or X1 Y1 X2 Y2: two pixels that are --distance apart",
    )  # fmt: skip
    plan.add_argument("--distance", type=PositiveNumber, metavar="M", help="metres between the two --points")
    plan.add_argument(
        "--origin", type=FiniteNumber, nargs=3, metavar=("X", "Y", "YAW"),
        help="lower left corner of the drawing in the map frame, metres and radians (default: 0 0 0)",
    )  # fmt: skip
    plan.add_argument("--colour", type=str, default="red", help="of the paint, by name or as #rrggbb")
    plan.add_argument("--walls", action="store_true", help="its walls are in ink, whatever is painted")


def run(options: Namespace) -> None:
    """Make the floor map from a nav2 map, a plan drawing or the recording; prints what came of it."""
    if options.map is not None and options.plan is not None:
        raise UsageError(
            "give either --map MAP.yaml or --plan PLAN.png, or neither to take the floor out of the recording"
        )
    of_a_plan = options.resolution, options.points, options.distance, options.origin, options.walls or None
    if options.plan is None and any(value is not None for value in of_a_plan):
        raise UsageError("--resolution, --points, --distance, --origin and --walls belong to --plan PLAN.png")
    place = None if options.plan is None else _place(options)
    scene = Scene.open(options.scene)
    common = {"keepout_yaml": options.keepout, "radius_m": options.radius, "max_snap_m": options.max_snap}
    residual: dict[str, float] = {}
    if options.map is not None:
        made_from = "nav2 map"
        scene = attach_floor(scene, options.map, **common)
    elif place is not None:
        if len(place.residual_m) > 2:
            residual = {"points_max_m": float(place.residual_m.max())}
            say(f"floor: the {len(place.residual_m)} point pairs agree within {residual['points_max_m']:.3f} m")
        kind: DrawingKind | None = "walls" if options.walls else None
        scene = attach_plan(scene, options.plan, place.resolution, place.origin, options.colour, kind=kind, **common)
        made_from = "walls in ink" if "walls" in scene.steps["floor"]["options"] else "painted zones"
    else:
        made_from = "landmarks and walked path"
        scene = attach_floor_from_landmarks(scene, **common)
    if why := why_not_snapped(scene):
        say(f"floor: WARNING: {why}: run `campose align {scene.path}`, which matches the two")
    floor = FloorMap.load(scene.floor_yaml)
    keepout = None if options.keepout is None else FloorMap.load(options.keepout)
    rows, columns = floor.shape
    cell = floor.resolution
    facts: dict[str, Any] = {
        "map": str(scene.floor_yaml),
        "made_from": made_from,
        **residual,
        "width_m": columns * cell,
        "height_m": rows * cell,
        "resolution": cell,
        "free_m2": float(floor.free.sum() * cell**2),
        "walkable_m2": float(walkable_cells(floor, keepout, options.radius).sum() * cell**2),
    }
    if options.json:
        show(json.dumps(facts))
    else:
        show(
            "{map}: from {made_from}, {width_m:.1f} x {height_m:.1f} m at {resolution:.3g} m a cell, "
            "{free_m2:.1f} m2 free, {walkable_m2:.1f} m2 walkable".format(**facts)
        )


def _place(options: Namespace) -> PlanPlace:
    """Where the plan lies: by point pairs, or by a scale and the place of its corner."""
    points, by_pairs = options.points, options.points is not None and len(options.points) == 1
    if by_pairs:
        if (options.resolution, options.distance, options.origin) != (None, None, None):
            raise UsageError(
                "--points PAIRS.csv tells scale and place: leave out --resolution, --distance and --origin"
            )
        return register_plan(options.plan, points[0])
    by_points = points is not None, options.distance is not None
    if any(by_points) == (options.resolution is not None) or any(by_points) != all(by_points):
        raise UsageError(
            "a plan has no scale: give either --resolution, or --points X1 Y1 X2 Y2 and --distance, "
            "or --points PAIRS.csv"
        )
    x, y, yaw = options.origin or (0.0, 0.0, 0.0)
    if options.resolution is not None:
        return PlanPlace(options.resolution, (x, y, yaw), np.zeros(0))
    try:
        x1, y1, x2, y2 = (float(value) for value in points)
    except ValueError:
        raise UsageError(f"--points needs four numbers X1 Y1 X2 Y2, or one CSV file, got {' '.join(points)}") from None
    return PlanPlace(resolution_from_points((x1, y1), (x2, y2), options.distance), (x, y, yaw), np.zeros(0))
