import hashlib
import shutil

import numpy as np
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from learnable import CAMERA, QUICK, picture, walk
from safetensors.torch import load_file, save_file

from campose_core.errors import CheckpointError
from campose_core.geometry import pose_error
from campose_core.learning.checkpoint import TrainedModel, load, save
from campose_core.learning.model import create_model
from campose_core.learning.pose_space import PoseSpace
from campose_core.learning.preprocess import NetworkInput


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    network = create_model(QUICK.architecture).eval()
    network.set_pose_space(PoseSpace.of(walk(9)))
    covariance = np.diag([0.01, 0.02, 0.03, 0.001, 0.002, 0.003])
    return TrainedModel(network, NetworkInput.covering(CAMERA, 32), covariance, QUICK.to_dict(), {"val_median_m": 0.1})


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "posenet"
    save(folder, model, "epoch\n1\n")
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "posenet")


def describe(folder, **changes):
    description = yaml.safe_load((folder / "model.yaml").read_text()) | changes
    (folder / "model.yaml").write_text(yaml.safe_dump(description))


def sign(folder):
    describe(folder, sha256=hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest())


def test_a_loaded_model_answers_as_the_saved_one(model, folder):
    loaded = load(folder)
    image = picture(walk(3)[1])
    assert pose_error(loaded.pose(image, CAMERA), model.pose(image, CAMERA)) == (0.0, 0.0)
    np.testing.assert_array_equal(loaded.covariance, model.covariance)
    assert (loaded.options, loaded.metrics) == (model.options, model.metrics)
    assert not loaded.network.training


def test_saving_again_replaces_the_whole_folder(model, folder):
    (folder / "model.onnx").write_bytes(b"of the old weights")
    save(folder, model, "epoch\n")
    assert sorted(path.name for path in folder.iterdir()) == ["metrics.csv", "model.yaml", "weights.safetensors"]
    assert [path.name for path in folder.parent.iterdir()] == ["posenet"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_of_the_weights_is_noticed(folder, position, bit):
    path = folder / "weights.safetensors"
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[int(position * len(whole))] ^= 1 << bit
    path.write_bytes(flipped)
    with pytest.raises(CheckpointError, match="sha256"):
        load(folder)
    path.write_bytes(whole)


@pytest.mark.parametrize("name", ["weights.safetensors", "model.yaml"])
def test_missing_and_cut_files(folder, name):
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=name):
        load(folder)
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        load(folder)


def test_foreign_folders(folder):
    (folder / "weights.safetensors").write_bytes(b"PK a pickle of another program")
    sign(folder)
    with pytest.raises(CheckpointError, match="do not fit the architecture"):
        load(folder)
    (folder / "model.yaml").write_text("!!python/object/apply:os.system ['touch pwned']")
    with pytest.raises(CheckpointError, match="damaged"):
        load(folder)
    (folder / "model.yaml").write_text("- a list")
    with pytest.raises(CheckpointError, match="format: 1"):
        load(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": "squeezenet1_1"},
        {"backbone": "resnet19"},
        {"kind": "nerf"},
        {"hidden": 65},
        {"linear_layers": 2},
        {"linear_layers": "3"},
        {"image_size": 48},
        {"strange": 1},
    ],
)
def test_another_architecture_than_the_weights(folder, change):
    architecture = yaml.safe_load((folder / "model.yaml").read_text())["architecture"]
    describe(folder, architecture=architecture | change)
    with pytest.raises(CheckpointError):
        load(folder)


def test_weights_and_covariances_that_are_no_numbers(folder):
    tensors = load_file(folder / "weights.safetensors")
    tensors["head.1.weight"][0, 0] = float("nan")
    save_file(tensors, folder / "weights.safetensors")
    sign(folder)
    with pytest.raises(CheckpointError, match=r"head\.1\.weight holds numbers that are not finite"):
        load(folder)
    describe(folder, covariance=[[1.0] * 6] * 5)
    with pytest.raises(CheckpointError, match="covariance"):
        load(folder)
