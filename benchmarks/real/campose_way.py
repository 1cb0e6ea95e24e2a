"""campose as people run it, always anew: a plan of `campose matrix`, of a scene for each set and every query in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from benchmarks.real.answers import Answered, Answers, Poses
from benchmarks.real.sets import RealSet, Recorded
from campose_core.evaluation.estimates import read_estimates
from campose_core.matrix.engine import Engine
from campose_core.matrix.job import SCENE
from campose_core.matrix.matrix import run_matrix
from campose_core.matrix.one_run import ESTIMATES
from campose_core.matrix.plan import Plan, RecordingSource, Run, SceneSource
from campose_core.matrix.rows import Row
from campose_core.scene.scene import Scene

METHOD = "campose"


def campose_answers(sets: Mapping[str, RealSet], out: Path, engine: Engine) -> dict[str, Answers]:
    """Of each set (by name): a map, its queries, and the queries of the other sets in it."""
    shutil.rmtree(out, ignore_errors=True)
    recordings = {
        f"{name}.{one.name}": (sets[name], one) for name in sets for one in (*sets[name].queries, *sets[name].wrong)
    }
    plan = Plan(
        scenes={name: SceneSource(name, None, (_build(one),)) for name, one in sets.items()},
        recordings={key: _source(key, *recording) for key, recording in recordings.items()},
    )
    rows = {row["run"]: row for row in run_matrix(plan, out, engine)}
    return {
        name: _answers(
            one, out, [(run, rows[run.name], *recordings[run.recording]) for run in plan.runs if run.scene == name]
        )
        for name, one in sets.items()
    }


def _build(real_set: RealSet) -> tuple[str, ...]:
    """Return `campose build` of all mapping recordings, with what the set says of camera and reference."""
    command = ["build", *(str(recording.path.resolve()) for recording in real_set.mapping), "--scene", SCENE]
    if real_set.camera_file:
        command += ["--camera", str(real_set.camera_file.resolve())]
    if real_set.reference and real_set.reference.truth:
        command += ["--reference", str(real_set.reference.truth.resolve())]
        if len(real_set.mapping) > 1:
            command += ["--source", real_set.reference.path.stem]
    return tuple(command)


def _source(key: str, real_set: RealSet, recording: Recorded) -> RecordingSource:
    """Return a query; those of elsewhere are asked in the scene of their own set alone."""
    camera = real_set.camera_file.resolve() if real_set.camera_file else None
    scenes = None if recording in real_set.queries else (real_set.name,)
    return RecordingSource(key, recording.path.resolve(), scenes=scenes, camera=camera)


def _answers(real_set: RealSet, out: Path, runs: list[tuple[Run, Row, RealSet, Recorded]]) -> Answers:
    seconds = 0.0
    queries: Answered = {}
    foreign: dict[str, Answered] = {}
    errors = []
    for run, row, of, recording in runs:
        if row["error"]:
            errors.append(row["error"] if of is real_set else f"{of.name}: {row['error']}")
            continue
        answered = _poses(recording, out / "runs" / run.name / ESTIMATES)
        if of is real_set:
            queries |= answered
            seconds += row["wall_s"]
        else:
            foreign.setdefault(of.name, {}).update(answered)
    scene = out / "scenes" / real_set.name
    made = out / "scenes" / "making" / real_set.name / "result.json"
    if not made.is_file():
        return Answers(METHOD, error=errors[0])
    seconds += json.loads(made.read_text(encoding="utf-8"))["row"]["wall_s"]
    mapped, held_out_share = mapped_frames(real_set, scene)
    return Answers(
        METHOD,
        frames=len(Scene.open(scene).frames),
        mapped=mapped,
        queries=queries,
        foreign=foreign,
        seconds=seconds,
        held_out_share=held_out_share,
        absolute=real_set.reference is not None,
        error="; ".join(errors) or None,
    )


def mapped_frames(real_set: RealSet, scene: Path) -> tuple[Poses, float | None]:
    """map_from_cam by frame, and the share of keyframes that were found again in a map without them."""
    opened = Scene.open(scene)
    # A scene names its sources after files too, but leaves out what it does not like in them.
    paths = {str(recording.path.resolve()): recording.name for recording in real_set.mapping}
    recording_of = {source: paths[fields["path"]] for source, fields in opened.sources.items()}
    numbered = {recording.name: recording.numbered_stamps() for recording in real_set.mapping}
    poses = {}
    for frame in opened.frames:
        name = recording_of[frame.source]
        if frame.map_from_cam is not None:
            poses[f"{name}/{numbered[name].get(frame.stamp_ns, frame.stamp_ns)}"] = frame.map_from_cam
    report = json.loads((scene / "sfm" / "report.json").read_text(encoding="utf-8"))
    held_out = report.get("held_out") or {}
    share = held_out["found"] / held_out["keyframes"] if held_out.get("keyframes") else None
    return poses, share


def _poses(recording: Recorded, estimates: Path) -> Answered:
    """Answers by frame."""
    numbered = recording.numbered_stamps()
    outcomes = read_estimates(estimates).outcomes
    return {
        f"{recording.name}/{numbered.get(outcome.stamp_ns, outcome.stamp_ns)}": outcome.map_from_cam
        for outcome in outcomes
    }
