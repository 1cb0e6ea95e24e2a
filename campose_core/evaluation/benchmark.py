"""Every estimator of a scene on the same frames, with the plain ways beside them."""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from campose_core.camera import Camera
from campose_core.capture.external_poses import read_reference
from campose_core.capture.recording import open_recording
from campose_core.errors import LocalizationError
from campose_core.evaluation.baselines import PlainEstimator, mean_pose, odometry_alone
from campose_core.evaluation.estimates import Estimates, write_estimates
from campose_core.evaluation.judge import Beside, judged
from campose_core.evaluation.measures import RECALL_THRESHOLDS, Threshold
from campose_core.evaluation.metrics import Metrics
from campose_core.evaluation.report import write_judgement
from campose_core.evaluation.run import frames_of, localize_frames
from campose_core.files import write_text
from campose_core.frame import Frame
from campose_core.landmark_map.recording_cameras import cameras_of_recording
from campose_core.localization.estimators.base import PoseEstimator
from campose_core.localization.estimators.pose_graph import recorded_odometry
from campose_core.localization.estimators.registry import estimator_names, knows_train_split_alone, load_estimator
from campose_core.localization.estimators.retrieval import RetrievalEstimator
from campose_core.pixels.scene_images import read_image
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.scene.step import writes
from campose_core.trajectory import Stamps, Trajectory

log = logging.getLogger(__name__)

BETWEEN_RECORDINGS_NS = 10**10


@dataclass(frozen=True)
class Course:
    """The frames that estimators are compared on, and where the camera was.

    frames: of an estimator's name, which the progress bar shows; can be asked for again and again. beside: what else is
    known of these frames. odometry: odom_from_camera of them, where the recording has it.
    """

    description: str
    truth: Trajectory
    frames: Callable[[str], Iterator[tuple[Frame, Camera]]]
    beside: Beside = field(default_factory=Beside)
    odometry: Trajectory | None = None

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
    recording, truth = open_recording(query, topic), read_reference(reference, topic)
    cameras = cache(lambda: cameras_of_recording(scene, recording, camera))  # where nothing tells them, estimated once
    return Course(
        query.name,
        truth,
        lambda name: frames_of(recording, cameras(), f"localize with {name}"),
        Beside.of_query(scene, recording),
        recorded_odometry(recording),
    )


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
    beside = Beside.of_own_frames(scene, dict(zip(stamps, frames, strict=True)), "train")
    return Course("the scene's own test frames", truth, lambda _: _read(scene, frames, stamps), beside)


@writes("reports")
def benchmark_query(
    scene: Scene,
    query: Path,
    reference: Path,
    topic: str | None = None,
    camera: Camera | None = None,
    thresholds: Sequence[Threshold] = RECALL_THRESHOLDS,
) -> list[Metrics]:
    """Score each estimator, and the plain ways, on a recording that the scene was not built from.

    Results and the page go to SCENE/reports/benchmark. thresholds: of the recalls, metres and degrees.

    Raises:
        LocalizationError: the scene offers no estimator. TrajectoryError: the reference is of another recording.
    """
    course = course_of_query(scene, query, reference, topic, camera)
    runs = [course.run(load_estimator(scene, name)) for name in _names(scene)]
    runs.append(course.run(PlainEstimator.load(scene)))
    runs += _without_images(course, runs[0].table.stamps_ns)
    return _score(scene, runs, course, thresholds)


@writes("reports")
def benchmark_test_split(scene: Scene) -> list[Metrics]:
    """Score each trained model on the scene's own test frames, beside retrieval among its train frames.

    `structure` and plain PnP are left out: their landmarks were made from the test frames too.

    Raises:
        LocalizationError: the scene has no test frames, split it first.
    """
    course = course_of_test_split(scene)
    log.info("benchmark: on the scene's own test frames; structure needs --query, its map was made from these frames")
    names = [name for name in _names(scene) if knows_train_split_alone(name)]
    estimators = [*(load_estimator(scene, name) for name in names), RetrievalEstimator.load(scene, split="train")]
    runs = [course.run(estimator) for estimator in estimators]
    runs += _without_images(course, runs[0].table.stamps_ns)
    return _score(scene, runs, course, RECALL_THRESHOLDS)


def _without_images(course: Course, stamps_ns: Stamps) -> list[Estimates]:
    """Return the answers that no image is needed for."""
    found = [mean_pose(stamps_ns, course.beside.training)]
    if course.odometry is not None:
        odometry = odometry_alone(stamps_ns, course.odometry, course.truth)
        found += [] if odometry is None else [odometry]
    return found


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
        yield Frame(stamp_ns, read_image(scene, row), row.camera, row.name), scene.cameras[row.camera]


def _score(scene: Scene, runs: list[Estimates], course: Course, thresholds: Sequence[Threshold]) -> list[Metrics]:
    folder = scene.reports_dir / "benchmark"
    runs = [run.in_map_of(scene.scale) for run in runs]
    judgement = judged(runs, course.truth, course.beside, thresholds)
    for estimates in runs:
        write_estimates(folder / f"{estimates.estimator}.tum", estimates)
    write_text(folder / "benchmark.json", json.dumps([row.to_dict() for row in judgement.rows], indent=1))
    if importlib.util.find_spec("matplotlib") is None:
        log.info("benchmark: no report page: matplotlib is not installed (pip install 'campose_ros[view]')")
    else:
        write_judgement(folder, f"{scene.name}: estimators on {course.description}", judgement, course.beside)
    return judgement.rows
