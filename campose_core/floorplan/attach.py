"""The step `floor`: a floor map, from a nav2 map, a plan drawing or the recording itself, becomes part of a scene."""

import hashlib
import logging
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.errors import FloorError
from campose_core.files import replacing
from campose_core.floor import FloorMap
from campose_core.floorplan.drawing import DrawingKind, floor_from_drawing
from campose_core.floorplan.fit import doubts_of_fit
from campose_core.floorplan.from_landmarks import floor_from_landmarks
from campose_core.floorplan.scene_floor import has_floor_plan, has_own_floor, why_not_snapped
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.map_scale import ScaleBasis
from campose_core.scene.scene import Scene
from campose_core.scene.step import writes
from campose_core.snap_targets import Mask, kept_out, walkable_cells
from campose_core.walkable import DEFAULT_MAX_SNAP_M, DEFAULT_RADIUS_M, WalkableMap, save_walkable

log = logging.getLogger(__name__)

LARGEST_CELL_M = 2.0  # of a floor that somebody walks on


@writes("floor")
def attach_floor(
    scene: Scene,
    map_yaml: Path | str,
    keepout_yaml: Path | str | None = None,
    radius_m: float = DEFAULT_RADIUS_M,
    max_snap_m: float = DEFAULT_MAX_SNAP_M,
) -> Scene:
    """Copy a nav2 map, and a keep-out mask of the same format, into the scene; returns the saved scene.

    radius_m, max_snap_m: see `WalkableMap.from_floor`.

    Nothing is written when the scene holds this very floor already, or when the floor cannot be used.

    Raises:
        FloorError: a map cannot be read, or nothing of it is walkable; the file is named.
    """
    floor = FloorMap.load(map_yaml)
    _check_units(floor.resolution, floor.origin[2], map_yaml)
    return _attach(scene, floor, {"map": str(map_yaml)}, keepout_yaml, radius_m, max_snap_m)


@writes("floor")
def attach_plan(
    scene: Scene,
    plan_image: Path | str,
    resolution: float,
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
    colour: str = "red",
    keepout_yaml: Path | str | None = None,
    radius_m: float = DEFAULT_RADIUS_M,
    max_snap_m: float = DEFAULT_MAX_SNAP_M,
    kind: DrawingKind | None = None,
) -> Scene:
    """Attach a floor map made of a drawing whose blocked zones are painted, or whose walls are in ink.

    resolution, origin, colour, kind: see `floor_from_drawing`. The others, what is returned and what is raised: as of
    `attach_floor`.
    """
    _check_units(resolution, origin[2], plan_image)
    floor, kind = floor_from_drawing(plan_image, resolution, origin, colour, kind)
    source = {"plan": str(plan_image), **({"colour": colour} if kind == "paint" else {"walls": "ink"})}
    log.info(f"floor: {plan_image} is read by its {'painted zones' if kind == 'paint' else 'walls in ink'}")
    return _attach(scene, floor, source, keepout_yaml, radius_m, max_snap_m)


@writes("floor")
def attach_floor_from_landmarks(
    scene: Scene,
    keepout_yaml: Path | str | None = None,
    radius_m: float = DEFAULT_RADIUS_M,
    max_snap_m: float = DEFAULT_MAX_SNAP_M,
) -> Scene:
    """Attach a floor map made of the scene's own landmarks and walked path, see `floor_from_landmarks`.

    Raises:
        FloorError: the scene is not aligned, or nothing tells its metres. MappingError: it is not mapped.
    """
    landmarks = Landmarks.load(scene.sfm_dir / "landmarks.npz")
    if scene.alignment is None or not scene.is_current("align"):
        raise FloorError(f"{scene.path} has no place in a metric map frame yet: run `campose align {scene.path}`")
    if not scene.scale.is_known:
        raise FloorError(f"the scale of {scene.path} is unknown, and a floor map is in metres")
    recorded = sorted({frame.source for frame in scene.posed_frames()})
    paths = [scene.trajectory(source).positions[:, :2] for source in recorded]
    # An assumed scale comes from the floor that was seen, and z = 0 lies on it.
    floor_z = 0.0 if scene.scale.basis is ScaleBasis.ASSUMED else None
    floor = floor_from_landmarks(landmarks.transformed(scene.alignment.map_from_sfm), paths, radius_m, floor_z)
    return _attach(scene, floor, {"landmarks": str(scene.path)}, keepout_yaml, radius_m, max_snap_m)


