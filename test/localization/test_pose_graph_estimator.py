"""A pose network and motions in a window: less error than the network alone, honest covariances, clean restarts."""

import shutil
from dataclasses import dataclass, replace

import numpy as np
import pytest
from learnable import CAMERA, QUICK, SMALL, make_scene, walk, write_walk_bag
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.cli.main import main
from campose_core.errors import LocalizationError
from campose_core.evaluation.reliability import reliability, squared_distances
from campose_core.frame import Frame
from campose_core.geometry import Pose, pose_difference, pose_error
from campose_core.localization.estimators.base import Kind, PoseEstimate, PosePrior
from campose_core.localization.estimators.pose_graph import OdometryMotions, WindowEstimator, recorded_odometry
from campose_core.localization.estimators.registry import estimator_names, load_estimator
from campose_core.localization.fusion import CORRELATED_OVER_M
from campose_core.simulation.drive import drifting_odometry
from campose_core.trajectory import Trajectory, read_tum

STEP_NS, STEP_M = 100_000_000, 0.07
COARSE = np.diag([0.15, 0.15, 0.05, 0.03, 0.03, 0.06]) ** 2
START = 1_000_000_000


@dataclass
class Told:
    """An estimator that says what it is told to say of a stamp."""

    answers: dict[int, Pose]
    name: str = "told"

    def estimate(self, frame: Frame, camera: Camera, prior: PosePrior | None = None) -> list[PoseEstimate]:
        pose = self.answers.get(frame.stamp_ns)
        return [] if pose is None else [PoseEstimate(frame.stamp_ns, pose, COARSE, 1, Kind.LEARNED)]

    def refresh(self) -> None:
        pass


def drive(count: int) -> Trajectory:
    """Bends to the left and to the right, 7 cm a step."""
    poses = [Pose(Rotation.identity(), np.array([2.0, 3.0, 0.0]))]
    for i in range(count - 1):
        turn = Rotation.from_euler("z", 0.03 * np.sin(i / 25))
        poses.append(poses[-1] * Pose(turn, np.array([STEP_M, 0.0, 0.0])))
    return Trajectory.from_poses([START + i * STEP_NS for i in range(count)], poses)


def by_a_network(path: Trajectory, seed: int) -> dict[int, Pose]:
    """Poses with errors of the covariance COARSE that are alike on neighbouring images, as those of a network are."""
    rng, kept = np.random.default_rng(seed), np.exp(-STEP_M / CORRELATED_OVER_M)
    error, answers = rng.standard_normal(6), {}
    for stamp_ns, pose in path:
        noise = np.sqrt(np.diagonal(COARSE)) * error
        answers[stamp_ns] = Pose(Rotation.from_rotvec(noise[3:]) * pose.rotation, pose.translation + noise[:3])
        error = kept * error + np.sqrt(1.0 - kept**2) * rng.standard_normal(6)
    return answers


def run(estimator: WindowEstimator, stamps) -> list[PoseEstimate]:
    frames = [Frame(int(stamp), np.zeros((48, 64, 3), np.uint8), "camera", "") for stamp in stamps]
    return [estimate for frame in frames for estimate in estimator.estimate(frame, CAMERA)]


def test_motions_make_a_network_more_exact_and_its_covariances_hold():
    """At the end of many drives: errors along one drive are alike, and few drives say nothing of coverage."""
    alone, together, distances = [], [], []
    for seed in range(40):
        path = drive(30)
        answers, odometry = by_a_network(path, seed), drifting_odometry(path, 0.02, seed)
        last = run(WindowEstimator(Told(answers), OdometryMotions(odometry)), answers)[-1]
        truth = path.pose(29)
        alone.append(pose_error(answers[last.stamp_ns], truth))
        together.append(pose_error(last.map_from_cam, truth))
        distances.append(squared_distances(pose_difference(last.map_from_cam, truth)[None], last.covariance[None]))
    before, after = np.median(alone, axis=0), np.median(together, axis=0)
    assert after[0] < 0.9 * before[0]
    assert after[1] < 0.75 * before[1]
    held = reliability(np.concatenate(distances))
    assert held is not None
    for part in held.parts.values():
        assert part.coverage["90 %"] > 0.75
        assert part.error_ratio > 0.5  # nor are they so large that they say nothing


def estimator_of(path: Trajectory, answers: dict[int, Pose]) -> WindowEstimator:
    return WindowEstimator(Told(answers), OdometryMotions(path))


def test_a_gap_a_stamp_that_goes_back_and_the_end_of_odometry_begin_anew():
    path = drive(60)
    answers = by_a_network(path, 0)
    stamps = list(answers)

    def last_of(order: list[int], odometry: Trajectory = path) -> tuple[Pose, Pose]:
        estimate = run(estimator_of(odometry, answers), order)[-1]
        return estimate.map_from_cam, answers[estimate.stamp_ns]

    assert pose_error(*last_of(stamps[:21]))[0] > 0.01
    assert pose_error(*last_of([*stamps[:20], stamps[39]]))[0] > 0.01  # two seconds of odometry bridge
    assert pose_error(*last_of([*stamps[:20], stamps[41]])) == (0.0, 0.0)
    assert pose_error(*last_of([*stamps[:20], stamps[10]])) == (0.0, 0.0)
    assert pose_error(*last_of([*stamps[:20], stamps[19]])) == (0.0, 0.0)
    assert pose_error(*last_of(stamps[:21], path.select(range(20)))) == (0.0, 0.0)


