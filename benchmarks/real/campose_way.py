"""campose as people run it: `campose build` and `campose localize` in processes of their own, always anew."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.real.answers import Answered, Answers, Poses
from benchmarks.real.sets import RealSet, Recorded
from campose_core.cli.console import say
from campose_core.errors import CamposeError
from campose_core.evaluation.estimates import read_estimates
from campose_core.scene import Scene

METHOD = "campose"
BUILD_S, LOCALIZE_S = 3 * 3600.0, 3600.0
ERROR_CHARACTERS = 300


class CommandFailed(Exception):
    """`campose` ended with an error; its last line."""


def campose_answers(real_set: RealSet, others: Mapping[str, RealSet], out: Path) -> Answers:
    """A scene of the set, its queries, and the queries of `others` (by name of the set) in it."""
    scene = out / "scene"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    started = time.monotonic()
    try:
        build(real_set, scene)
        mapped, held_out_share = mapped_frames(real_set, scene)
    except (CommandFailed, CamposeError) as failure:
        say(f"{real_set.name}, campose: {failure}")
        return Answers(METHOD, seconds=time.monotonic() - started, error=str(failure))
    queries: Answered = {}
    errors = []
    for recording in (*real_set.queries, *real_set.wrong):
        answered, error = _localize(real_set, recording, scene, out)
        queries.update(answered)
        errors += [error] if error else []
    seconds = time.monotonic() - started
    foreign: dict[str, Answered] = {}
    for name, other in others.items():
        foreign[name] = {}
        for recording in other.queries if other is not real_set else ():
            answered, error = _localize(other, recording, scene, out)
            foreign[name].update(answered)
            errors += [f"{name}: {error}"] if error else []
    return Answers(
        METHOD,
        frames=len(Scene.open(scene).frames),
        mapped=mapped,
        queries=queries,
        foreign={name: rows for name, rows in foreign.items() if rows},
        seconds=seconds,
        held_out_share=held_out_share,
        absolute=real_set.reference is not None,
        error="; ".join(errors) or None,
    )


def build(real_set: RealSet, scene: Path) -> None:
    """`campose build` of all mapping recordings, with what the set says of camera and reference.

    Raises:
        CommandFailed: it failed.
    """
    say(f"{real_set.name}, campose: build")
    command = ["build", *(str(recording.path) for recording in real_set.mapping), "--scene", str(scene)]
    if real_set.camera_file:
        command += ["--camera", str(real_set.camera_file)]
    if real_set.reference:
        command += ["--reference", str(real_set.reference.truth)]
        if len(real_set.mapping) > 1:
            command += ["--source", real_set.reference.path.stem]
    _campose(command, BUILD_S, scene.with_name("build.log"))


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


def _localize(real_set: RealSet, recording: Recorded, scene: Path, out: Path) -> tuple[Answered, str | None]:
    """Answers by frame, and the error line where it failed."""
    scene_of = out.parent.name
    say(f"{scene_of}, campose: localize {real_set.name}/{recording.name}")
    estimates = out / "answers" / real_set.name / f"{recording.name}.tum"
    estimates.parent.mkdir(parents=True, exist_ok=True)
    command = ["localize", str(scene), str(recording.path), "--out", str(estimates)]
    if real_set.camera_file:
        command += ["--camera", str(real_set.camera_file)]
    try:
        _campose(command, LOCALIZE_S, estimates.with_suffix(".log"))
        outcomes = read_estimates(estimates).outcomes
    except (CommandFailed, CamposeError) as error:
        say(f"{scene_of}, campose: {error}")
        return {}, f"{recording.name}: {error}"
    numbered = recording.numbered_stamps()
    stamps_ns = [numbered.get(outcome.stamp_ns, outcome.stamp_ns) for outcome in outcomes]
    keys = [f"{recording.name}/{stamp_ns}" for stamp_ns in stamps_ns]
    return {key: outcome.map_from_cam for key, outcome in zip(keys, outcomes, strict=True)}, None


def _campose(arguments: list[str], limit_s: float, log: Path) -> None:
    command = [sys.executable, "-m", "campose_core.cli.main", *arguments]
    try:
        with open(log, "wb") as output:
            done = subprocess.run(command, stdout=output, stderr=output, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"campose {arguments[0]} took longer than {limit_s:.0f} s") from error
    if done.returncode:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
        raise CommandFailed((lines or [f"campose {arguments[0]} ended with {done.returncode}"])[-1][:ERROR_CHARACTERS])