def save_aligned(scene: Scene) -> Scene:
    """Save a scene with a new alignment; a floor map that came out of its own landmarks is made anew in it.

    The old one goes first: a kill in between leaves none, never one that lies elsewhere. What speaks against one that
    was given is said.
    """
    if why := why_not_snapped(scene):
        log.warning(f"align: WARNING: {why}")
    options = scene.steps.get("floor", {}).get("options", {})
    if not has_own_floor(scene):
        scene.save()
        if options and scene.floor_yaml.is_file():
            mask = scene.floor_yaml.with_name("keepout.yaml")
            try:
                keepout = FloorMap.load(mask) if mask.is_file() else None
                _say_doubts(scene, FloorMap.load(scene.floor_yaml), keepout, options["radius_m"], options["max_snap_m"])
            except FloorError as error:
                log.warning(f"floor: WARNING: {error}")
        return scene
    shutil.rmtree(scene.floor_yaml.parent)
    scene = scene.without_step("floor")
    scene.save()
    if options["keepout"] is not None:
        log.info(
            "floor: the keep-out mask lay on the floor map of before: draw it anew and give it with `campose floor`"
        )
    try:
        scene = attach_floor_from_landmarks(scene, None, options["radius_m"], options["max_snap_m"])
    except FloorError as error:
        log.info(
            f"floor: none any more, so poses are not snapped: {error}; `campose floor {scene.path}` makes one once it "
            "is aligned well"
        )
        return scene
    log.info("floor: made anew from the recording, where it is aligned now")
    return scene


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
        log.info("floor: done already")
        _say_doubts(scene, floor, keepout, radius_m, max_snap_m)
        return scene
    try:
        walkable = WalkableMap.from_floor(floor, keepout, radius_m, max_snap_m).walkable
    except FloorError as error:
        raise FloorError(f"{next(iter(source.values()))}: {error}") from error
    with replacing(scene.floor_yaml.parent) as folder:
        save_walkable(folder, floor, keepout, radius_m, max_snap_m)
        scene = scene.without_step("floor")
        scene.save()
    scene = scene.with_step("floor", options)
    scene.save()
    _say_doubts(scene, floor, keepout, radius_m, max_snap_m, walkable)
    return scene


def _check_units(cell: float, yaw: float, what: Path | str) -> None:
    if cell > LARGEST_CELL_M:
        raise FloorError(
            f"{what}: one cell would be {cell:g} m wide: its resolution, or the points that give it, are in metres a "
            f"pixel ({cell:g} pixels a metre are {1 / cell:.4g})"
        )
    if abs(yaw) > 2 * math.pi:
        raise FloorError(
            f"{what}: the yaw of its origin, {yaw:g}, is in radians ({yaw:g} degrees are {math.radians(yaw):.4f})"
        )


def _say_doubts(
    scene: Scene,
    floor: FloorMap,
    keepout: FloorMap | None,
    radius_m: float,
    max_snap_m: float,
    walkable: Mask | None = None,
) -> None:
    """Say what speaks against a scene's floor map, as far as anything tells: a wrong one moves poses.

    walkable: cells of `floor`, where they are known: a large map takes a minute for them.
    """
    out = None if keepout is None else kept_out(floor, keepout)
    if out is not None and not out.any():
        log.warning(
            "floor: WARNING: the keep-out mask keeps no free cell of the floor map out: where do its origin and "
            "resolution place it, and are its zones occupied (negate)?"
        )
    landmarks, aligned = scene.sfm_dir / "landmarks.npz", scene.alignment is not None and scene.is_current("align")
    if not aligned or not scene.scale.is_known or why_not_snapped(scene) or not landmarks.is_file():
        return
    assert scene.alignment is not None
    in_map = Landmarks.load(landmarks).transformed(scene.alignment.map_from_sfm)
    if walkable is None:
        walkable = walkable_cells(floor, keepout, radius_m)
    for doubt in doubts_of_fit(floor, walkable, max_snap_m, in_map, has_floor_plan(scene), out):
        log.warning(f"floor: WARNING: {doubt}")


def _digest(floor: FloorMap) -> str:
    placed = repr((floor.shape, floor.resolution, floor.origin)).encode()
    digest = hashlib.sha256(placed)
    digest.update(np.ascontiguousarray(floor.occupancy).data)
    return digest.hexdigest()[:16]
