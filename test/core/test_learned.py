from dataclasses import replace

import numpy as np
import pytest
from learnable import CAMERA, QUICK, make_scene, picture
from PIL import Image

from campose_core.camera import Camera
from campose_core.capture.frame import Frame
from campose_core.errors import CheckpointError, LearningError, LocalizationError
from campose_core.geometry import pose_error
from campose_core.learning.train import train
from campose_core.localization.learned import LearnedEstimator


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    scene = make_scene(tmp_path_factory.mktemp("scenes") / "scene", {"a": 40})
    return train(scene, "mapnet", replace(QUICK, kind="mapnet", hidden=256, epochs=60))


@pytest.fixture(scope="module")
def estimator(scene):
    return LearnedEstimator.load(scene, "mapnet")


def test_it_answers_like_training_with_the_stamp_of_the_image(scene, estimator):
    assert estimator.name == "mapnet"
    distances = []
    for scene_frame in scene.posed_frames("train")[::3]:
        frame = Frame(scene_frame.stamp_ns, picture(scene_frame.map_from_cam), "camera", "")
        estimate = estimator.estimate(frame, CAMERA)
        assert estimate.stamp_ns == scene_frame.stamp_ns
        distances.append(pose_error(estimate.map_from_cam, scene_frame.map_from_cam)[0])
        assert pose_error(estimator.estimate(frame, CAMERA).map_from_cam, estimate.map_from_cam) == (0.0, 0.0)
    assert np.median(distances) < 0.2


def test_another_size_of_the_same_camera_changes_little(scene, estimator):
    image = picture(scene.posed_frames("train")[5].map_from_cam)
    larger = np.asarray(Image.fromarray(image).resize((640, 480), Image.Resampling.BICUBIC))
    small = estimator.estimate(Frame(0, image, "", ""), CAMERA)
    large = estimator.estimate(Frame(0, larger, "", ""), CAMERA.resized(640, 480))
    assert pose_error(large.map_from_cam, small.map_from_cam)[0] < 0.15


def test_the_covariance_is_that_of_the_validation_errors(scene, estimator):
    residuals = []
    for scene_frame in scene.posed_frames("val"):
        image = np.asarray(Image.open(scene.frame_path(scene_frame)).convert("RGB"))
        estimate = estimator.estimate(Frame(0, image, "", ""), CAMERA)
        residuals.append(estimate.map_from_cam.translation - scene_frame.map_from_cam.translation)
    variance = np.mean(np.square(residuals), axis=0)
    np.testing.assert_allclose(np.diag(estimate.covariance)[:3], variance, rtol=0.02)


def test_wrong_cameras_and_models_are_refused(scene, estimator, tmp_path):
    tele = Camera.from_field_of_view(64, 48, 20.0)
    with pytest.raises(LearningError, match="of the view"):
        estimator.estimate(Frame(0, np.zeros((48, 64, 3), np.uint8), "", ""), tele)
    with pytest.raises(LocalizationError, match="no model 'posenet'; it has mapnet"):
        LearnedEstimator.load(scene, "posenet")
    (scene.models_dir / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"model\.yaml is missing"):
        LearnedEstimator.load(scene, "empty")
