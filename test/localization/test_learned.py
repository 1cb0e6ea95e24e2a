import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from learnable import CAMERA, QUICK, make_scene, picture
from PIL import Image

from campose_core.camera import Camera
from campose_core.errors import CheckpointError, LearningError, LocalizationError
from campose_core.frame import Frame
from campose_core.geometry import pose_difference, pose_error
from campose_core.learning.checkpoint import load, save
from campose_core.learning.material import material_of_splits, ordered_frames
from campose_core.learning.nearby_views import with_views
from campose_core.learning.train import train
from campose_core.localization.estimators.base import EstimatorRequest
from campose_core.localization.estimators.learned import LearnedEstimator


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    scene = make_scene(tmp_path_factory.mktemp("scenes") / "scene", {"a": 40})
    return train(scene, "mapnet", replace(QUICK, kind="mapnet", hidden=256, epochs=60))


@pytest.fixture(scope="module")
def estimator(scene):
    return LearnedEstimator.load(scene, EstimatorRequest("mapnet"))


def test_it_answers_like_training_with_the_stamp_of_the_image(scene, estimator):
    assert estimator.name == "mapnet"
    distances = []
    for scene_frame in scene.posed_frames("train")[::3]:
        frame = Frame(scene_frame.stamp_ns, picture(scene_frame.map_from_cam), "camera", "")
        [estimate] = estimator.estimate(frame, CAMERA)
        assert estimate.stamp_ns == scene_frame.stamp_ns
        distances.append(pose_error(estimate.map_from_cam, scene_frame.map_from_cam)[0])
        assert pose_error(estimator.estimate(frame, CAMERA)[0].map_from_cam, estimate.map_from_cam) == (0.0, 0.0)
    assert np.median(distances) < 0.2


def test_another_size_of_the_same_camera_changes_little(scene, estimator):
    image = picture(scene.posed_frames("train")[5].map_from_cam)
    larger = np.asarray(Image.fromarray(image).resize((640, 480), Image.Resampling.BICUBIC))
    [small] = estimator.estimate(Frame(0, image, "", ""), CAMERA)
    [large] = estimator.estimate(Frame(0, larger, "", ""), CAMERA.resized(640, 480))
    assert pose_error(large.map_from_cam, small.map_from_cam)[0] < 0.15


@pytest.mark.parametrize("judges", ["test", "val"])
def test_the_covariance_is_that_of_the_errors_on_frames_that_chose_nothing(scene, estimator, tmp_path, judges):
    """On the test frames and views from beside them; a scene without any has only its validation frames."""
    if judges == "val":
        without_test = tuple(replace(frame, split=frame.split.replace("test", "")) for frame in scene.frames)
        scene = replace(scene, path=shutil.copytree(scene.path, tmp_path / "scene"), frames=without_test, steps={})
        train(scene, "posenet", QUICK)
        estimator = LearnedEstimator.load(scene, EstimatorRequest("posenet"))
    frames, network_input = ordered_frames(scene, judges), load(scene.models_dir / estimator.name).network_input
    (material,) = material_of_splits(scene, [frames], network_input, with_depth=False)
    seen, squares = with_views(scene, frames, material, network_input, QUICK.seed), []
    for image, true in zip(seen.images, seen.poses, strict=True):
        [estimate] = estimator.estimate(Frame(0, image, "", ""), network_input.camera)
        squares.append(pose_difference(estimate.map_from_cam, true) ** 2 / np.diag(estimate.covariance))
    np.testing.assert_allclose(np.mean(squares, axis=0), 1.0, rtol=0.02)


def test_intrinsics_that_mapping_refined_are_replaced_by_those_of_training(scene):
    given = Camera.from_field_of_view(64, 48, 70.0)
    sources = {source: {"given_camera": given.to_dict()} for source in scene.sources}
    cameras = dict.fromkeys(scene.sources, CAMERA)
    estimator = LearnedEstimator.load(replace(scene, sources=sources, cameras=cameras), EstimatorRequest("mapnet"))
    frame = Frame(0, picture(scene.posed_frames("train")[5].map_from_cam), "", "")
    [as_given], [as_refined] = estimator.estimate(frame, given), estimator.estimate(frame, CAMERA)
    assert pose_error(as_given.map_from_cam, as_refined.map_from_cam) == (0.0, 0.0)


def test_wrong_cameras_and_models_are_refused(scene, estimator):
    tele = Camera.from_field_of_view(64, 48, 20.0)
    with pytest.raises(LearningError, match="of the view"):
        estimator.estimate(Frame(0, np.zeros((48, 64, 3), np.uint8), "", ""), tele)
    with pytest.raises(LocalizationError, match=r"no estimator 'posenet'; it offers .*mapnet"):
        LearnedEstimator.load(scene, EstimatorRequest("posenet"))
    (scene.models_dir / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"model\.yaml is missing"):
        LearnedEstimator.load(scene, EstimatorRequest("empty"))


def test_a_network_that_gives_no_number_gives_no_answer(scene):
    """Finite weights may do so."""
    model = load(scene.models_dir / "mapnet")
    with torch.no_grad():
        model.network.head.pose.bias[:] = 3e38
        model.network.head.position_std_3.fill_(1e3)
    save(scene.models_dir / "huge", model, "")
    frame = Frame(0, picture(scene.posed_frames("train")[5].map_from_cam), "", "")
    assert LearnedEstimator.load(scene, EstimatorRequest("huge")).estimate(frame, CAMERA) == []
