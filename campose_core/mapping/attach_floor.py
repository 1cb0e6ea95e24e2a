"""The step `floor`: a floor map, from a nav2 map or from a painted plan, becomes part of a scene."""

import hashlib
from pathlib import Path
from typing import Any

from campose_core.errors import FloorError
from campose_core.files import replacing
from campose_core.floor import FloorMap
from campose_core.mapping.plan import floor_from_plan
from campose_core.progress import say
from campose_core.scene import Scene
from campose_core.walkable import DEFAULT_MAX_SNAP_M, DEFAULT_RADIUS_M, WalkableMap, save_walkable


def attach_floor(
    scene: Scene,
    map_yaml: Path | str,
    keepout_yaml: Path | str | None = None,
    radius_m: float = DEFAULT_RADIUS_M,
    max_snap_m: float = DEFAULT_MAX_SNAP_M,
) -> Scene:
    """Copy a nav2 map, and a keep-out mask of the same format, into the scene; returns the saved scene.

    Nothing is written when the scene holds this very floor already, or when the floor cannot be used.

    Raises:
        FloorError: a map cannot be read, or nothing of it is walkable; the file is named.
    """
    return _attach(scene, FloorMap.load(map_yaml), {"map": str(map_yaml)}, keepout_yaml, radius_m, max_snap_m)


def attach_plan(
    scene: Scene,
    plan_image: Path | str,
    resolution: float,
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
    colour: str = "red",
    keepout_yaml: Path | str | None = None,
    radius_m: float = DEFAULT_RADIUS_M,
    max_snap_m: float = DEFAULT_MAX_SNAP_M,
) -> Scene:
    """The same from a drawing whose blocked zones are painted, see `floor_from_plan`."""
    floor = floor_from_plan(plan_image, resolution, origin, colour)
    return _attach(scene, floor, {"plan": str(plan_image), "colour": colour}, keepout_yaml, radius_m, max_snap_m)


def _attach(
    scene: Scene,
    floor: FloorMap,
    source: dict[str, Any],
    keepout_yaml: Path | str | None,
    radius_m: float,
    max_snap_m: float,
) -> Scene:
    keepout = None if keepout_yaml is None else FloorMap.load(keepout_yaml)
    options = {
        **source,
        "content": _digest(floor),
        "keepout": None if keepout is None else {"map": str(keepout_yaml), "content": _digest(keepout)},
        "radius_m": radius_m,
        "max_snap_m": max_snap_m,
    }
    if scene.is_done("floor", options) and scene.floor_yaml.is_file():
        say("floor: done already")
        return scene
    try:
        WalkableMap.from_floor(floor, keepout, radius_m, max_snap_m)
    except FloorError as error:
        raise FloorError(f"{source.get('map', source.get('plan'))}: {error}") from error
    with replacing(scene.floor_yaml.parent) as folder:
        save_walkable(folder, floor, keepout, radius_m, max_snap_m)
        scene.without_step("floor").save()
    scene = scene.with_step("floor", options)
    scene.save()
    return scene


def _digest(floor: FloorMap) -> str:
    placed = repr((floor.shape, floor.resolution, floor.origin)).encode()
    return hashlib.sha256(placed + floor.occupancy.tobytes()).hexdigest()[:16]
