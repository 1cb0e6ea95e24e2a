"""`campose map`: keyframes, features, matches, reconstruction and landmarks, each stage in a child process.

Unfinished work lies in SCENE/.sfm.work, where every stage leaves its results whole or not at all; a killed run goes on
with the first stage that is missing, see `campose_core.sfm.map_run`. SCENE/sfm is replaced in one rename when all
of it is there.
"""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from campose_core.capture.mapped_recordings import recorded_odometry
from campose_core.errors import MappingError
from campose_core.features.registry import FEATURES, SIFT
from campose_core.files import read_json, replacing, write_text
from campose_core.landmark_map.colmap import load_pycolmap
from campose_core.landmark_map.focal_certainty import focal_texts
from campose_core.landmark_map.intrinsics import given_camera, lens_of, sharing_a_camera
from campose_core.landmark_map.landmarks import Landmarks, landmark_file
from campose_core.landmark_map.lens import refined_cameras
from campose_core.landmark_map.lens_switches import switch_texts
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.scene.step import writes
from campose_core.sfm.given_poses import GivenPoses, in_map_frame
from campose_core.sfm.keyframe_selection import choose_at_most, measure_motion
from campose_core.sfm.map_run import AS_NEEDED, MapRun
from campose_core.sfm.registration import register, unplaced_text
from campose_core.sfm.rig_constraints import keep_moments_together, rigs_of_keyframes

log = logging.getLogger(__name__)

MAPPERS = ("global", "incremental")
WORK = ".sfm.work"
RESULTS = ("landmarks.npz", "poses.npz", "held_out.npz", "report.json")  # beside the model and the database


@dataclass(frozen=True, kw_only=True)
class MapOptions:
    """max_keyframes: a bound; where a recording would make more, they lie further apart.

    features: their kind, see `campose_core.features.registry`.
    matching: as needed, or strong from the start, see `campose_core.sfm.map_run`.
    poses: known from outside; landmarks are then triangulated from them, whatever the mapper.
    rig: how the cameras of a rig are used, see `campose_core.sfm.rig_constraints.rigs_of_keyframes`.
    """

    mapper: str = "global"
    features: str = SIFT
    matching: str = AS_NEEDED
    max_keyframes: int = 400
    stage_timeout_s: float = 3600.0
    poses: GivenPoses | None = None
    rig: str = "known"


