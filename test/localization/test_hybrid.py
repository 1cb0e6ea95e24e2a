"""Landmarks with a pose network beside them, on the rendered room."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from learnable import QUICK

from campose_core.capture.recording import open_recording
from campose_core.errors import LocalizationError
from campose_core.frame import Frame
from campose_core.geometry import pose_error
from campose_core.localization.estimators.base import EstimatorRequest, Kind, PosePrior
from campose_core.localization.estimators.hybrid import HELD_BY_NETWORK_S, HybridEstimator
from campose_core.localization.estimators.learned import LearnedEstimator
from campose_core.localization.estimators.registry import estimator_names, load_estimator
from campose_core.localization.estimators.structure import StructureEstimator
from campose_core.localization.localizer import Localizer
from campose_core.localization.result import Status
from campose_core.scene.scene import Scene
from campose_core.trajectory import read_tum

pytestmark = pytest.mark.slow
pytest.importorskip("torch", reason="pose networks need torch: pip install 'campose_ros[train]'")

SECOND_NS = 1_000_000_000


@pytest.fixture(scope="module")
def scene(small_scene, tmp_path_factory) -> Scene:
    from campose_core.learning.train import train

    folder = tmp_path_factory.mktemp("hybrid") / "scene"
    shutil.copytree(small_scene, folder)
    train(Scene.open(folder), "net", replace(QUICK, kind="mapnet", image_size=64, hidden=128, epochs=40))
    return Scene.open(folder)


@pytest.fixture(scope="module")
def drive(small_world: Path):
    """The frames of the later drive, their camera and true poses."""
    recording = open_recording(small_world / "later.bag")
    truth = dict(read_tum(small_world / "later.tum"))
    return list(recording.frames()), recording.camera, truth


def mirrored(frame: Frame, stamp_ns: int) -> Frame:
    """An image full of features that are no landmark's."""
    return frame._replace(stamp_ns=stamp_ns, image=np.ascontiguousarray(frame.image[:, ::-1]), jpeg=None)


def test_geometry_answers_where_it_can(scene, drive):
    frames, camera, truth = drive
    estimator = load_estimator(scene, "hybrid")
    assert isinstance(estimator, HybridEstimator)
    [found] = estimator.estimate(frames[0], camera)
    assert found.kind is Kind.RELOCALIZED
    assert pose_error(found.map_from_cam, truth[found.stamp_ns])[0] < 0.03
    [again] = estimator.estimate(frames[1], camera, PosePrior(found.map_from_cam, 0.01 * np.eye(6)))
    assert again.kind is Kind.TRACKED


def known_to_be_off_by(sigma_m: float, scene: Scene, folder: Path) -> Scene:
    """The scene with a network that erred by so much on its test frames."""
    shutil.copytree(scene.path, folder)
    description = folder / "models" / "net" / "model.yaml"
    fields = yaml.safe_load(description.read_text())
    covariance = np.diag([sigma_m**2] * 3 + [0.1**2] * 3).tolist()
    fields["calibration"] = {"covariance": covariance, "exponent": 0.0}
    description.write_text(yaml.safe_dump(fields))
    return Scene.open(folder)


def test_the_network_answers_for_a_while_when_geometry_no_longer_can(scene, drive, tmp_path):
    frames, camera, _ = drive
    scene = known_to_be_off_by(0.15, scene, tmp_path / "scene")
    estimator, network = load_estimator(scene, "hybrid"), LearnedEstimator.load(scene, EstimatorRequest("net"))
    [found] = estimator.estimate(frames[0], camera)
    prior = PosePrior(found.map_from_cam, 0.01 * np.eye(6))
    strange = mirrored(frames[0], found.stamp_ns + SECOND_NS)
    assert estimator.estimate(strange, camera) == []  # by itself it founds nothing
    [learned] = estimator.estimate(strange, camera, prior)
    [alone] = network.estimate(strange, camera)
    assert learned.kind is Kind.LEARNED
    np.testing.assert_array_equal(learned.covariance, alone.covariance)
    assert learned.covariance[0, 0] > 100 * found.covariance[0, 0]
    late = mirrored(frames[0], found.stamp_ns + int((HELD_BY_NETWORK_S + 0.1) * SECOND_NS))
    assert estimator.estimate(late, camera, prior) == []


def test_a_covered_lens_is_not_the_networks_to_answer(scene, drive):
    frames, camera, _ = drive
    estimator = load_estimator(scene, "hybrid")
    [found] = estimator.estimate(frames[0], camera)
    covered = frames[0]._replace(stamp_ns=found.stamp_ns + SECOND_NS, image=np.zeros_like(frames[0].image))
    assert estimator.estimate(covered, camera, PosePrior(found.map_from_cam, 0.01 * np.eye(6))) == []


def test_a_network_known_to_be_metres_off_only_says_where_to_look(scene, drive, tmp_path):
    frames, camera, _ = drive
    estimator = load_estimator(known_to_be_off_by(1.0, scene, tmp_path / "scene"), "hybrid")
    [found] = estimator.estimate(frames[0], camera)
    strange = mirrored(frames[0], found.stamp_ns + SECOND_NS)
    assert estimator.estimate(strange, camera, PosePrior(found.map_from_cam, 0.01 * np.eye(6))) == []


def test_a_localizer_says_which_kind_answered_and_is_lost_when_the_network_is_left_alone(scene, drive, tmp_path):
    frames, camera, _ = drive
    scene = known_to_be_off_by(0.15, scene, tmp_path / "scene")
    localizer = Localizer(load_estimator(scene, "hybrid"))
    seen = [localizer.localize(frame, camera) for frame in frames[:10]]
    assert {result.kind for result in seen[2:]} <= {Kind.RELOCALIZED, Kind.TRACKED}
    step_ns = frames[1].stamp_ns - frames[0].stamp_ns
    later = [mirrored(frames[9], frames[9].stamp_ns + i * step_ns) for i in range(1, 90)]
    strange = [localizer.localize(frame, camera) for frame in later]
    answered = [result for result in strange if result.map_from_cam is not None]
    assert Kind.LEARNED in {result.kind for result in answered} <= {Kind.LEARNED, Kind.PREDICTED}
    assert strange[-1].status is Status.LOST
    assert strange[-1].map_from_cam is None


def test_what_a_scene_lacks_is_left_out_or_named(scene, small_scene, tmp_path, capsys):
    assert estimator_names(scene) == ["structure", "retrieval", "net", "hybrid"]
    assert isinstance(load_estimator(Scene.open(small_scene), "hybrid"), StructureEstimator)
    assert "no trained model: landmarks alone" in capsys.readouterr().err
    copy = tmp_path / "scene"
    shutil.copytree(scene.path, copy)
    shutil.copytree(copy / "models" / "net", copy / "models" / "other")
    with pytest.raises(LocalizationError, match=r"has the models net, other: name one, as in hybrid:net"):
        load_estimator(Scene.open(copy), "hybrid")
    assert isinstance(load_estimator(Scene.open(copy), "hybrid:other"), HybridEstimator)
    with pytest.raises(LocalizationError, match=r"no estimator 'missing'"):
        load_estimator(Scene.open(copy), "hybrid:missing")
    (copy / "sfm" / "landmarks.npz").unlink()
    assert isinstance(load_estimator(Scene.open(copy), "hybrid:net"), LearnedEstimator)
    assert "no landmarks: the model net alone" in capsys.readouterr().err
