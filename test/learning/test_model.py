"""Networks: what comes out, what learns from what, and what makes no network."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from learnable import QUICK, SMALL, walk
from scipy.spatial.transform import Rotation

from campose_core.errors import LearningError
from campose_core.geometry import Pose, pose_error
from campose_core.learning.head import MIN_SPREAD_M, PoseHead
from campose_core.learning.losses import PoseLoss, PoseNumbers, spread_loss
from campose_core.learning.model import create_model, is_finite, to_numbers, to_poses
from campose_core.learning.options import Architecture, TrainOptions

HEAD = Architecture("mapnet", "resnet18", 1, 0, 32, 3, 32, 4, 0.5)


@given(st.integers(0, 2**16))
def test_poses_come_back_from_their_numbers(seed):
    random = np.random.default_rng(seed)
    poses = [Pose(Rotation.random(random_state=random), 5 * random.normal(size=3)) for _ in range(5)]
    for pose, again in zip(poses, to_poses(to_numbers(poses)), strict=True):
        assert max(pose_error(again, pose)) < 1e-5
    assert to_numbers([]).rotation.shape == (0, 3, 3)


def test_two_evaluations_agree_and_dropout_works_in_training_only():
    torch.manual_seed(0)
    network = create_model(HEAD)
    images = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    features = network.backbone.eval()(images)
    network.head.train()
    assert not torch.equal(network.head(features).position, network.head(features).position)
    network.eval()
    first, second = network(images), network(images)
    for one, two in zip(first, network.anchored(images).best(), strict=True):
        assert torch.equal(one, two)
    for one, two in zip(first, second, strict=True):
        assert torch.equal(one, two)
    assert first.position.shape == (2, 3)
    assert first.log_spread.shape == (2, 2)
    np.testing.assert_allclose(
        (first.rotation @ first.rotation.mT).detach().numpy(), np.tile(np.eye(3), (2, 1, 1)), atol=1e-5
    )


def test_zero_output_is_the_mean_position_of_the_training_frames():
    positions = np.array([pose.translation for pose in walk(9)])
    head = PoseHead(16, replace(HEAD, anchors=1)).eval()
    head.set_positions(positions)
    for parameter in head.parameters():
        torch.nn.init.zeros_(parameter)
    found = head(torch.randn(4, 16)).best()
    np.testing.assert_allclose(found.position.detach().numpy(), np.tile(positions.mean(0), (4, 1)), atol=1e-6)
    with torch.no_grad():
        head.pose.bias[:3] = 1.0
    # One unit is a standard deviation; the height, which does not change, has the least one.
    expected = positions.mean(0) + np.append(positions.std(0)[:2], MIN_SPREAD_M)
    np.testing.assert_allclose(head(torch.randn(1, 16)).best().position[0].detach().numpy(), expected, rtol=1e-5)
    # Weights run alone: the units are stored with them.
    assert torch.equal(head.position_mean_3, head.state_dict()["position_mean_3"])


def test_a_network_of_motions_begins_at_none():
    """Whatever it sees: the pose of a robot that stands."""
    head = PoseHead(16, replace(HEAD, anchors=1, dropout=0.0)).eval()
    head.set_motions(np.array([[0.1, 0.0, 0.0], [-0.1, 0.0, 0.0], [0.0, 0.2, 0.0], [0.0, -0.2, 0.0]]))
    found = head(torch.randn(4, 16)).best()
    for pose in to_poses(found):
        assert max(pose_error(pose, Pose.identity())) < 1e-5
    PoseLoss("l1", 0.0, 0.0, 0.0, True)(found.view(4, 1), to_numbers(walk(4)).view(4, 1)).backward()
    assert float(head.pose.weight.grad.abs().max()) > 0  # and it moves from there


def test_the_expected_error_learns_without_touching_the_pose():
    torch.manual_seed(0)
    head = PoseHead(16, replace(HEAD, dropout=0.0))
    label = PoseNumbers(torch.randn(4, 3), torch.eye(3).expand(4, 3, 3))
    spread_loss(head(torch.randn(4, 16)).best(), label).backward()
    learning = {name for name, parameter in head.named_parameters() if parameter.grad is not None}
    assert learning == {"spread.weight", "spread.bias"}
    assert float(head.spread.bias.grad.abs().min()) > 0
    head.zero_grad(set_to_none=True)
    PoseLoss("l1", 0.0, 0.0, 0.0, True)(head(torch.randn(4, 16)).best().view(4, 1), label.view(4, 1)).backward()
    learning = {name for name, parameter in head.named_parameters() if parameter.grad is not None}
    assert learning == {name for name, _ in head.named_parameters() if not name.startswith(("spread", "choice"))}


def test_principal_components_are_kept_with_the_weights_and_not_trained():
    head = PoseHead(40, replace(HEAD, components=8))
    assert head.components.weight.shape == (8, 40)
    assert not any(parameter.requires_grad for parameter in head.components.parameters())
    assert "components.weight" in head.state_dict()
    features = torch.randn(3, 40)
    head.eval()
    through = head.from_components(head.components(features))
    assert torch.equal(head(features).position, through.position)


@given(st.sampled_from(["position", "rotation"]), st.sampled_from([float("nan"), float("inf"), 1.0]))
def test_numbers_are_finite_or_not(where, value):
    numbers = {"position": torch.zeros(2, 3), "rotation": torch.eye(3).repeat(2, 1, 1)}
    numbers[where][1, 2] = value
    assert is_finite(PoseNumbers(**numbers)) == (value == 1.0)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_number_of_linear_layers(layers):
    network = create_model(replace(HEAD, kind="posenet", linear_layers=layers))
    into_pose = [*network.head.layers, network.head.pose]
    linear = [module for module in into_pose if isinstance(module, torch.nn.Linear)]
    assert len(linear) == layers
    assert [m.in_features for m in linear] == [512, 32, 32][:layers]


def test_an_architecture_follows_from_options():
    frozen, trained = replace(QUICK, **SMALL), replace(QUICK, **SMALL, frozen=False)
    assert (frozen.architecture.components, trained.architecture.components) == (32, 0)
    assert (frozen.architecture.anchors, replace(frozen, anchors=3).architecture.anchors) == (24, 3)
    linear = replace(QUICK, kind="linear").architecture
    assert (linear.linear_layers, linear.anchors, linear.dropout, linear.components) == (1, 1, 0.0, 32)
    menet = replace(QUICK, kind="menet", image_size=64)
    assert (menet.architecture.backbone, menet.architecture.components, menet.architecture.anchors) == ("menet", 0, 1)
    assert [replace(QUICK, kind=kind, frozen=False, **plus).trains_backbone for kind, plus in (
        ("posenet", {}), ("mapnet", {}), ("linear", {}), ("menet", {}))] == [True, True, False, True]  # fmt: skip
    assert menet.trains_backbone  # frozen or not
    assert not frozen.trains_backbone


def test_options_that_make_no_network_are_refused():
    with pytest.raises(LearningError, match=r"no 'posnet' among the networks posenet, .*did you mean 'posenet'"):
        create_model(replace(HEAD, kind="posnet"))
    for name, value in (("linear_layers", 4), ("linear_layers", 0), ("hidden", 0), ("dropout", 1.0), ("dropout", -0.1)):
        with pytest.raises(LearningError, match=f"{name} must be at (least|most) .*, got {value}"):
            replace(HEAD, **{name: value})


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0}, {"batch_size": 0}, {"image_size": 15}, {"tuple_length": 1}, {"tuple_skip": 0}, {"views": -1},
        {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"max_minutes": -1.0}, {"weight_decay": -0.1},
        {"grid": 0}, {"components": -1}, {"alpha": -1.0}, {"walkable_weight": -1.0}, {"view_shift_m": -0.1},
        {"patience": -1}, {"devices": 0}, {"workers": -1}, {"alpha": float("nan")}, {"anchors": 0},
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused_by_name(wrong):
    with pytest.raises(LearningError, match=next(iter(wrong))):
        TrainOptions(kind="mapnet", **wrong)


def test_a_tuple_is_for_mapnet_alone():
    assert offsets(QUICK) == (0,)
    assert offsets(TrainOptions(kind="posenet", tuple_length=1)) == (0,)
    assert offsets(TrainOptions(kind="mapnet", tuple_length=3, tuple_skip=4)) == (0, 4, 8)


def offsets(options: TrainOptions) -> tuple[int, ...]:
    return options.network.tuple_offsets(options)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"kind": "mapnet+"}, "--start-from MODEL and --unlabelled BAG"),
        ({"kind": "mapnet+", "start_from": "mapnet"}, "--unlabelled BAG"),
        ({"kind": "mapnet+", "unlabelled": ("walk.bag",)}, "--start-from MODEL"),
        ({"kind": "mapnet", "unlabelled": ("walk.bag",)}, "only mapnet\\+ learns from unlabelled"),
        ({"kind": "linear", "components": 0}, "components must be at least 1"),
    ],
)
def test_kinds_need_what_they_need(wrong, reason):
    with pytest.raises(LearningError, match=reason):
        TrainOptions(**wrong)
