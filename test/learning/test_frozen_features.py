"""Features of a frozen backbone: computed once, and again when anything they follow from has changed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from learnable import CAMERA, QUICK, SMALL, make_scene

from campose_core.geometry import Pose
from campose_core.learning.features import feature_samples, features_of
from campose_core.learning.material import Material, frames_of_split, material_of_splits
from campose_core.learning.model import PoseNetwork, create_model, to_numbers
from campose_core.learning.samples import ImageSamples
from campose_core.pixels.network_input import NetworkInput
from campose_core.scene.split import SplitOptions

INPUT = NetworkInput.covering(CAMERA, 32)
OPTIONS = replace(QUICK, **SMALL, components=8, views=2)


@pytest.fixture(scope="module")
def material(tmp_path_factory) -> Material:
    scene = make_scene(tmp_path_factory.mktemp("scenes") / "scene", {"a": 24}, SplitOptions(val=0.0, test=0.0))
    [found] = material_of_splits(scene, [frames_of_split(scene, "train")], INPUT, with_depth=False)
    depth = np.full((24, 8, 8), 0.4, np.float32)
    return replace(found, inverse_depth=depth, images=np.array(found.images))


def network_of(options=OPTIONS) -> PoseNetwork:
    torch.manual_seed(0)
    return create_model(options.architecture)


def computed(cache, material, options=OPTIONS, network=None, camera=INPUT.camera):
    network = network or network_of(options)
    pictures = ImageSamples(material, camera, options)
    torch.manual_seed(options.seed)
    return network, feature_samples(cache, network, material, pictures, options)


def kept(cache):
    return sorted(cache.glob("features-*.safetensors"))


def test_a_second_run_finds_what_the_first_computed(tmp_path, material):
    first_network, first = computed(tmp_path, material)
    [path] = kept(tmp_path)
    written = path.stat().st_mtime_ns
    again_network = network_of()
    with torch.no_grad():  # what the components were before does not matter
        again_network.head.components.weight.fill_(7.0)
    torch.manual_seed(99)
    _, again = computed(tmp_path, material, network=again_network)
    assert path.stat().st_mtime_ns == written
    assert torch.equal(again.components_vnk, first.components_vnk)
    assert torch.equal(again.label_vn.position, first.label_vn.position)
    assert torch.equal(again.label_vn.rotation, first.label_vn.rotation)
    assert torch.equal(again_network.head.components.weight, first_network.head.components.weight)
    assert torch.equal(again_network.head.components.bias, first_network.head.components.bias)


def test_they_are_the_components_of_frames_and_views_with_their_poses(tmp_path, material):
    network, samples = computed(tmp_path, material)
    assert samples.components_vnk.shape == (3, 24, 8)
    assert not samples.components_vnk.requires_grad
    recorded = to_numbers(material.poses)
    assert torch.equal(samples.label_vn.position[0], recorded.position)
    assert torch.equal(samples.label_vn.rotation[0], recorded.rotation)
    assert (samples.label_vn.position[1:] != recorded.position).flatten(2).any(dim=2).all()
    assert not torch.equal(samples.label_vn.position[1], samples.label_vn.position[2])
    # What the layers see of a frame while training is what they see of it in use, up to half precision.
    network.eval()
    in_use = features_of(tmp_path, network, material.images, "features")
    torch.testing.assert_close(samples.components_vnk[0], in_use, atol=0.05, rtol=0.02)
    together = samples.components_vnk.flatten(0, 1)
    torch.testing.assert_close(together.T @ together / len(together), torch.eye(8), atol=0.05, rtol=0)


def test_a_backbone_keeps_its_statistics_and_its_mode(tmp_path, material):
    network = network_of()
    before = {name: value.clone() for name, value in network.backbone.state_dict().items()}
    assert network.backbone.training
    computed(tmp_path, material, network=network)
    assert network.backbone.training
    assert all(torch.equal(value, before[name]) for name, value in network.backbone.state_dict().items())


def changed_picture(material):
    pictures = material.images.copy()
    pictures[3, 0, 0, 0] ^= 1
    return replace(material, images=pictures)


def changed_pose(material):
    moved = Pose(material.poses[2].rotation, material.poses[2].translation + 1e-6)
    return replace(material, poses=(*material.poses[:2], moved, *material.poses[3:]))


@pytest.mark.parametrize("change", [changed_picture, changed_pose])
def test_other_frames_have_other_features(tmp_path, material, change):
    computed(tmp_path, material)
    computed(tmp_path, change(material))
    assert len(kept(tmp_path)) == 2


@pytest.mark.parametrize(
    "change", [{"views": 1}, {"seed": 1}, {"view_shift_m": 0.1}, {"augment": "light"}, {"components": 4}]
)
def test_other_views_have_other_features(tmp_path, material, change):
    computed(tmp_path, material)
    computed(tmp_path, material, replace(OPTIONS, **change), network=network_of(replace(OPTIONS, **change)))
    assert len(kept(tmp_path)) == 2


@pytest.mark.parametrize("change", [{"epochs": 99}, {"learning_rate": 1.0}, {"penalty": "mse"}, {"hidden": 8}])
def test_what_changes_the_layers_alone_costs_no_features(tmp_path, material, change):
    computed(tmp_path, material)
    computed(tmp_path, material, replace(OPTIONS, **change))
    assert len(kept(tmp_path)) == 1


def test_another_backbone_has_other_features(tmp_path, material):
    computed(tmp_path, material)
    network = network_of()
    with torch.no_grad():
        next(iter(network.backbone.parameters()))[0, 0, 0, 0] += 1e-3
    computed(tmp_path, material, network=network)
    assert len(kept(tmp_path)) == 2
    # Nothing but the parameters differs in another draw of random weights either.
    torch.manual_seed(1)
    computed(tmp_path, material, network=create_model(OPTIONS.architecture))
    assert len(kept(tmp_path)) == 3


def test_another_depth_has_other_views(tmp_path, material):
    computed(tmp_path, material)
    computed(tmp_path, replace(material, inverse_depth=material.inverse_depth * 0.5))
    assert len(kept(tmp_path)) == 2


def test_a_corrected_camera_has_other_views(tmp_path, material):
    computed(tmp_path, material)
    fx, fy, cx, cy = INPUT.camera.params
    computed(tmp_path, material, camera=replace(INPUT.camera, params=(1.1 * fx, fy, cx, cy)))
    assert len(kept(tmp_path)) == 2


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"\xff" * 100])
def test_a_damaged_file_is_computed_again_with_a_line(tmp_path, material, capsys, damage):
    _, first = computed(tmp_path, material)
    [path] = kept(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    capsys.readouterr()
    _, again = computed(tmp_path, material)
    [line] = capsys.readouterr().err.splitlines()
    assert path.name in line
    assert "damaged" in line
    assert torch.equal(again.components_vnk, first.components_vnk)
    capsys.readouterr()
    computed(tmp_path, material)
    assert "damaged" not in capsys.readouterr().err


def test_components_that_came_with_weights_stay(tmp_path, material):
    """mapnet+ goes on with layers that know the components of the run before."""
    options = replace(OPTIONS, start_from="mapnet")
    network = network_of(options)
    before = network.head.components.weight.clone()
    _, samples = computed(tmp_path, material, options, network)
    assert torch.equal(network.head.components.weight, before)
    torch.testing.assert_close(
        samples.components_vnk[0],
        features_of(tmp_path, network.eval(), material.images, "features"),
        atol=1e-4,
        rtol=1e-4,
    )


def test_without_components_the_layers_see_the_features_themselves(tmp_path, material):
    options = replace(OPTIONS, components=0)
    network, samples = computed(tmp_path, material, options, network_of(options))
    assert samples.components_vnk.shape == (3, 24, network.backbone.size)
    pictures = torch.from_numpy(material.images)
    with torch.no_grad():
        torch.testing.assert_close(samples.components_vnk[0], network.eval().backbone(pictures), atol=1e-4, rtol=1e-3)


def seen(cache):
    return sorted(cache.glob("seen-*.safetensors"))


def test_frames_that_judge_are_computed_once_for_a_backbone_and_its_components(tmp_path, material, capsys):
    network = network_of().eval()
    first = features_of(tmp_path, network, material.images, "features")
    [path] = seen(tmp_path)
    written = path.stat().st_mtime_ns
    assert torch.equal(features_of(tmp_path, network, material.images, "features"), first)
    assert path.stat().st_mtime_ns == written
    path.write_bytes(path.read_bytes()[:-5])
    assert torch.equal(features_of(tmp_path, network, material.images, "features"), first)
    assert f"{path.name} is damaged" in capsys.readouterr().err
    with torch.no_grad():
        network.head.components.bias[0] += 1.0
    moved = features_of(tmp_path, network, material.images, "features")
    torch.testing.assert_close(moved[:, 0], first[:, 0] + 1.0)
    features_of(tmp_path, network, changed_picture(material).images, "features")
    with torch.no_grad():
        next(iter(network.backbone.parameters()))[0, 0, 0, 0] += 1e-3
    features_of(tmp_path, network, material.images, "features")
    assert len(seen(tmp_path)) == 4
