import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from learnable import LEVEL, QUICK, walk
from scipy.spatial.transform import Rotation

from campose_core.errors import LearningError
from campose_core.geometry import Pose, pose_error
from campose_core.learning.model import create_model
from campose_core.learning.options import Architecture, TrainOptions
from campose_core.learning.pose_space import PoseSpace

HEAD = Architecture("mapnet", "resnet18", 32, 3, 32, 0.5)


@given(st.integers(0, 2**16))
def test_labels_decode_to_the_poses_they_were_made_of(seed):
    random = np.random.default_rng(seed)
    poses = [Pose(Rotation.random(random_state=random), 5 * random.normal(size=3)) for _ in range(5)]
    space = PoseSpace.of(poses)
    for pose, decoded in zip(poses, space.decode(*space.encode(poses)), strict=True):
        assert max(pose_error(decoded, pose)) < 1e-6


def test_a_robot_that_turns_on_the_floor_moves_along_one_continuous_label():
    headings = np.radians(np.arange(-170, 171, 5))
    poses = [Pose(Rotation.from_euler("z", heading) * LEVEL, np.zeros(3)) for heading in headings]
    _, logqs = PoseSpace.of(poses).encode(poses)
    np.testing.assert_allclose(logqs[:, :2], 0.0, atol=1e-9)
    np.testing.assert_allclose(np.diff(logqs[:, 2]), np.radians(2.5), atol=1e-9)


def test_two_evaluations_agree_and_dropout_works_in_training_only():
    torch.manual_seed(0)
    network = create_model(HEAD)
    images = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    features = network.backbone.eval()(images)
    network.head.train()
    assert not torch.equal(network.from_features(features).position, network.from_features(features).position)
    network.eval()
    first, second = network(images), network(images)
    assert torch.equal(first.position, second.position)
    assert torch.equal(first.logq, second.logq)


def test_zero_output_is_the_mean_pose_of_the_training_frames():
    poses = walk(9)
    network = create_model(HEAD).eval()
    network.set_pose_space(PoseSpace.of(poses))
    for parameter in network.head.parameters():
        torch.nn.init.zeros_(parameter)
    mean = network.poses(network(torch.zeros(1, 32, 32, 3, dtype=torch.uint8)))[0]
    np.testing.assert_allclose(mean.translation, np.mean([p.translation for p in poses], axis=0), atol=1e-6)
    expected = Rotation.concatenate([p.rotation for p in poses]).mean()
    assert (mean.rotation * expected.inv()).magnitude() < 1e-6


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_number_of_linear_layers(layers):
    network = create_model(Architecture("posenet", "resnet18", 32, layers, 16, 0.0))
    assert sum(isinstance(module, torch.nn.Linear) for module in network.head.modules()) == layers


def test_options_that_make_no_network_are_refused():
    with pytest.raises(LearningError, match="no kind of model 'posnet'"):
        create_model(Architecture("posnet", "resnet18", 32, 1, 16, 0.0))
    with pytest.raises(LearningError, match="1 to 3 linear layers"):
        create_model(Architecture("posenet", "resnet18", 32, 4, 16, 0.0))
    for wrong in ({"epochs": 0}, {"views": -1}, {"tuple_length": 1}, {"learning_rate": 0.0}, {"max_minutes": -1.0}):
        with pytest.raises(LearningError, match=next(iter(wrong))):
            TrainOptions(kind="mapnet", **wrong)
    assert QUICK.tuple_offsets == (0,)
    assert TrainOptions(kind="mapnet", tuple_length=3, tuple_skip=4).tuple_offsets == (0, 4, 8)
