"""Every estimator of a scene on the same frames, with the nearest-image row beside them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PilImage

from campose_core.camera import Camera
from campose_core.capture.external_poses import read_reference
from campose_core.capture.recording import open_recording
from campose_core.errors import LocalizationError
from campose_core.evaluation.estimates import Estimates, write_estimates
from campose_core.evaluation.metrics import Metrics, evaluate
from campose_core.evaluation.run import frames_with_camera, localize_frames
from campose_core.files import write_text
from campose_core.frame import Frame
from campose_core.localization.estimators.base import PoseEstimator
from campose_core.localization.estimators.registry import estimator_names, knows_train_split_alone, load_estimator
from campose_core.localization.estimators.retrieval import RetrievalEstimator
from campose_core.scene import Scene, SceneFrame
from campose_core.scene_step import writes
from campose_core.trajectory import Trajectory

log = logging.getLogger(__name__)

BETWEEN_RECORDINGS_NS = 10**10


@dataclass(frozen=True)
class Course:
    """The frames that estimators are compared on, and where the camera was.

    frames: of an estimator's name, which the progress bar shows; can be asked for again and again.
    """

    description: str
    truth: Trajectory
    frames: Callable[[str], Iterator[tuple[Frame, Camera]]]

    def run(self, estimator: PoseEstimator) -> Estimates:
        """Localize each frame of the course by itself."""
        return localize_frames(estimator, self.frames(estimator.name))


def course_of_query(
    scene: Scene, query: Path, reference: Path, topic: str | None = None, camera: Camera | None = None
) -> Course:
    """Open a recording that the scene was not built from.

    Raises:
        CaptureError, TrajectoryError: the recording or the reference cannot be read.
    """
    recording, truth = open_recording(query, topic), read_reference(reference)
    return Course(query.name, truth, lambda name: frames_with_camera(scene, recording, camera, f"localize with {name}"))


def course_of_test_split(scene: Scene) -> Course:
    """Return the scene's own test frames.

    Raises:
        LocalizationError: it has none, split it first.
    """
    frames = scene.posed_frames("test")
    if not frames:
        raise LocalizationError(f"{scene.path} has no test frames: run `campose split {scene.path}`, or give --query")
    stamps = _one_after_the_other(frames)
    truth = Trajectory.from_poses(stamps, [frame.map_from_cam for frame in frames if frame.map_from_cam])
    return Course("the scene's own test frames", truth, lambda _: _read(scene, frames, stamps))


@writes("reports")
def benchmark_query(
    scene: Scene, query: Path, reference: Path, topic: str | None = None, camera: Camera | None = None
) -> list[Metrics]:
    """Score each estimator on a recording that the scene was not built from; results go to SCENE/reports/benchmark.

    Raises:
        LocalizationError: the scene offers no estimator. TrajectoryError: the reference is of another recording.
    """
    course = course_of_query(scene, query, reference, topic, camera)
    runs = [course.run(load_estimator(scene, name)) for name in _names(scene)]
    return _score(scene, runs, course.truth)


@writes("reports")
def benchmark_test_split(scene: Scene) -> list[Metrics]:
    """Score each trained model on the scene's own test frames, beside retrieval among its train frames.

    `structure` is left out: its landmarks were made from the test frames too.

    Raises:
        LocalizationError: the scene has no test frames, split it first.
    """
    course = course_of_test_split(scene)
    log.info("benchmark: on the scene's own test frames; structure needs --query, its map was made from these frames")
    names = [name for name in _names(scene) if knows_train_split_alone(name)]
    estimators = [*(load_estimator(scene, name) for name in names), RetrievalEstimator.load(scene, split="train")]
    return _score(scene, [course.run(estimator) for estimator in estimators], course.truth)


def _names(scene: Scene) -> list[str]:
    names = estimator_names(scene)
    if not names:
        raise LocalizationError(f"{scene.path} has no estimator yet: run `campose map` and `campose align`")
    return names


def _one_after_the_other(frames: list[SceneFrame]) -> list[int]:
    """Stamps of the frames; a recording whose clock began before the end of the one before it is moved behind that."""
    shifts, end = dict[str, int](), None
    for source in dict.fromkeys(frame.source for frame in frames):
        stamps = [frame.stamp_ns for frame in frames if frame.source == source]
        shifts[source] = 0 if end is None or min(stamps) > end else end + BETWEEN_RECORDINGS_NS - min(stamps)
        end = max(stamps) + shifts[source]
    return [frame.stamp_ns + shifts[frame.source] for frame in frames]


def _read(scene: Scene, frames: list[SceneFrame], stamps: list[int]) -> Iterator[tuple[Frame, Camera]]:
    for row, stamp_ns in zip(frames, stamps, strict=True):
        with PilImage.open(scene.frame_path(row)) as file:
            image = np.asarray(file.convert("RGB"))
        yield Frame(stamp_ns, image, row.camera, row.name), scene.cameras[row.camera]


def _score(scene: Scene, runs: list[Estimates], truth: Trajectory) -> list[Metrics]:
    folder = scene.reports_dir / "benchmark"
    rows = []
    for estimates in (run.in_map_of(scene.scale) for run in runs):
        write_estimates(folder / f"{estimates.estimator}.tum", estimates)
        rows.append(evaluate(estimates, truth))
    write_text(folder / "benchmark.json", json.dumps([row.to_dict() for row in rows], indent=1))
    return rows
