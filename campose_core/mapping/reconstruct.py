"""`campose map`: keyframes, features, matches, reconstruction and landmarks, each stage in a child process.

Unfinished work lies in SCENE/.sfm.work, where every stage leaves its results whole or not at all; a killed run goes on
with the first stage that is missing. SCENE/sfm is replaced in one rename when all of it is there.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from campose_core.camera import Camera
from campose_core.errors import MappingError
from campose_core.files import replacing, write_text
from campose_core.geometry import Pose
from campose_core.mapping.child import run_stage
from campose_core.mapping.colmap import load_pycolmap
from campose_core.mapping.connected import unplaced_text
from campose_core.mapping.features import KIND
from campose_core.mapping.given_poses import GivenPoses, adjustment_text, in_map_frame, keyframe_poses
from campose_core.mapping.held_out import NOTHING
from campose_core.mapping.keyframes import choose_at_most, measure_motion
from campose_core.mapping.landmarks import Landmarks
from campose_core.mapping.lens import with_lens
from campose_core.mapping.query_camera import given_camera, sharing_a_camera
from campose_core.mapping.recordings import recorded_odometry
from campose_core.mapping.register import register
from campose_core.mapping.rig import keep_moments_together, rig_text, rigs_of_keyframes
from campose_core.progress import say
from campose_core.scene import Scene, SceneFrame

MAPPERS = ("global", "incremental")
RESULTS = ("landmarks.npz", "poses.npz", "held_out.npz", "report.json")  # beside the model and the database


@dataclass(frozen=True, kw_only=True)
class MapOptions:
    """max_keyframes: a bound; where a recording would make more, they lie further apart.

    poses: known from outside; landmarks are then triangulated from them, whatever the mapper.
    rig: how the cameras of a rig are used, see `campose_core.mapping.rig.rigs_of_keyframes`.
    """

    mapper: str = "global"
    max_keyframes: int = 400
    stage_timeout_s: float = 3600.0
    poses: GivenPoses | None = None
    rig: str = "known"


def choose_keyframes(scene: Scene, most: int) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Frame names per source, in time order, and how many were left out, by reason.

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


def map_scene(scene: Scene, options: MapOptions) -> Scene:
    """Reconstruct the scene's frames; the result is in SCENE/sfm, in the sfm frame, and the cameras are refined.

    Raises:
        MappingError: a stage failed; the message names it and what to record instead.
    """
    chosen = {k: v for k, v in asdict(options).items() if k not in ("stage_timeout_s", "poses", "rig")}
    chosen |= {"rig": options.rig} if scene.rigs else {}
    chosen |= {} if options.poses is None else {"poses": options.poses.inputs()}
    if scene.is_done("map", chosen) and all((scene.sfm_dir / name).is_file() for name in RESULTS):
        say("map: done already")
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
    say(f"map: {total} keyframes of {len(scene.frames)} frames{reasons}")
    extracted = {step: record["key"] for step, record in scene.steps.items() if step.startswith("extract")}
    given = {source: cameras[source].to_dict() for source in names}
    shared = sharing_a_camera(scene, list(names))
    inputs = {"options": chosen, "extracted": extracted, "features": KIND, "shared": shared}
    work = _work_folder(scene.path / ".sfm.work", inputs)
    stamps_ns = {f.name: f.stamp_ns for f in scene.frames}
    odometry = recorded_odometry(scene, names) if posed is None else {}
    guessed = [source for source in names if not scene.sources[source]["calibrated"]]
    images = str(scene.frames_dir)
    report = _run_stages(work, images, given, shared, guessed, names, stamps_ns, options, posed, rigs, odometry)
    refined = {
        source: with_lens(Camera.from_dict(fields), cameras[source]) for source, fields in report["cameras"].items()
    }
    report["cameras"] = {source: camera.to_dict() for source, camera in refined.items()}
    exact = posed if posed and not report["given_poses"]["adjusted"] else {}
    poses = register(Landmarks.load(work / "landmarks.npz"), scene, refined, exact)
    say(f"map: {len(poses.names)} of {len(scene.frames)} frames have a pose")
    for source in scene.sources:
        if missing_here := unplaced_text(scene.frames, {str(name) for name in poses.names}, source):
            say(f"map: {missing_here}")

    with replacing(scene.sfm_dir) as sfm:
        sfm.mkdir()
        shutil.copytree(work / "model", sfm / "model")
        for file in ("database.db", "landmarks.npz", "held_out.npz"):
            shutil.copyfile(work / file, sfm / file)
        poses.save(sfm / "poses.npz")
        missing = sorted({frame.name for frame in scene.frames} - set(poses.names))
        report |= {
            "keyframes": total,
            "keyframes_left_out": left_out,
            "frames": len(scene.frames),
            "posed": len(poses.names),
            "without_pose": missing,
        }
        write_text(sfm / "report.json", json.dumps(report, indent=1))
        # Between here and the last save a kill must not leave the old alignment to the new reconstruction.
        unposed = tuple(replace(frame, map_from_cam=None) for frame in scene.frames)
        scene = scene.without_step("map", frames=unposed, alignment=None)
        scene.save()
    done = scene.with_step(
        "map",
        chosen,
        cameras={**scene.cameras, **refined},
        sources={name: {**fields, "given_camera": given[name]} for name, fields in scene.sources.items()},
    )
    done = done if posed is None else in_map_frame(done, poses, report)
    done.save()
    shutil.rmtree(work)
    return done


def _work_folder(work: Path, inputs: dict[str, Any]) -> Path:
    """The folder for unfinished results; emptied when it belongs to other inputs."""
    note = work / "inputs.json"
    if not note.is_file() or json.loads(note.read_text()) != inputs:
        shutil.rmtree(work, ignore_errors=True)
        write_text(note, json.dumps(inputs))
    return work


def _run_stages(
    work: Path,
    images: str,
    cameras: dict[str, Any],
    shared: list[list[str]],
    guessed: list[str],
    names: dict[str, list[str]],
    stamps_ns: dict[str, int],
    options: MapOptions,
    posed: dict[str, Pose] | None,
    rigs: list[dict[str, Any]],
    odometry: dict[str, Pose],
) -> dict[str, Any]:
    """Run the stages that have left no report yet; the reports of all of them, in one."""
    total = sum(map(len, names.values()))

    def stage(name: str, result: Path, **arguments: Any) -> dict[str, Any]:
        report = work / f"{name}.json"
        if report.is_file():
            return dict(json.loads(report.read_text()))
        # With all that a killed stage left: SQLite would replay a write-ahead log of the old database into the new one.
        for left in work.glob(f"{result.name}*"):
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()
        found = run_stage(name, arguments, work / f"{name}.log", options.stage_timeout_s, total)
        write_text(report, json.dumps(found))
        return found

    features, database, model = work / "features.db", work / "database.db", work / "model"
    taken = {"images": images, "database": str(features), "cameras": cameras, "names": names, "shared": shared}
    found = stage("features", features, **taken)
    say(f"map: {found['median_features']:.0f} features in the median keyframe")
    matched = stage("matches", database, features=str(features), database=str(database), names=names, rigs=rigs)
    say(f"map: {matched['verified']} of {matched['pairs']} pairs match, {matched['verified_loops']} close a loop")
    where = {"images": images, "database": str(database), "model": str(model)}
    if posed is None:
        moved = {name: [*map(float, pose.translation), *map(float, pose.quat_xyzw)] for name, pose in odometry.items()}
        recorded = {"names": names, "odometry": moved, "rigs": rigs, "guessed": guessed}
        made = stage("reconstruction", model, **where, mapper=options.mapper, **recorded)
        if rigs:
            say(rig_text(rigs, made["rigs"]))
    else:
        made = stage("triangulation", model, **where, poses=keyframe_poses(posed, names))
        say(f"map: {adjustment_text(made['given_poses'])}")
    say(f"map: {made['registered']} of {total} keyframes hold together, {made['landmarks']} landmarks")
    for text in _pieces_texts(made):
        say(f"map: {text}")
    stage(
        "landmarks", work / "landmarks.npz", database=str(database), model=str(model), out=str(work / "landmarks.npz")
    )
    stamps = {source: {name: stamps_ns[name] for name in chosen} for source, chosen in names.items()}
    again = work / "held_out.npz"
    tested = stage("held_out", again, database=str(database), model=str(model), stamps_ns=stamps, out=str(again))
    say(f"map: {_held_out_text(tested['held_out'])}")
    return {**found, **matched, **made, **tested}


def _pieces_texts(made: dict[str, Any]) -> list[str]:
    """How the map came together, where that is worth a line."""
    texts = []
    if joined := made.get("joined_by"):
        texts.append(
            f"{len(joined)} pieces that no picture joins were placed by "
            f"{' and '.join(sorted(set(joined)))}: as good as that is"
        )
    if made["other_models"]:
        texts.append(
            f"left out: pieces of {made['other_models']} keyframes, which nothing joins to the rest. Record the way "
            "between them slowly, with both in view, or a bag with odometry"
        )
    if (drift := made.get("loop_drift")) and drift["loops"]:
        texts.append(
            f"{drift['loops']} loops; until it is back, the walk has turned {drift['chained_deg']:.2f} deg off from "
            f"neighbour to neighbour, {drift['map_deg']:.2f} deg in the map"
        )
    return texts


def _held_out_text(report: dict[str, Any]) -> str:
    if not report["keyframes"]:
        return NOTHING
    found = f"held out: {report['found']} of {report['keyframes']} keyframes found again in a map without them"
    if not report["found"]:
        return found
    return f"{found}, median {report['median_percent_of_depth']:.2f} % of the depth / {report['median_deg']:.2f} deg"