def choose_keyframes(scene: Scene, most: int) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Choose frame names per source, in time order; also returns how many were left out, by reason.

    Raises:
        MappingError: fewer than three are left.
    """
    by_source: dict[str, list[SceneFrame]] = {}
    for frame in sorted(scene.frames, key=lambda f: f.stamp_ns):
        by_source.setdefault(frame.source, []).append(frame)
    motion = {
        source: measure_motion([scene.frame_path(frame) for frame in group], f"keyframes {source}")
        for source, group in by_source.items()
    }
    chosen = choose_at_most(motion, most)
    names = {source: [by_source[source][row].name for row in found.rows] for source, found in chosen.items()}
    left_out = {why: sum(getattr(k, why) for k in chosen.values()) for why in ("static", "blurred", "dark")}
    total = sum(map(len, names.values()))
    if total < 3:
        raise MappingError(
            f"{scene.path}: {len(scene.frames)} frames make {total} keyframes: the camera hardly moved in "
            f"{left_out['static']}, {left_out['dark']} are dark, {left_out['blurred']} blurred. Record while walking, "
            "with the light on"
        )
    return names, left_out


@writes("sfm", WORK)
def map_scene(scene: Scene, options: MapOptions) -> Scene:
    """Reconstruct the scene's frames; the result is in SCENE/sfm, in the sfm frame, and the cameras are refined.

    Raises:
        MappingError: a stage failed; the message names it and what to record instead.
    """
    chosen = {k: v for k, v in asdict(options).items() if k not in ("stage_timeout_s", "poses", "rig")}
    chosen |= {"rig": options.rig} if scene.rigs else {}
    for name in ("features", "matching"):  # maps made before do not say them
        if chosen[name] == getattr(MapOptions, name):
            del chosen[name]
    chosen |= {} if options.poses is None else {"poses": options.poses.inputs()}
    if scene.is_done("map", chosen) and all((scene.sfm_dir / name).is_file() for name in RESULTS):
        log.info("map: done already")
        return scene
    if len(scene.frames) < 3:
        raise MappingError(f"{scene.path} holds {len(scene.frames)} frames: extract a recording first, three or more")
    load_pycolmap()  # a missing package is better said here than by a child
    posed = None if options.poses is None else options.poses.read(scene)
    cameras = {source: given_camera(scene, source) for source in sorted({frame.source for frame in scene.frames})}
    names, left_out = choose_keyframes(scene, options.max_keyframes)
    names = keep_moments_together(names, scene)
    rigs = rigs_of_keyframes(scene, names, options.rig)
    total = sum(map(len, names.values()))
    reasons = "".join(f", {count} {why}" for why, count in left_out.items() if count)
    log.info(f"map: {total} keyframes of {len(scene.frames)} frames{reasons}")
    extracted = {step: record["key"] for step, record in scene.steps.items() if step.startswith("extract")}
    given = {source: cameras[source].to_dict() for source in names}
    shared = sharing_a_camera(scene, list(names))
    inputs = {
        "options": chosen,
        "extracted": extracted,
        "features": FEATURES.load(options.features).version,
        "shared": shared,
    }
    work = _work_folder(scene.path / WORK, inputs)
    stamps_ns = {f.name: f.stamp_ns for f in scene.frames}
    counted = [source for source in names if _only_counts(scene, source)]
    odometry = recorded_odometry(scene, names) if posed is None else {}
    guessed = [source for source in names if not scene.sources[source]["calibrated"]]
    made = MapRun(
        work=work, images=scene.frames_dir, cameras=given, shared=shared, guessed=guessed, names=names,
        stamps_ns=stamps_ns, counted=counted, features=options.features, mapper=options.mapper,
        matching=options.matching, timeout_s=options.stage_timeout_s, posed=posed, rigs=rigs, odometry=odometry,
    ).run()  # fmt: skip
    folder, report = made.folder, made.report
    refined = refined_cameras(report.cameras or {}, cameras, shared)
    exact = posed if report.given_poses is not None and not report.given_poses.adjusted else {}
    landmarks = [Landmarks.load(place / "landmarks.npz") for place in made.by_kind.values()]
    switches, zooms = report.lens_switches or [], report.zooms or []
    of_cameras = switch_texts(switches, zooms, refined, stamps_ns)
    if posed is None:
        of_cameras += focal_texts(cameras, guessed, refined, report.focal_sigmas or {})
    for text in of_cameras:
        log.info(f"map: {text}")
    lenses = {f.name: lens_of(f.name, switches) for f in scene.frames}
    frames = (replace(f, camera=lenses[f.name] if lenses[f.name] in refined else f.source) for f in scene.frames)
    scene = replace(scene, frames=tuple(frames))
    unzoomed = tuple(frame for frame in scene.frames if not any(zoom.holds(frame.name) for zoom in zooms))
    poses = register(landmarks, replace(scene, frames=unzoomed), refined, exact)
    log.info(f"map: {len(poses.names)} of {len(scene.frames)} frames have a pose")
    for source in scene.sources:
        if missing_here := unplaced_text(unzoomed, {str(name) for name in poses.names}, source):
            log.info(f"map: {missing_here}")

    with replacing(scene.sfm_dir) as sfm:
        sfm.mkdir()
        shutil.copytree(folder / "model", sfm / "model")
        for file in ("database.db", "landmarks.npz", "held_out.npz"):
            shutil.copyfile(folder / file, sfm / file)
        for kind, place in made.by_kind.items():
            if place != folder:
                shutil.copyfile(place / "landmarks.npz", sfm / landmark_file(kind))
        poses.save(sfm / "poses.npz")
        missing = sorted({frame.name for frame in scene.frames} - set(poses.names))
        report = replace(
            report, cameras=refined, of_cameras=of_cameras or None,
            keyframes=total, keyframes_left_out=left_out, frames=len(scene.frames),
            posed=len(poses.names), without_pose=missing,
        )  # fmt: skip
        report.save(sfm)
        # Between here and the last save a kill must not leave the old alignment to the new reconstruction.
        unposed = tuple(replace(frame, map_from_cam=None) for frame in scene.frames)
        scene = scene.without_step("map", frames=unposed, alignment=None)
        scene.save()
    done = scene.with_step(
        "map",
        chosen,
        cameras={**{n: camera for n, camera in scene.cameras.items() if n in scene.sources}, **refined},
        sources={name: {**fields, "given_camera": given[name]} for name, fields in scene.sources.items()},
    )
    if options.poses is not None and options.poses.images is None:
        done = in_map_frame(done, poses, report)
    done.save()
    shutil.rmtree(work)
    return done


def _only_counts(scene: Scene, source: str) -> bool:
    """Tell whether the stamps of a folder of images are their number: nobody knows how long it took."""
    fields = scene.sources[source]
    return fields["kind"] in ("images", "export") and "stamps" not in fields


def _work_folder(work: Path, inputs: dict[str, Any]) -> Path:
    """Return the folder for unfinished results; emptied when it belongs to other inputs."""
    note = work / "inputs.json"
    try:
        before = read_json(note, MappingError)
    except MappingError:  # none, or damaged
        before = None
    if before != inputs:
        shutil.rmtree(work, ignore_errors=True)
        write_text(note, json.dumps(inputs))
    return work
