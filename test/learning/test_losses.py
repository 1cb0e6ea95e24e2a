"""What training makes small: held against geometry.py and against formulas written out by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from strategies import poses, rotations

from campose_core.geometry import Pose, pose_error
from campose_core.learning.losses import (
    PoseLoss,
    PoseNumbers,
    penalty_of,
    pose_errors,
    relative,
    spread_loss,
)
from campose_core.learning.rotations import rotation_exp
from campose_core.paper.log_quaternion import log_quat

PENALTIES = ("mse", "l1", "smooth_l1", "rmse")
seeds = st.integers(0, 2**16)


def numbers_of(*listed: Pose) -> PoseNumbers:
    position = torch.from_numpy(np.array([pose.translation for pose in listed]))
    return PoseNumbers(position, torch.from_numpy(np.array([pose.rotation.as_matrix() for pose in listed])))


def random_numbers(random: torch.Generator, *leading: int) -> PoseNumbers:
    turn = torch.randn(*leading, 3, generator=random)
    return PoseNumbers(torch.randn(*leading, 3, generator=random), rotation_exp(turn))


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(poses, poses)
def test_relative_poses_are_those_of_geometry(first, second):
    found, expected = relative(numbers_of(first), numbers_of(second)), first.inverse() * second
    np.testing.assert_allclose(found.position[0].numpy(), expected.translation, atol=1e-9)
    np.testing.assert_allclose(found.rotation[0].numpy(), expected.rotation.as_matrix(), atol=1e-9)


@given(poses, poses, poses)
def test_relative_poses_compose(a, b, c):
    """a_from_c is a_from_b and b_from_c, one after the other."""
    a_from_b, b_from_c = relative(numbers_of(a), numbers_of(b)), relative(numbers_of(b), numbers_of(c))
    a_from_c = relative(numbers_of(a), numbers_of(c))
    position = (a_from_b.rotation @ b_from_c.position[..., None]).squeeze(-1) + a_from_b.position
    np.testing.assert_allclose(position.numpy(), a_from_c.position.numpy(), atol=1e-9)
    np.testing.assert_allclose((a_from_b.rotation @ b_from_c.rotation).numpy(), a_from_c.rotation.numpy(), atol=1e-9)


@given(poses, poses)
def test_errors_are_metres_and_half_the_angle(estimate, reference):
    distance, angle = pose_error(estimate, reference)
    position, rotation = pose_errors(numbers_of(estimate), numbers_of(reference))
    assert float(position.norm()) == pytest.approx(distance, abs=1e-9)
    if angle < 3.1:  # near a half turn the sines are lost in rounding
        assert float(rotation.norm()) == pytest.approx(angle / 2.0, abs=1e-4)
        expected = log_quat(reference.rotation.inv() * estimate.rotation)
        np.testing.assert_allclose(rotation[0].numpy(), expected, atol=1e-4)


@settings(max_examples=25)
@given(poses, seeds)
def test_the_relative_term_sees_no_change_of_the_map_frame(new_from_map, seed):
    random = np.random.default_rng(seed)
    listed = [Pose(Rotation.random(random_state=random), random.normal(size=3)) for _ in range(4)]
    first = relative(numbers_of(*listed[:2]), numbers_of(*listed[2:]))
    moved = [new_from_map * pose for pose in listed]
    second = relative(numbers_of(*moved[:2]), numbers_of(*moved[2:]))
    np.testing.assert_allclose(second.position.numpy(), first.position.numpy(), atol=1e-8)
    np.testing.assert_allclose(second.rotation.numpy(), first.rotation.numpy(), atol=1e-8)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # Rows (3, 0, -4) and (0.5, 0, 0): sums over the three, means over the rows.
        ("mse", (25.0 + 0.25) / 2),
        ("l1", (7.0 + 0.5) / 2),
        ("smooth_l1", ((3 - 0.5) + (4 - 0.5) + 0.5 * 0.25) / 2),
        ("rmse", math.sqrt((25.0 + 0.25) / 2)),
    ],
)
def test_penalties_by_hand(kind, expected):
    errors = torch.tensor([[3.0, 0.0, -4.0], [0.5, 0.0, 0.0]])
    assert float(penalty_of(errors, kind)) == pytest.approx(expected, rel=1e-6)
    assert float(penalty_of(errors.view(2, 1, 3), kind)) == pytest.approx(expected, rel=1e-6)


def test_the_absolute_loss_is_the_published_formula():
    turned = torch.from_numpy(Rotation.from_rotvec([0.2, 0.0, 0.0]).as_matrix()).float()
    predicted = PoseNumbers(torch.tensor([[[1.0, 2.0, 3.0]]]), turned[None, None])
    label = PoseNumbers(torch.tensor([[[1.5, 2.0, 2.0]]]), torch.eye(3)[None, None])
    expected = math.exp(1.0) * 1.5 - 1.0 + math.exp(0.5) * 0.1 - 0.5
    assert float(PoseLoss("l1", 1.0, -1.0, -0.5, True)(predicted, label).detach()) == pytest.approx(expected, rel=1e-5)


@given(seeds, st.floats(0.1, 500.0))
def test_equation_9_is_fixed_weights(seed, weight):
    """|p - p'|^2 + A |q - q'|^2 with gamma = -log(A), up to a constant, which changes no gradient."""
    random = generator(seed)
    predicted, label = random_numbers(random, 4, 1), random_numbers(random, 4, 1)
    loss = PoseLoss("mse", 0.0, 0.0, -math.log(weight), learn_weights=False)
    position, rotation = pose_errors(predicted, label)
    expected = (position**2).sum(-1).mean() + weight * (rotation**2).sum(-1).mean()
    assert float(loss(predicted, label)) + math.log(weight) == pytest.approx(float(expected), rel=1e-4, abs=1e-4)
    assert not any(parameter.requires_grad for parameter in loss.parameters())


@given(seeds)
def test_learned_weights_grow_with_the_errors(seed):
    """At its best, exp(beta) is the size of the position error: Kendall and Cipolla, section 3.3."""
    random = generator(seed)
    predicted, label = random_numbers(random, 4, 1), random_numbers(random, 4, 1)
    position, rotation = pose_errors(predicted, label)
    best = [math.log(float(penalty_of(errors, "l1"))) for errors in (position, rotation)]
    loss = PoseLoss("l1", 0.0, *best, learn_weights=True)
    loss(predicted, label).backward()
    assert float(loss.beta.grad) == pytest.approx(0.0, abs=1e-4)
    assert float(loss.gamma.grad) == pytest.approx(0.0, abs=1e-4)


def test_a_perfect_prediction_costs_beta_plus_gamma_per_term():
    label = random_numbers(generator(0), 2, 3)
    single = label.part((slice(None), slice(0, 1)))
    for alpha, poses_, expected in ((0.5, label, -7.5), (0.5, single, -5.0), (0.0, label, -5.0)):
        loss = PoseLoss("l1", alpha, -3.0, -2.0, True)
        assert float(loss(poses_, poses_).detach()) == pytest.approx(expected, abs=1e-2)


@given(seeds)
def test_a_wrong_map_frame_costs_the_absolute_terms_only(seed):
    """Predictions that are right up to a motion of the whole map have perfect relative poses."""
    random = generator(seed)
    label, motion = random_numbers(random, 2, 3), random_numbers(random, 1, 1)
    moved_position = (motion.rotation @ label.position[..., None]).squeeze(-1) + motion.position
    predicted = PoseNumbers(moved_position, motion.rotation @ label.rotation)
    alone, with_relative = PoseLoss("mse", 0.0, 0.0, 0.0, True), PoseLoss("mse", 1.0, 0.0, 0.0, True)
    torch.testing.assert_close(with_relative(predicted, label), alone(predicted, label), atol=1e-4, rtol=1e-4)


@settings(max_examples=25)
@given(seeds)
def test_rows_without_labels_count_in_relative_terms_only(seed):
    random = generator(seed)
    predicted, label, motion = random_numbers(random, 4, 3), random_numbers(random, 4, 3), random_numbers(random, 1, 1)
    labelled = torch.tensor([True, False, True, False])
    loss = PoseLoss("l1", 1.0, -1.0, -1.0, True)
    before = loss(predicted, label, labelled)

    def with_unlabelled(prediction: PoseNumbers, position: torch.Tensor, rotation: torch.Tensor) -> torch.Tensor:
        changed = PoseNumbers(label.position.clone(), label.rotation.clone())
        changed.position[~labelled], changed.rotation[~labelled] = position, rotation
        return loss(prediction, changed, labelled)

    there = label.part(~labelled)
    elsewhere = (motion.rotation @ there.position[..., None]).squeeze(-1) + motion.position
    # Another odometry frame: nothing changes.
    moved = with_unlabelled(predicted, elsewhere, motion.rotation @ there.rotation)
    torch.testing.assert_close(moved, before, atol=1e-4, rtol=1e-4)
    # Another motion between the frames: what was predicted without an error now has one. (Of a prediction with errors
    # the loss may be the same by chance.)
    other_motion = with_unlabelled(label, there.position.cumsum(1), there.rotation)
    assert float((other_motion - loss(label, label, labelled)).detach()) > 1e-3
    # And without relative terms those rows have no gradient.
    position = predicted.position.clone().requires_grad_()
    PoseLoss("l1", 0.0, -1.0, -1.0, True)(PoseNumbers(position, predicted.rotation), label, labelled).backward()
    assert (position.grad[~labelled] == 0).all()
    assert (position.grad[labelled] != 0).any()


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("turn", [0.0, 1e-8, 1.0, math.pi])
def test_gradients_are_finite_at_equal_poses_and_at_half_turns(penalty, turn):
    position = torch.zeros(2, 3, 3, requires_grad=True)
    vector = torch.zeros(2, 3, 3)
    vector[..., 2] = turn
    vector.requires_grad_()
    label = PoseNumbers(torch.zeros(2, 3, 3), torch.eye(3).expand(2, 3, 3, 3))
    loss = PoseLoss(penalty, 1.0, -3.0, -3.0, True)
    loss(PoseNumbers(position, rotation_exp(vector)), label).backward()
    for gradient in (position.grad, vector.grad, loss.beta.grad, loss.gamma.grad):
        assert gradient is not None
        assert gradient.isfinite().all()


@given(rotations, rotations)
def test_gradients_are_finite_for_any_two_rotations(predicted, label):
    columns = torch.from_numpy(predicted.as_matrix()).float()[None, None].requires_grad_()
    target = PoseNumbers(torch.zeros(1, 1, 3), torch.from_numpy(label.as_matrix()).float()[None, None])
    PoseLoss("l1", 1.0, 0.0, 0.0, True)(PoseNumbers(torch.zeros(1, 1, 3), columns), target).backward()
    assert columns.grad.isfinite().all()


@pytest.mark.parametrize("same", [True, False])
def test_the_spread_learns_from_the_pose_and_leaves_it_alone(same):
    random = generator(1)
    label = random_numbers(random, 4, 1)
    other = label if same else random_numbers(random, 4, 1)
    position, rotation = (tensor.clone().requires_grad_() for tensor in other[:2])
    spread = torch.zeros(4, 1, 2, requires_grad=True)
    spread_loss(PoseNumbers(position, rotation, spread), label).backward()
    assert position.grad is None
    assert rotation.grad is None
    assert spread.grad.isfinite().all()
    assert (spread.grad != 0).all()


@given(st.floats(0.01, 5.0), st.floats(0.01, 1.5))
def test_the_best_spread_is_a_third_of_the_error(distance, angle):
    """Of |e| / s + 3 log s, so for an error that is always the same."""
    label = PoseNumbers(torch.zeros(1, 3), torch.eye(3)[None])
    turn = rotation_exp(torch.tensor([[0.0, angle, 0.0]]))
    spread = torch.tensor([[math.log(distance / 3.0), math.log(angle / 3.0)]], requires_grad=True)
    spread_loss(PoseNumbers(torch.tensor([[distance, 0.0, 0.0]]), turn, spread), label).backward()
    np.testing.assert_allclose(spread.grad.numpy(), 0.0, atol=1e-3)
