"""`campose align`: find map_from_sfm, and give every registered frame its pose in the map frame."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.alignment.assumed_scale import align_without_scale, explained
from campose_core.alignment.evidence import Evidence, Level, compare, table
from campose_core.alignment.inertial_labels import label_by_imu
from campose_core.alignment.request import AlignRequest
from campose_core.alignment.selection import gather
from campose_core.alignment.solvers.level import standing_at_origin
from campose_core.alignment.sources.base import MappedScene
from campose_core.alignment.sources.table import sources_of
from campose_core.alignment.straightening import put_straight
from campose_core.errors import AlignmentError
from campose_core.floorplan.attach import save_aligned
from campose_core.geometry import Pose, positions_of
from campose_core.landmark_map.held_out import HeldOut
from campose_core.map_scale import MEASURED
from campose_core.residual import Residual
from campose_core.scene.alignment import Alignment
from campose_core.scene.scene import Scene
from campose_core.scene.step import writes

log = logging.getLogger(__name__)


def align_scene_to_reference(scene: Scene, reference: Path, source: str | None = None) -> Scene:
    """Align with a TUM file of map_from_cam at (some of) the frames' stamps; see `align_scene`."""
    return align_scene(scene, AlignRequest(reference=reference, source=source))


def align_scene_to_points(scene: Scene, pairs: Path) -> Scene:
    """Align with a CSV of three or more point pairs; see `align_scene`."""
    return align_scene(scene, AlignRequest(points=pairs))


def align_scene_by_distance(scene: Scene, first: str, second: str, distance_m: float, height_m: float | None) -> Scene:
    """Align with the metres between the cameras of two frames, and the cameras' height above the floor, metres."""
    return align_scene(scene, AlignRequest(distance=(first, second, distance_m), camera_height_m=height_m))


@writes("floor", "reports", "sfm")
def align_scene(scene: Scene, request: AlignRequest) -> Scene:
    """Find map_from_sfm by what was asked for, or by what the recordings hold; returns the scene as saved.

    Of what gives a whole frame, the first in the order of trust (`sources.table`) is applied; else the first that gives
    a scale alone (a distance, the size of markers), with the level that is known best. The others are compared with it;
    the differences are printed and stored with the alignment. Where nothing gives the scale, see
    `align_without_scale`; that never takes the place of a measured one unless it is asked for. A map that a reference
    shows to be bent is put straight first.

    Raises:
        AlignmentError: a file or a source that was asked for cannot be used; or two that were asked for contradict
            each other.
    """
    options, mapped = request.options(), MappedScene(scene, request)
    if "from" in options:  # another floor map may tell another place
        for source in sources_of(mapped).values():
            options |= source.inputs()
    if scene.alignment is not None and scene.is_done("align", options):
        log.info("align: done already")
        return scene
    mapped = put_straight(mapped)
    scene, sources = mapped.scene, sources_of(mapped)
    poses, path_sfm = mapped.poses, mapped.path_sfm
    found = gather(mapped, sources)
    everything = found.evidence
    trusted = [evidence for evidence in everything if evidence.name in found.asked and evidence.scale] or everything
    applied = _first_whole(trusted, found.level, poses, request.camera_height_m)
    if applied is None and request == AlignRequest() and scene.scale == MEASURED and scene.is_current("align"):
        assert scene.alignment is not None
        log.info(f"align: stays by {scene.alignment.method}: the recordings hold nothing else that gives the scale")
        return scene
    if applied is None:
        applied = _without_scale(scene, poses, found.level, request.camera_height_m)
    for refusal in found.refusals if not found.by_hand else ():
        log.info(f"align: not used: {refusal}")
    for note in dict.fromkeys(note for evidence in (*everything, applied) for note in evidence.notes):
        log.info(f"align: {note}")
    # What gave the level agrees with it.
    others = [one for one in everything if one.name != applied.name and (one.up is None or one.up is not applied.up)]
    checks = [compare(applied, other, path_sfm) for other in others]
    for check in checks:
        if not check.agree and {check.method, applied.name} <= found.asked:
            raise AlignmentError(
                f"{applied.name} and {check.method} were both asked for, and contradict each other: "
                f"{check.difference()}. Leave out the one that is wrong"
            )
    for line in table(applied, checks) if checks else ():
        log.info(line)
    for check in checks:
        if not check.agree:
            log.warning(f"align: WARNING: {applied.name} and {check.method} disagree: {check.difference()}")
    assert applied.alignment is not None
    aligned = _applied(scene, poses, replace(applied.alignment, checks=tuple(checks)), options)
    if request.imu is not None:
        aligned = label_by_imu(aligned, request.imu or None)
    return save_aligned(aligned)


def _first_whole(
    trusted: Sequence[Evidence], level: Level | None, poses: dict[str, Pose], camera_height_m: float | None
) -> Evidence | None:
    """Choose the first that gives a map frame; else the first that gives a scale, standing at its first camera."""
    whole = next((evidence for evidence in trusted if evidence.alignment is not None), None)
    metric = next((evidence for evidence in trusted if evidence.scale is not None), None)
    if whole is not None or metric is None or metric.scale is None:
        return whole
    if level is None:
        raise AlignmentError(f"{metric.name} gives the scale, and nothing tells which way is up: turn while recording")
    ordered = [poses[name] for name in sorted(poses)]
    height_m = camera_height_m
    if height_m is None:
        heights = positions_of(ordered) @ level.up
        height_m = 0.0 if level.floor is None else metric.scale * (float(np.median(heights)) - level.floor)
    similarity = standing_at_origin(ordered, metric.scale, level.up, height_m)
    residual = Residual(scale_percent=100 * metric.scale_sigma, tilt_deg=level.up_deg)
    alignment = Alignment(similarity, f"{metric.name}, level by {level.method}", residual)
    return replace(metric, alignment=alignment, frame="the first camera", up=level.up, up_deg=level.up_deg)


def _without_scale(
    scene: Scene, poses: dict[str, Pose], level: Level | None, camera_height_m: float | None
) -> Evidence:
    alignment = align_without_scale(scene, poses, level, camera_height_m)
    evidence = Evidence(alignment.method, alignment, "the first camera", notes=(explained(scene, alignment),))
    if alignment.scale.is_known:
        evidence = replace(evidence, scale=alignment.map_from_sfm.scale, scale_sigma=alignment.scale.relative_sigma)
    return evidence if level is None else replace(evidence, up=level.up, up_deg=level.up_deg)


def _applied(scene: Scene, poses: dict[str, Pose], found: Alignment, options: dict[str, Any]) -> Scene:
    map_from_sfm = found.map_from_sfm

    def pose(name: str) -> Pose | None:
        return map_from_sfm.transform_pose(poses[name]) if name in poses else None

    frames = tuple(replace(frame, map_from_cam=pose(frame.name)) for frame in scene.frames)
    aligned = scene.with_step("align", options, alignment=found, frames=frames)
    log.info(f"align: by {found.method}; {found.residual}")
    held_out = scene.sfm_dir / "held_out.npz"
    if held_out.is_file():
        log.info(f"align: {HeldOut.load(held_out).transformed(map_from_sfm).summary(found.scale)}")
    return aligned
