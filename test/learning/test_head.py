"""Anchors: a head that first chooses a part of the building is exact where places look alike."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from learnable import QUICK, walk
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from campose_core.geometry import Pose, pose_error
from campose_core.learning.head import Anchored, PoseHead
from campose_core.learning.losses import PoseLoss, PoseNumbers, spread_loss
from campose_core.learning.model import to_numbers, to_poses
from campose_core.learning.options import Architecture

FEATURES = 16
ARCHITECTURE = Architecture("posenet", "resnet18", 1, 0, 32, 2, 64, 6, 0.0)
SECOND_ROOM = np.array([30.0, -10.0, 0.0])


def head_of(anchors: int, seed: int = 0, **changes) -> PoseHead:
    torch.manual_seed(seed)
    return PoseHead(FEATURES, replace(ARCHITECTURE, anchors=anchors, **changes))


def room(random: np.random.Generator, count: int, centre: np.ndarray) -> list[Pose]:
    """Cameras that stand anywhere in four by four metres and look anywhere."""
    places = centre + random.uniform([-2, -2, 1.1], [2, 2, 1.3], size=(count, 3))
    turns = Rotation.from_rotvec(random.uniform(-np.pi, np.pi, (count, 1)) * [0.0, 0.0, 1.0])
    level = Rotation.from_matrix([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    return [Pose(turn * level, place) for turn, place in zip(turns, places, strict=True)]


def two_rooms(seed: int, count: int) -> PoseNumbers:
    """`count` poses in a room, then as many in another 32 m away."""
    random = np.random.default_rng(seed)
    return to_numbers(room(random, count, np.zeros(3)) + room(random, count, SECOND_ROOM))


def anchors_m(head: PoseHead) -> Tensor:
    return head.anchor_a3 * head.position_std_3 + head.position_mean_3


def learn(head: PoseHead, features: Tensor, label: PoseNumbers, steps: int) -> list[float]:
    """As in training: where the place is known its own anchor learns, and the choice learns which that is."""
    head.set_poses(label, seed=0)
    head.train()
    loss, right, losses = PoseLoss("l1", 0.0, 0.0, 0.0, False), head.nearest_anchor(label), []
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        anchored = head(features)
        total = loss(anchored.at(right).view(-1, 1), label.view(-1, 1))
        total = total + nn.functional.cross_entropy(anchored.logits, right)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        falling.step()
        losses.append(float(total.detach()))
    head.eval()
    return losses


def distances_m(found: PoseNumbers, label: PoseNumbers) -> Tensor:
    return (found.position - label.position).norm(dim=-1).detach()


@settings(max_examples=20)
@given(seed=st.integers(0, 2**16), anchors=st.integers(2, 12))
def test_anchors_lie_among_the_training_poses(seed, anchors):
    label, head = two_rooms(seed, 60), head_of(anchors)
    head.set_poses(label, seed)
    found = anchors_m(head)
    assert found.shape == (anchors, 3)
    assert (found >= label.position.amin(0) - 1e-3).all()
    assert (found <= label.position.amax(0) + 1e-3).all()
    # Centres of unit vectors are no longer than one.
    assert (head.anchor_view_a3.norm(dim=1) <= 1.0 + 1e-5).all()
    # Within one or the other room: none in the nothing between them.
    to_rooms = torch.stack([(found[:, :2] - torch.tensor(c[:2])).norm(dim=1) for c in (np.zeros(3), SECOND_ROOM)])
    assert to_rooms.amin(0).max() < 3.0
    # Offsets are told in the size of a part, not of the building.
    assert (head.anchor_spread_3 <= 1.0 + 1e-5).all()
    assert (head.anchor_spread_3[:2] < 0.25).all()


@settings(max_examples=20)
@given(seed=st.integers(0, 2**16), anchors=st.integers(2, 12))
def test_two_far_rooms_share_no_anchor(seed, anchors):
    label, head = two_rooms(seed, 60), head_of(anchors)
    head.set_poses(label, seed)
    nearest = head.nearest_anchor(label)
    assert not set(nearest[:60].tolist()) & set(nearest[60:].tolist())
    # What is near in place and view is no further from its own anchor than from any other.
    poses = torch.cat([label.position, label.rotation[..., 2]], dim=1).double().numpy()
    centres = torch.cat([anchors_m(head), head.anchor_view_a3], dim=1).double().numpy()
    apart = np.linalg.norm(poses[:, None] - centres, axis=2)
    np.testing.assert_allclose(apart[np.arange(120), nearest.numpy()], apart.min(axis=1), atol=1e-4)


def test_cameras_that_look_opposite_ways_from_one_place_have_different_anchors():
    forth = [Pose(Rotation.from_euler("z", 0.1 * i) * Rotation.from_euler("x", -np.pi / 2), np.zeros(3))
             for i in range(-5, 5)]  # fmt: skip
    back = [Pose(Rotation.from_euler("z", np.pi) * pose.rotation, np.zeros(3)) for pose in forth]
    label, head = to_numbers(forth + back), head_of(2)
    head.set_poses(label, seed=0)
    nearest = head.nearest_anchor(label)
    assert (nearest[:10] == nearest[0]).all()
    assert (nearest[10:] == 1 - nearest[0]).all()


def test_anchors_follow_from_the_seed_and_are_stored_with_the_weights():
    label = two_rooms(0, 60)
    first, again, loaded = head_of(6), head_of(6, seed=1), head_of(6, seed=2)
    first.set_poses(label, seed=3)
    again.set_poses(label, seed=3)
    assert torch.equal(first.anchor_a3, again.anchor_a3)
    assert torch.equal(first.anchor_view_a3, again.anchor_view_a3)
    loaded.load_state_dict(first.state_dict())
    features = torch.randn(5, FEATURES)
    for one, other in zip(first(features), loaded(features), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(first.nearest_anchor(label), loaded.nearest_anchor(label))


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("distinct", [1, 3])
def test_fewer_places_than_anchors_are_enough(distinct):
    """A robot that stood still all the time."""
    label, head = to_numbers(walk(distinct) * (60 // distinct)), head_of(6)
    head.set_poses(label, seed=0)
    assert all(buffer.isfinite().all() for buffer in head.buffers())
    assert len(head.nearest_anchor(label).unique()) == distinct
    assert all(numbers.isfinite().all() for numbers in head(torch.randn(4, FEATURES)))


def test_one_anchor_is_the_plain_head():
    """Position and columns of one linear layer, in the unit of the training positions; there is nothing to choose."""
    label, features = two_rooms(0, 60), torch.randn(5, FEATURES)
    head = head_of(1)
    assert head.choice is None
    head.set_poses(label, seed=0)
    anchored, numbers = head(features), head.pose(head.layers(features))
    expected_m = numbers[:, :3] * label.position.std(0, correction=0) + label.position.mean(0)
    torch.testing.assert_close(anchored.best().position, expected_m)
    torch.testing.assert_close(anchored.columns[:, 0], numbers[:, 3:])
    assert anchored.logits.tolist() == [[0.0]] * 5
    assert head.nearest_anchor(label).tolist() == [0] * 120
    by_positions = head_of(1)
    by_positions.set_positions(label.position.double().numpy())
    for one, other in zip(anchored, by_positions(features), strict=True):
        assert torch.equal(one, other)


@given(st.integers(0, 2**16), st.integers(1, 7), st.integers(1, 5))
def test_best_is_at_the_most_likely_anchor(seed, count, anchors):
    random = torch.Generator().manual_seed(seed)
    anchored = Anchored(
        torch.randn(count, anchors, 3, generator=random),
        torch.randn(count, anchors, 6, generator=random),
        torch.randn(count, anchors, generator=random),
        torch.randn(count, 2, generator=random),
    )
    best = anchored.best()
    for one, other in zip(best, anchored.at(anchored.logits.argmax(1)), strict=True):
        assert torch.equal(one, other)
    for row, logits in enumerate(anchored.logits.tolist()):
        likeliest = logits.index(max(logits))
        assert torch.equal(best.position[row], anchored.position[row, likeliest])
        first = anchored.columns[row, likeliest, :3]
        torch.testing.assert_close(best.rotation[row, :, 0], first / first.norm(), atol=1e-4, rtol=1e-4)
    assert torch.equal(best.log_spread, anchored.log_spread)


def test_two_rooms_are_learned_exactly():
    """On features that tell where a frame was taken."""
    label, features = two_rooms(0, 20), torch.randn(40, FEATURES, generator=torch.Generator().manual_seed(1))
    head = head_of(4)
    losses = learn(head, features, label, 400)
    assert losses[-1] < 0.1 < 2.0 < losses[0]
    with torch.no_grad():
        anchored = head(features)
    assert torch.equal(anchored.logits.argmax(1), head.nearest_anchor(label))
    errors = [pose_error(*pair) for pair in zip(to_poses(anchored.best()), to_poses(label), strict=True)]
    position_m, angle = np.max(errors, axis=0)
    assert position_m < 0.2
    assert np.degrees(angle) < 5.0


@pytest.mark.parametrize("seed", range(3))
def test_between_two_rooms_that_look_alike_it_chooses_one(seed):
    """Each image was taken in either room, at the same place of it. A plain regression with squared errors, or one
    that sees both equally often, answers with a place in the nothing between; one with anchors is in a room."""
    first = room(np.random.default_rng(seed), 20, np.zeros(3))
    second = [Pose(pose.rotation, pose.translation + SECOND_ROOM) for pose in first]
    label = to_numbers(first + second)
    alike = torch.randn(20, FEATURES, generator=torch.Generator().manual_seed(seed)).repeat(2, 1)
    # As in life they are not quite alike; so little decides nothing but which room the head names.
    features = alike + 1e-3 * torch.randn(alike.shape, generator=torch.Generator().manual_seed(seed + 1))
    nearest_m = {}
    for anchors in (1, 2):
        head = head_of(anchors, seed)
        head.set_poses(label, seed)
        optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
        right, loss = head.nearest_anchor(label), PoseLoss("mse", 0.0, 0.0, 0.0, False)
        for _ in range(150):
            anchored = head(features)
            total = loss(anchored.at(right).view(-1, 1), label.view(-1, 1))
            total = total + nn.functional.cross_entropy(anchored.logits, right)
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
        with torch.no_grad():
            found = head.eval()(features).best()
        other = PoseNumbers(label.position.roll(20, 0), label.rotation)
        nearest_m[anchors] = torch.minimum(distances_m(found, label), distances_m(found, other))
    apart_m = float(np.linalg.norm(SECOND_ROOM))
    assert nearest_m[2].max() < 1.5
    assert nearest_m[1].median() > 0.3 * apart_m


def test_the_expected_error_teaches_neither_the_pose_nor_the_choice():
    head, label = head_of(6), two_rooms(0, 30)
    head.set_poses(label, seed=0)
    features = torch.randn(60, FEATURES, requires_grad=True)
    nn.init.normal_(head.spread.weight)
    spread_loss(head(features).best(), label).backward()
    learning = {name for name, parameter in head.named_parameters() if parameter.grad is not None}
    assert learning == {"spread.weight", "spread.bias"}
    assert features.grad is None
    assert float(head.spread.weight.grad.abs().max()) > 0
    # And the other way round.
    head.zero_grad(set_to_none=True)
    anchored, right = head(features), head.nearest_anchor(label)
    loss = PoseLoss("l1", 0.0, 0.0, 0.0, False)(anchored.at(right).view(-1, 1), label.view(-1, 1))
    (loss + nn.functional.cross_entropy(anchored.logits, right)).backward()
    learning = {name for name, parameter in head.named_parameters() if parameter.grad is not None}
    assert learning == {name for name, _ in head.named_parameters() if not name.startswith("spread")}


def test_only_the_anchor_that_was_right_learns_an_offset():
    head, label = head_of(6), two_rooms(0, 30)
    head.set_poses(label, seed=0)
    anchored = head(torch.randn(60, FEATURES))
    anchored.at(torch.full((60,), 2)).position.sum().backward()
    moved = head.pose.weight.grad.view(6, 9, -1).abs().amax(dim=(1, 2)) > 0
    assert moved.tolist() == [False, False, True, False, False, False]


def test_motions_begin_at_none():
    """MeNet's head has one anchor, and begins with a camera that stands, whatever it sees."""
    menet = replace(QUICK, kind="menet", image_size=64).architecture
    assert menet.anchors == 1
    head = PoseHead(FEATURES, menet).eval()
    head.set_motions(np.array([[0.1, 0.0, 0.0], [-0.1, 0.0, 0.0], [0.0, 0.2, 0.0], [0.0, -0.2, 0.0]]))
    for pose in to_poses(head(torch.randn(4, FEATURES)).best()):
        assert max(pose_error(pose, Pose.identity())) < 1e-5
