"""Every estimator of a scene on the same frames, with the nearest-image row beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image as PilImage

from campose_core.camera import Camera
from campose_core.capture.frame import Frame
from campose_core.capture.recording import open_recording
from campose_core.errors import LocalizationError
from campose_core.evaluation.estimates import Estimates, write_estimates
from campose_core.evaluation.metrics import Metrics, evaluate
from campose_core.evaluation.run import localize_frames, localize_recording
from campose_core.files import write_text
from campose_core.localization.load import estimator_names, load_estimator
from campose_core.localization.retrieval import RetrievalEstimator
from campose_core.progress import say
from campose_core.scene import Scene, SceneFrame
from campose_core.trajectory import Trajectory, read_tum


def benchmark_query(
    scene: Scene, query: Path, reference: Path, topic: str | None = None, camera: Camera | None = None
) -> list[Metrics]:
    """Each estimator on a recording that the scene was not built from; results go to SCENE/reports/benchmark.

    Raises:
        LocalizationError: the scene offers no estimator. TrajectoryError: the reference is of another recording.
    """
    recording, truth = open_recording(query, topic), read_tum(reference)
    runs = [localize_recording(scene, recording, load_estimator(scene, name), camera) for name in _names(scene)]
    return _score(scene, runs, truth)


def benchmark_test_split(scene: Scene) -> list[Metrics]:
    """Each trained model on the scene's own test frames, beside retrieval among its train frames.

    `structure` is left out: its landmarks were made from the test frames too.

    Raises:
        LocalizationError: the scene has no test frames, split it first.
    """
    frames = scene.posed_frames("test")
    if not frames:
        raise LocalizationError(f"{scene.path} has no test frames: run `campose split {scene.path}`, or give --query")
    say("benchmark: on the scene's own test frames; structure needs --query, its map was made from these frames")
    stamps = [frame.stamp_ns for frame in frames]
    truth = Trajectory.from_poses(stamps, [frame.map_from_cam for frame in frames if frame.map_from_cam])
    names = [name for name in _names(scene) if name not in ("structure", "retrieval", "hybrid")]
    estimators = [*(load_estimator(scene, name) for name in names), RetrievalEstimator.load(scene, split="train")]
    runs = [localize_frames(estimator, _read(scene, frames)) for estimator in estimators]
    return _score(scene, runs, truth)


def _names(scene: Scene) -> list[str]:
    names = estimator_names(scene)
    if not names:
        raise LocalizationError(f"{scene.path} has no estimator yet: run `campose map` and `campose align`")
    return names


def _read(scene: Scene, frames: list[SceneFrame]) -> Iterator[tuple[Frame, Camera]]:
    for row in frames:
        with PilImage.open(scene.frame_path(row)) as file:
            image = np.asarray(file.convert("RGB"))
        yield Frame(row.stamp_ns, image, row.camera, row.name), scene.cameras[row.camera]


def _score(scene: Scene, runs: list[Estimates], truth: Trajectory) -> list[Metrics]:
    folder = scene.reports_dir / "benchmark"
    rows = []
    for estimates in runs:
        write_estimates(folder / f"{estimates.estimator}.tum", estimates)
        rows.append(evaluate(estimates, truth))
    write_text(folder / "benchmark.json", json.dumps([row.to_dict() for row in rows], indent=1))
    return rows
