"""What every kind of network in the table promises: docs/extend/network.md."""

from dataclasses import replace

import numpy as np
import pytest
from learnable import QUICK, SMALL, walk

from campose_core.learning.kinds.base import NetworkKind
from campose_core.learning.networks import NETWORKS, kind_of_model
from campose_core.learning.options import Architecture, TrainOptions

torch = pytest.importorskip("torch", reason="pose networks need torch: pip install 'campose_ros[train]'")
from campose_core.learning.model import PoseNetwork, create_model  # noqa: E402

SIZE = 64
NEEDED = {"mapnet+": {"start_from": "mapnet", "unlabelled": ("walk.bag",)}}
SOURCES = ["a"] * 9 + ["b"] * 7
every_kind = pytest.mark.parametrize("name", list(NETWORKS.table))


def options_of(name: str) -> TrainOptions:
    return replace(QUICK, kind=name, image_size=SIZE, **SMALL, **NEEDED.get(name, {}))


def network_of(name: str) -> PoseNetwork:
    torch.manual_seed(0)
    return create_model(options_of(name).architecture).eval()


def pictures(kind: NetworkKind, count: int) -> "torch.Tensor":
    shape = (count, 2) if kind.relative else (count,)
    return torch.randint(0, 256, (*shape, SIZE, SIZE, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@every_kind
def test_answers_are_poses_with_a_spread(name):
    kind, network = options_of(name).network, network_of(name)
    with torch.no_grad():
        found = network(pictures(kind, 3))
    assert found.position.shape == (3, 3)
    assert found.rotation.shape == (3, 3, 3)
    assert found.log_spread.shape == (3, 2)
    identity = torch.eye(3).expand(3, 3, 3)
    torch.testing.assert_close(found.rotation @ found.rotation.mT, identity, atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(found.rotation), torch.ones(3), atol=1e-5, rtol=0)


@every_kind
def test_the_same_picture_gives_the_same_pose_in_any_company(name):
    kind, network = options_of(name).network, network_of(name)
    inputs = pictures(kind, 4)
    with torch.no_grad():
        together, again, alone = network(inputs), network(inputs), network(inputs[2:3])
    assert torch.equal(together.position, again.position)
    torch.testing.assert_close(together.position[2:3], alone.position, atol=1e-4, rtol=1e-4)


@every_kind
def test_a_blank_picture_gives_finite_numbers(name):
    """A network answers every image; that it does not know is in its spread, and in whether it is believed."""
    kind, network = options_of(name).network, network_of(name)
    with torch.no_grad():
        found = network(torch.zeros_like(pictures(kind, 1)))
    assert all(bool(part.isfinite().all()) for part in (found.position, found.rotation, found.log_spread))


@every_kind
def test_what_is_stored_builds_the_same_network(name):
    network = network_of(name)
    stored = Architecture(**network.architecture.to_dict())
    assert stored == network.architecture
    assert stored.kind == name
    other = create_model(stored)
    other.load_state_dict(network.state_dict())


@every_kind
def test_samples_stay_within_their_recording(name):
    options = options_of(name)
    rows = options.network.rows(SOURCES, options)
    assert rows.ndim == 2
    assert len(rows) > 0
    assert {len({SOURCES[index] for index in row}) for row in rows.tolist()} == {1}


@every_kind
def test_it_is_judged_by_each_frame_or_by_pairs(name):
    options, poses = options_of(name), walk(len(SOURCES))
    kind = options.network
    rows = kind.judged_rows(SOURCES, options)
    answers = kind.answers(poses, rows)
    assert len(answers) == len(rows) > 0
    if not kind.relative:
        assert rows.tolist() == list(range(len(SOURCES)))
        assert list(answers) == poses
        return
    for (first, second), answer in zip(rows.tolist(), answers, strict=True):
        np.testing.assert_allclose((poses[first] * answer).translation, poses[second].translation, atol=1e-12)


@every_kind
def test_a_models_name_begins_with_its_kind(name):
    assert kind_of_model(name) == kind_of_model(f"{name}-large") == name
    assert kind_of_model("nothing") is None