def test_where_the_network_is_silent_the_pose_moves_on():
    path = drive(30)
    answers = by_a_network(path, 1)
    seen = {stamp: pose for i, (stamp, pose) in enumerate(answers.items()) if i < 20}
    found = run(estimator_of(path, seen), answers)
    assert [estimate.stamp_ns for estimate in found] == list(answers)
    truth = path.pose(19).inverse() * path.pose(29)
    moved = found[19].map_from_cam.inverse() * found[29].map_from_cam
    assert pose_error(moved, truth) == pytest.approx((0.0, 0.0), abs=1e-6)
    assert np.linalg.det(found[29].covariance) > np.linalg.det(found[19].covariance)
    assert run(estimator_of(path, {}), answers) == []


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    pytest.importorskip("torch", reason="pose networks need torch: pip install 'campose_ros[train]'")
    from campose_core.learning.train import train

    scene = make_scene(tmp_path_factory.mktemp("scenes") / "scene", {"a": 40})
    scene = train(scene, "posenet", replace(QUICK, **SMALL, anchors=1, epochs=20))
    return train(scene, "menet", replace(QUICK, kind="menet", image_size=64, epochs=2))


@pytest.fixture(scope="module")
def without_menet(scene, tmp_path_factory):
    folder = shutil.copytree(scene.path, tmp_path_factory.mktemp("scenes") / "without")
    shutil.rmtree(folder / "models" / "menet")
    return replace(scene, path=folder)


def localized(scene, source, name: str, out) -> Trajectory:
    assert main(["localize", str(scene.path), str(source), "--estimator", name, "--out", str(out)]) == 0
    return read_tum(out)


def test_a_bag_is_moved_by_its_odometry(without_menet, tmp_path):
    path = walk(30)
    bag = write_walk_bag(tmp_path / "bag", path)
    alone = localized(without_menet, bag, "posenet", tmp_path / "alone.tum")
    together = localized(without_menet, bag, "posenet+pgo", tmp_path / "together.tum")
    assert len(alone) == len(together) == 30
    assert pose_error(together.pose(0), alone.pose(0)) == pytest.approx((0.0, 0.0), abs=1e-6)

    def wrong_steps_m(found: Trajectory) -> float:
        steps = [found.pose(i).inverse() * found.pose(i + 1) for i in range(29)]
        return float(np.median([pose_error(s, path[i].inverse() * path[i + 1])[0] for i, s in enumerate(steps)]))

    assert wrong_steps_m(together) < 0.5 * wrong_steps_m(alone)


def test_what_has_no_odometry_is_moved_by_menet(scene, without_menet, tmp_path, capsys):
    bag = write_walk_bag(tmp_path / "bag", walk(12), with_odometry=False)
    assert len(localized(scene, bag, "posenet+pgo", tmp_path / "q.tum")) == 12
    capsys.readouterr()
    arguments = ["localize", str(without_menet.path), str(bag), "--out", str(tmp_path / "p.tum")]
    assert main([*arguments, "--estimator", "posenet+pgo"]) == 1
    assert "posenet+pgo needs to know how the camera moves: localize a bag with odometry" in capsys.readouterr().err


def test_odometry_that_cannot_be_used_is_named_and_left_out(without_menet, tmp_path, capsys):
    bag = write_walk_bag(tmp_path / "bag", walk(12), mounted=False)
    arguments = ["localize", str(without_menet.path), str(bag), "--out", str(tmp_path / "q.tum")]
    assert main([*arguments, "--estimator", "posenet+pgo"]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert "without odometry" in said[0]
    assert "no static transform leads from" in said[0]
    assert "needs to know how the camera moves" in said[-1]


def test_a_menet_is_no_estimator(scene, without_menet, tmp_path):
    assert {"posenet", "posenet+pgo", "hybrid"} == set(estimator_names(scene)) - {"structure", "retrieval"}
    assert "posenet+pgo" not in estimator_names(without_menet)
    odometry = recorded_odometry(open_recording(write_walk_bag(tmp_path / "bag", walk(4))))
    assert odometry is not None
    assert "posenet+pgo" in estimator_names(without_menet, odometry)
    assert load_estimator(without_menet, "posenet+pgo", odometry).name == "posenet+pgo"
    for name in ("menet", "menet+pgo", "hybrid:menet"):
        with pytest.raises(LocalizationError, match="menet is a MeNet: it tells how a camera moved, not where it is"):
            load_estimator(scene, name)
    with pytest.raises(LocalizationError, match="no estimator 'nothing'; it offers structure, retrieval, posenet"):
        load_estimator(scene, "nothing+pgo")
