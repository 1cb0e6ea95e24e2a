"""Accuracy and honesty on queries that no map was made of: errors, and how often the truth lies in the ellipsoids."""

from __future__ import annotations

from pathlib import Path

from benchmarks.localization.material import Place
from campose_core.capture.recording import open_recording
from campose_core.evaluation.baselines import PlainEstimator
from campose_core.evaluation.estimates import Estimates
from campose_core.evaluation.metrics import evaluate
from campose_core.evaluation.run import localize_recording
from campose_core.evaluation.table import tables
from campose_core.geometry import Pose
from campose_core.localization.estimators.registry import load_estimator
from campose_core.localization.localizer import Localizer
from campose_core.replay.recording import Outcomes, replay_frames
from campose_core.trajectory import read_tum


def table(place: Place, out: Path) -> str:
    """The plain way, the structure estimator with each image by itself, and the localizer over the whole recording."""
    recording, truth = open_recording(place.query), read_tum(place.truth)
    localizer, followed = Localizer(load_estimator(place.scene, "structure")), Outcomes()
    for step in replay_frames(place.scene, recording, localizer, Pose.identity()):
        if step.answer is not None:
            followed.add(step.answer.result)
    rows = [
        _named("plain", localize_recording(place.scene, recording, PlainEstimator.load(place.scene))),
        _named(
            "each image alone", localize_recording(place.scene, recording, load_estimator(place.scene, "structure"))
        ),
        _named("localizer", followed.write(out / place.name)[0]),
    ]
    metrics = [evaluate(row, truth) for row in rows]
    plain, alone, localizer = (row.position_m.median for row in metrics)
    ratios = f"median error over the plain way's: alone {alone / plain:.2f}, localizer {localizer / plain:.2f}"
    return f"{place.name}\n{tables(metrics)}\n{ratios} (wanted: < 1.10)"


def _named(name: str, estimates: Estimates) -> Estimates:
    return Estimates(name, estimates.outcomes)
