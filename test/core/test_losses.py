import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose, exp_quat, log_quat
from campose_core.learning.losses import PoseLoss, logq_distance, quat_exp, quat_log, relative
from campose_core.learning.model import PoseNumbers

numbers = st.floats(-3, 3, allow_nan=False)
vectors = st.tuples(numbers, numbers, numbers).map(lambda v: np.array(v, dtype=np.float64))
small = st.floats(-0.85, 0.85)
logqs = st.tuples(small, small, small).map(lambda v: np.array(v, dtype=np.float64))


def pose_numbers(pose: Pose) -> PoseNumbers:
    return PoseNumbers(torch.tensor(pose.translation), torch.tensor(log_quat(pose.rotation)))


@given(logqs)
def test_quat_exp_is_geometrys_exp_and_log_its_inverse(logq):
    quat = quat_exp(torch.tensor(logq))
    expected = exp_quat(logq).as_quat()
    assert min(np.abs(quat.numpy() - expected).max(), np.abs(quat.numpy() + expected).max()) < 1e-5
    np.testing.assert_allclose(quat_log(quat).numpy(), logq, atol=1e-5)
    torch.testing.assert_close(quat_log(-quat), quat_log(quat))


@given(vectors, logqs, vectors, logqs)
def test_relative_poses_are_those_of_geometry(t1, w1, t2, w2):
    first, second = Pose(exp_quat(w1), t1), Pose(exp_quat(w2), t2)
    found = relative(pose_numbers(first), pose_numbers(second))
    expected = first.inverse() * second
    np.testing.assert_allclose(found.position.numpy(), expected.translation, atol=1e-4)
    assert (exp_quat(found.logq.numpy()) * expected.rotation.inv()).magnitude() < 1e-4


@given(logqs, logqs)
def test_either_logarithm_of_a_label_gives_the_same_distance(predicted, label):
    norm = np.linalg.norm(label)
    if norm < 1e-3:
        return
    other = label - np.pi * label / norm
    assert (exp_quat(label) * exp_quat(other).inv()).magnitude() < 1e-6
    one, two = (logq_distance(torch.tensor(predicted), torch.tensor(w)) for w in (label, other))
    torch.testing.assert_close(one, two)
    assert logq_distance(torch.tensor(other), torch.tensor(label)) < 1e-9


@settings(max_examples=25)
@given(vectors, st.floats(-3, 3), st.integers(0, 2**16))
def test_the_relative_term_sees_no_change_of_the_map_frame(shift, yaw, seed):
    # map frames differ by a motion a robot can make; predicted and true poses move with it.
    random = np.random.default_rng(seed)
    poses = [Pose(Rotation.random(random_state=random), random.normal(size=3)) for _ in range(4)]
    new_from_map = Pose(Rotation.from_euler("z", yaw), shift)
    moved = [new_from_map * pose for pose in poses]
    for a, b in ((0, 1), (2, 3)):
        before = relative(pose_numbers(poses[a]), pose_numbers(poses[b]))
        after = relative(pose_numbers(moved[a]), pose_numbers(moved[b]))
        np.testing.assert_allclose(after.position, before.position, atol=1e-4)
        assert (exp_quat(after.logq.numpy()) * exp_quat(before.logq.numpy()).inv()).magnitude() < 1e-4


def test_a_perfect_prediction_costs_beta_plus_gamma_per_term():
    label = PoseNumbers(torch.randn(2, 3, 3), 0.3 * torch.randn(2, 3, 3))
    loss = PoseLoss(-3.0, -2.0)
    torch.testing.assert_close(loss(label, label), torch.tensor(-10.0), atol=1e-3, rtol=0)
    single = PoseNumbers(label.position[:, :1], label.logq[:, :1])
    torch.testing.assert_close(loss(single, single), torch.tensor(-5.0), atol=1e-3, rtol=0)


def test_absolute_loss_is_the_published_formula():
    predicted = PoseNumbers(torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([[[0.1, 0.0, 0.0]]]))
    label = PoseNumbers(torch.tensor([[[1.5, 2.0, 2.0]]]), torch.tensor([[[0.0, 0.2, 0.0]]]))
    expected = np.exp(1.0) * 1.5 - 1.0 + np.exp(0.5) * 0.3 - 0.5
    assert abs(float(PoseLoss(-1.0, -0.5)(predicted, label).detach()) - expected) < 1e-5


def test_gradients_are_finite_at_the_identity_and_at_equal_poses():
    position, logq = torch.zeros(1, 3, 3, requires_grad=True), torch.zeros(1, 3, 3, requires_grad=True)
    loss = PoseLoss(-3.0, -3.0)
    loss(PoseNumbers(position, logq), PoseNumbers(torch.zeros(1, 3, 3), torch.zeros(1, 3, 3))).backward()
    for gradient in (position.grad, logq.grad, loss.beta.grad, loss.gamma.grad):
        assert gradient is not None
        assert gradient.isfinite().all()
