"""One run: an estimator in a scene over a recording under a condition, and the row that it makes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from campose_core.capture.camera_file import read_camera_file
from campose_core.capture.external_poses import read_reference
from campose_core.capture.file_stamps import at_own_stamps
from campose_core.capture.recording import open_recording
from campose_core.errors import CaptureError
from campose_core.evaluation.estimates import Estimates, write_estimates
from campose_core.evaluation.judge import Beside, judged
from campose_core.evaluation.run import frames_with_camera, localize_frames
from campose_core.floorplan.scene_floor import walkable_of
from campose_core.frame import Recording
from campose_core.geometry import Pose
from campose_core.localization.estimators.pose_graph import PGO, recorded_odometry
from campose_core.localization.estimators.registry import load_estimator
from campose_core.localization.localizer import Localizer
from campose_core.matrix.conditions.table import Condition
from campose_core.matrix.conditions.world import RenderedPlace, Shot, read_world
from campose_core.matrix.plan import REPLAY, RecordingSource, Run
from campose_core.replay.recording import Outcomes, replay_frames
from campose_core.scene.scene import Scene

ESTIMATES = "estimates.tum"
TIMES = ("wall_s", "latency_ms.p50", "latency_ms.p95", "latency_ms.p99")  # what differs from one time to the next


def run_to_dict(run: Run, scene: Path, recording: RecordingSource) -> dict[str, Any]:
    """Return what a run is made from, for JSON."""
    paths = {name: None if value is None else str(value) for name, value in asdict(recording).items()}
    return {**asdict(run), "scene_path": str(scene), "recording_source": {**paths, "scenes": None}}


def run_from_dict(fields: Mapping[str, Any]) -> tuple[Run, Path, RecordingSource]:
    """Make them from what `run_to_dict` gave."""
    source = fields["recording_source"]
    reference, camera, world = (Path(source[k]) if source[k] else None for k in ("reference", "camera", "world"))
    recording = RecordingSource(
        source["name"], Path(source["path"]), reference, topic=source["topic"], camera=camera, world=world
    )
    run = Run(
        fields["scene"], fields["recording"], Condition(**fields["condition"]), fields["estimator"], fields["seed"]
    )
    return run, Path(fields["scene_path"]), recording


def row_of(run: Run) -> dict[str, Any]:
    """Return the columns of a row that say which run it is."""
    condition = {"condition": run.condition.name, "severity": run.condition.severity}
    of = {"run": run.name, "scene": run.scene, "recording": run.recording, **condition}
    return {**of, "estimator": run.estimator, "seed": run.seed, "error": None}


def execute(run: Run, scene_path: Path, source: RecordingSource, out: Path) -> dict[str, Any]:
    """Run it, write OUT/estimates.tum with what lies beside it, and return its row; the scene is only read.

    Raises:
        CamposeError: the scene has no such estimator, the recording cannot be read, or the reference is of another one.
    """
    started = time.perf_counter()
    scene, recording = Scene.open(scene_path), open_recording(source.path, source.topic)
    reference = read_reference(source.reference, source.topic) if source.reference else None
    topics = [source.topic] if source.topic else []
    camera = read_camera_file(source.camera, [source.path], topics) if source.camera else None
    place = None
    if run.condition.in_world and source.world is not None and reference is not None:
        place = RenderedPlace(read_world(source.world), reference)
    stamps: list[int] = []
    recorded = _noting(stamps, frames_with_camera(scene, recording, camera, run.name))
    estimates = answers(scene, recording, run.estimator, run.condition.of(recorded, run.seed, place))
    if not len(estimates.outcomes):
        raise CaptureError(f"{source.path}: none of its {len(stamps)} images arrived: give a recording with more")
    write_estimates(out / ESTIMATES, estimates)
    row = row_of(run)
    if reference is None:
        said = {"frames": len(estimates.outcomes), "answered": len(estimates.trajectory)}
        latency = estimates.latency_ms
        row |= _flat({**said, "statuses": estimates.statuses, "latency_ms": latency and latency._asdict()})
    else:
        truth = run.condition.truth(at_own_stamps(reference, dict(enumerate(stamps)), source.reference))
        [metrics] = judged([estimates], truth, Beside(walkable=walkable_of(scene))).rows
        row |= _flat({name: value for name, value in metrics.to_dict().items() if name != "estimator"})
    return {**row, "wall_s": time.perf_counter() - started}


def answers(scene: Scene, recording: Recording, name: str, shots: Iterable[Shot]) -> Estimates:
    """Return what the estimator `name` of a scene says of each image, or the localizer upon it, `replay:NAME`."""
    base = name.removeprefix(REPLAY)
    odometry = recorded_odometry(recording) if base.endswith(PGO) else None
    estimator = load_estimator(scene, base, odometry)
    if base == name:
        return localize_frames(estimator, shots).in_map_of(scene.scale)
    followed = Outcomes(scale=scene.scale.basis)
    for step in replay_frames(shots, Localizer(estimator, scale=scene.scale), Pose.identity()):
        if step.answer is not None:
            followed.add(step.answer.result)
    return Estimates(name, tuple(followed.raw), scale=followed.scale)


def _noting(stamps: list[int], shots: Iterable[Shot]) -> Iterator[Shot]:
    """Pass images on, and note the stamp of each: a reference may count them."""
    for frame, camera in shots:
        stamps.append(frame.stamp_ns)
        yield frame, camera


def _flat(fields: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return the numbers of nested tables by names joined with dots: a row of a table."""
    row: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping):
            row |= _flat(value, f"{before}{name}.")
        elif value is None or isinstance(value, (bool, int, float, str)):
            row[before + name] = value
    return row
