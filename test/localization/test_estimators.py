"""What every estimator of the table promises: docs/extend/estimator.md."""

import gc
import shutil
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from learnable import QUICK

from campose_core.bag.odometry import camera_odometry
from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.cli.train import require_model_name
from campose_core.errors import LocalizationError, MappingError, UsageError
from campose_core.frame import Frame
from campose_core.geometry import Pose, pose_error
from campose_core.localization.estimators.base import EstimatorRequest, Kind, PoseEstimator, PosePrior
from campose_core.localization.estimators.registry import ESTIMATORS, estimator_names, load_estimator
from campose_core.localization.estimators.structure import MAX_CAMERAS
from campose_core.localization.tracker import Tracker
from campose_core.scene.scene import Scene
from campose_core.trajectory import Trajectory, read_tum

pytestmark = pytest.mark.slow
pytest.importorskip("torch", reason="pose networks need torch: pip install 'campose_ros[train]'")

BY_LANDMARKS = (Kind.TRACKED, Kind.RELOCALIZED)
every_estimator = pytest.mark.parametrize("entry", list(ESTIMATORS.table))


class Drive(NamedTuple):
    """A scene with every estimator, and the frames of a later drive with their camera, odometry and true poses."""

    scene: Scene
    frames: list[Frame]
    camera: Camera
    odometry: Trajectory
    truth: dict[int, Pose]

    def estimator(self, entry: str) -> PoseEstimator:
        return load_estimator(self.scene, entry.replace("MODEL", "net"), self.odometry)


@pytest.fixture(scope="module")
def drive(small_scene: Path, small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Drive:
    from campose_core.learning.train import train

    folder = tmp_path_factory.mktemp("estimators") / "scene"
    shutil.copytree(small_scene, folder)
    scene = train(Scene.open(folder), "net", replace(QUICK, kind="linear", image_size=64))
    recording = open_recording(small_world / "later.bag")
    frames = list(recording.frames())[::3]
    odometry = camera_odometry(small_world / "later.bag", frames[0].camera_frame)
    assert odometry is not None
    assert recording.camera is not None
    return Drive(scene, frames, recording.camera, odometry, dict(read_tum(small_world / "later.tum")))


def same(one: list, other: list) -> bool:
    return len(one) == len(other) and all(
        pose_error(a.map_from_cam, b.map_from_cam) == (0.0, 0.0) and np.array_equal(a.covariance, b.covariance)
        for a, b in zip(one, other, strict=True)
    )


@every_estimator
def test_answers_are_poses_in_the_map_with_a_covariance(entry, drive):
    estimator, answered = drive.estimator(entry), 0
    assert estimator.name == entry.replace(":MODEL", "").replace("MODEL", "net")
    for frame in drive.frames:
        for estimate in estimator.estimate(frame, drive.camera):
            answered += 1
            assert estimate.stamp_ns == frame.stamp_ns
            assert estimate.support >= 1
            covariance = estimate.covariance
            assert covariance.shape == (6, 6)
            np.testing.assert_allclose(covariance, covariance.T, atol=1e-12)
            assert np.linalg.eigvalsh(covariance).min() > 0
            metres, radians = pose_error(estimate.map_from_cam, drive.truth[frame.stamp_ns])
            assert metres < (0.1 if estimate.kind in BY_LANDMARKS else 6.0)
            if estimate.kind in BY_LANDMARKS:
                assert np.degrees(radians) < 3.0
        estimator.refresh()
    assert answered > 0.5 * len(drive.frames)


@every_estimator
def test_the_same_images_give_the_same_answers(entry, drive):
    first, second = drive.estimator(entry), drive.estimator(entry)
    for frame in drive.frames[:4]:
        assert same(first.estimate(frame, drive.camera), second.estimate(frame, drive.camera))


@every_estimator
def test_without_a_prior_earlier_images_play_no_part(entry, drive):
    if entry == "MODEL+pgo":
        pytest.skip("it holds together what came before: its docstring says so")
    used, fresh, frame = drive.estimator(entry), drive.estimator(entry), drive.frames[5]
    for before in drive.frames[:4]:
        used.estimate(before, drive.camera)
    assert same(used.estimate(frame, drive.camera), fresh.estimate(frame, drive.camera))


@every_estimator
def test_a_prior_gives_one_pose_at_most(entry, drive):
    estimator, frame = drive.estimator(entry), drive.frames[2]
    prior = PosePrior(drive.truth[frame.stamp_ns], np.diag([0.05**2] * 3 + [0.05**2] * 3))
    assert len(estimator.estimate(frame, drive.camera, prior)) <= 1


@every_estimator
def test_a_blank_image_is_no_place(entry, drive):
    """Only a network answers it, as it answers every image: its kind says that nothing may be founded on that."""
    blank = drive.frames[0]._replace(image=np.full_like(drive.frames[0].image, 90), jpeg=None)
    found = drive.estimator(entry).estimate(blank, drive.camera)
    assert {estimate.kind for estimate in found} <= ({Kind.LEARNED} if entry.startswith("MODEL") else set())


@every_estimator
def test_a_scene_that_has_nothing_offers_nothing_and_says_why(entry, tmp_path):
    Scene(tmp_path / "empty", "empty").save()
    scene = Scene.open(tmp_path / "empty")
    assert ESTIMATORS.load(entry).offered(scene, EstimatorRequest()) == []
    with pytest.raises((LocalizationError, MappingError), match=r"campose map|align"):
        load_estimator(scene, entry.replace("MODEL", "net"))


@pytest.mark.parametrize("name", ["structure", "retrieval", "hybrid", "hybrid:MODEL", "posenet+pgo"])
def test_no_model_is_called_like_an_estimator(name):
    with pytest.raises(UsageError, match="the name of another estimator"):
        require_model_name(name)
    require_model_name("posenet-wide")


def test_a_scene_lists_what_it_has(drive):
    assert {"structure", "retrieval", "net", "hybrid", "net+pgo"} <= set(estimator_names(drive.scene, drive.odometry))


def test_cameras_without_end_take_no_memory_without_end(drive):
    estimator, frame = drive.estimator("structure"), drive.frames[2]
    prior = PosePrior(drive.truth[frame.stamp_ns], np.diag([0.05**2] * 6))
    blank = frame._replace(image=np.zeros_like(frame.image))
    for i in range(3 * MAX_CAMERAS):
        estimator.estimate(blank._replace(camera_frame=f"camera {i}"), drive.camera, prior)
    assert sum(type(one) is Tracker for one in gc.get_objects()) <= 2 * MAX_CAMERAS  # of the second kind as well
    assert estimator.estimate(frame, drive.camera, prior)
