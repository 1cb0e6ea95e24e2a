"""What a network gets to see, and that the label is of just that."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from learnable import CAMERA, QUICK, make_scene

from campose_core.learning.augment import augmentation
from campose_core.learning.features import FeatureSamples
from campose_core.learning.losses import PoseNumbers, relative
from campose_core.learning.material import Material, frames_of_split, material_of_splits, tuple_rows
from campose_core.learning.model import to_numbers
from campose_core.learning.samples import ImageSamples, PairSamples
from campose_core.pixels.network_input import NetworkInput
from campose_core.scene.split import SplitOptions

INPUT = NetworkInput.covering(CAMERA, 32)
ROWS = torch.tensor([[0, 1], [2, 3], [9, 10]])


@pytest.fixture(scope="module")
def material(tmp_path_factory) -> Material:
    scene = make_scene(tmp_path_factory.mktemp("scenes") / "scene", {"a": 12}, SplitOptions(val=0.0, test=0.0))
    [found] = material_of_splits(scene, [frames_of_split(scene, "train")], INPUT, with_depth=False)
    return replace(found, inverse_depth=np.full((12, 8, 8), 0.5, np.float32))


def samples_of(material: Material, **options) -> ImageSamples:
    return ImageSamples(material, INPUT.camera, replace(QUICK, **options))


def same(first: PoseNumbers, second: PoseNumbers) -> bool:
    return torch.equal(first.position, second.position) and torch.equal(first.rotation, second.rotation)


def test_without_views_pictures_and_poses_are_those_recorded(material):
    for augment in ("none", "weather"):  # which is for views alone
        found = samples_of(material, augment=augment).batch(ROWS)
        np.testing.assert_array_equal(found.inputs.numpy(), material.images[ROWS.flatten().numpy()])
        assert found.label.position.shape == (3, 2, 3)
        assert same(found.label, to_numbers(material.poses).part(ROWS))


def test_views_are_new_each_time_and_repeat_with_the_seed(material):
    samples, before = samples_of(material, views=8, augment="light"), np.array(material.images)
    torch.manual_seed(3)
    first, second = samples.batch(ROWS), samples.batch(ROWS)
    torch.manual_seed(3)
    again = samples.batch(ROWS)
    assert torch.equal(first.inputs, again.inputs)
    assert same(first.label, again.label)
    assert not torch.equal(first.inputs, second.inputs)
    assert not torch.equal(first.label.position, second.label.position)
    np.testing.assert_array_equal(material.images, before)
    assert same(to_numbers(material.poses), samples_of(material).batch(torch.arange(12)[:, None]).label.view(12))


@pytest.mark.parametrize("views", [1, 3, 9])
def test_the_share_of_views_is_that_of_one_in_so_many(material, views):
    torch.manual_seed(0)
    frames = torch.arange(12).repeat(100)[:, None]
    found, recorded = samples_of(material, views=views).batch(frames), to_numbers(material.poses).part(frames)
    turned = (found.label.rotation != recorded.rotation).flatten(1).any(dim=1)
    assert float(turned.float().mean()) == pytest.approx(views / (1 + views), abs=0.05)
    # Those that are not turned are the frames themselves.
    kept = frames[~turned, 0].numpy()
    np.testing.assert_array_equal(found.inputs[~turned].numpy(), material.images[kept])


def test_a_view_of_each_frame_is_within_reach_of_it(material):
    torch.manual_seed(0)
    frames = torch.arange(12)
    pictures, label = samples_of(material, view_shift_m=0.3).all_views(frames)
    assert pictures.shape == (12, 32, 32, 3)
    away = relative(to_numbers(material.poses), label)
    assert (away.position.norm(dim=1) > 1e-3).all()
    assert (away.position.norm(dim=1) <= 0.4 * 2.0 + 1e-4).all()  # of a depth of two metres
    torch.manual_seed(0)
    _, stayed = samples_of(replace(material, inverse_depth=np.zeros((12, 1, 1), np.float32))).all_views(frames)
    torch.testing.assert_close(stayed.position, to_numbers(material.poses).position)
    assert (stayed.rotation != to_numbers(material.poses).rotation).flatten(1).any(dim=1).all()


def test_weather_changes_the_picture_of_a_view_and_not_its_label(material):
    found = []
    for augment in ("none", "light"):
        torch.manual_seed(1)
        found.append(samples_of(material, augment=augment).all_views(torch.arange(12)))
    assert same(found[0][1], found[1][1])
    assert not torch.equal(found[0][0], found[1][0])
    assert isinstance(augmentation("none"), torch.nn.Identity)


def test_a_pair_has_the_pose_of_its_second_frame_in_the_first(material):
    found = PairSamples(samples_of(material)).batch(ROWS)
    assert found.inputs.shape == (3, 2, 32, 32, 3)
    np.testing.assert_array_equal(found.inputs[2, 1].numpy(), material.images[10])
    for row, (first, second) in enumerate(ROWS.tolist()):
        expected = material.poses[first].inverse() * material.poses[second]
        np.testing.assert_allclose(found.label.position[row, 0].numpy(), expected.translation, atol=1e-5)
        np.testing.assert_allclose(found.label.rotation[row, 0].numpy(), expected.rotation.as_matrix(), atol=1e-5)


def test_features_are_drawn_with_the_label_of_their_view(material):
    """Components that tell view and frame."""
    views, frames = torch.meshgrid(torch.arange(4.0), torch.arange(12.0), indexing="ij")
    label = PoseNumbers(torch.stack([views, frames, 0 * views], dim=-1), torch.eye(3).expand(4, 12, 3, 3))
    samples = FeatureSamples(torch.stack([views, frames], dim=-1), label)
    torch.manual_seed(0)
    rows = tuple_rows(material.sources, (0, 2, 4)).repeat(20, 1)
    inputs, found = samples.batch(rows)
    assert inputs.shape == (rows.numel(), 2)
    torch.testing.assert_close(inputs, found.position.flatten(0, 1)[:, :2])
    assert torch.equal(inputs[:, 1].view(rows.shape).long(), rows)
    assert set(inputs[:, 0].tolist()) == {0.0, 1.0, 2.0, 3.0}
