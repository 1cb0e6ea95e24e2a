import hashlib
import resource
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from learnable import CAMERA, QUICK, SMALL, picture, walk
from safetensors.torch import load_file, save_file

from campose_core.errors import CheckpointError, LearningError
from campose_core.geometry import pose_error
from campose_core.learning.checkpoint import TrainedModel, load, save
from campose_core.learning.model import create_model, to_numbers
from campose_core.learning.validation import Calibration
from campose_core.pixels.network_input import NetworkInput
from campose_core.yaml_files import yaml_text

OPTIONS = replace(QUICK, **SMALL)
COVARIANCE = np.diag([0.01, 0.02, 0.03, 0.001, 0.002, 0.003])


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    network = create_model(OPTIONS.architecture).eval()
    network.head.set_poses(to_numbers(walk(60)), seed=0)
    calibration = Calibration(COVARIANCE, 0.5)
    return TrainedModel(
        network, NetworkInput.covering(CAMERA, 32), calibration, OPTIONS.to_dict(), {"val_median_m": 0.1}
    )


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
    (folder / "model.yaml").write_text(yaml_text(description))


def sign(folder):
    describe(folder, sha256=hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest())


def refused(folder, match):
    """Loading fails with one line."""
    with pytest.raises(CheckpointError, match=match) as error:
        load(folder)
    assert "\n" not in str(error.value)
    assert str(folder) in str(error.value)


def test_weights_that_no_memory_holds(folder):
    with open(folder / "weights.safetensors", "r+b") as file:
        file.truncate(2**40)  # of which nothing is on the disk
    refused(folder, "weights.safetensors: cannot be read: it has more than 1024 MB")


def test_a_loaded_model_answers_as_the_saved_one(model, folder):
    loaded = load(folder)
    (pose, covariance), (expected, expected_covariance) = (
        m.estimate(picture(walk(3)[1]), CAMERA) for m in (loaded, model)
    )
    assert pose_error(pose, expected) == (0.0, 0.0)
    np.testing.assert_array_equal(covariance, expected_covariance)
    assert (loaded.options, loaded.metrics) == (model.options, model.metrics)
    assert loaded.network.architecture == model.network.architecture
    assert loaded.network_input == model.network_input
    assert not loaded.network.training


def test_a_network_without_finite_numbers_gives_no_pose(folder):
    model = load(folder)
    with torch.no_grad():
        model.network.head.pose.bias[:] = float("inf")  # whichever anchor is chosen
    assert model.estimate(picture(walk(3)[1]), CAMERA) is None


def test_the_covariance_follows_what_the_network_expects(folder):
    model, image = load(folder), picture(walk(3)[1])
    with torch.no_grad():
        model.network.head.spread.weight.zero_()
        model.network.head.spread.bias.copy_(torch.tensor([1.0, -2.0]))
    _, covariance = model.estimate(image, CAMERA)
    scale = np.repeat(np.exp([1.0, -2.0]), 3)  # the root of the spread, squared
    np.testing.assert_allclose(covariance, COVARIANCE * np.diag(scale), rtol=1e-5)


def test_saving_again_replaces_the_whole_folder(model, folder):
    (folder / "model.onnx").write_bytes(b"of the old weights")
    save(folder, model, "epoch\n")
    assert sorted(path.name for path in folder.iterdir()) == ["metrics.csv", "model.yaml", "weights.safetensors"]
    assert [path.name for path in folder.parent.iterdir()] == ["posenet"]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_of_the_weights_is_noticed(folder, position, bit):
    path = folder / "weights.safetensors"
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[int(position * len(whole))] ^= 1 << bit
    path.write_bytes(flipped)
    refused(folder, "sha256")
    path.write_bytes(whole)


@pytest.mark.parametrize("name", ["weights.safetensors", "model.yaml"])
def test_missing_and_cut_files(folder, name):
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    refused(folder, name)
    (folder / name).unlink()
    refused(folder, f"{name} is missing")


def test_foreign_folders(folder):
    (folder / "weights.safetensors").write_bytes(b"PK a pickle of another program")
    sign(folder)
    refused(folder, "do not fit the architecture")
    for text in ("!!python/object/apply:os.system ['touch pwned']", "a: [", "\x00"):
        (folder / "model.yaml").write_text(text)
        refused(folder, "damaged")
    (folder / "model.yaml").write_bytes(b"\xff\xfe\xfa")
    refused(folder, "damaged")
    for text, reason in (("- a list", "not written by campose"), ("", "format: 2"), ("format: 99", "reads up to 2")):
        (folder / "model.yaml").write_text(text)
        refused(folder, reason)


def test_a_model_of_an_earlier_version_says_what_to_do(folder):
    describe(folder, format=1)
    refused(folder, "format 1, this campose reads 2: train again")


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": "squeezenet1_1"},
        {"backbone": "resnet19"},
        {"kind": "nerf"},
        {"hidden": 65},
        {"linear_layers": 2},
        {"linear_layers": "3"},
        {"anchors": 1},
        {"anchors": 25},
        {"components": 0},
        {"components": 31},
        {"grid": 3},
        {"image_size": 48},
        {"strange": 1},
    ],
)
def test_another_architecture_than_the_weights(folder, change):
    architecture = yaml.safe_load((folder / "model.yaml").read_text())["architecture"]
    describe(folder, architecture=architecture | change)
    refused(folder, "do not fit the architecture|damaged")


def test_weights_that_do_not_fit_are_told_by_file_and_name(folder):
    """Torch's own text begins with the name of its class, and lists all of them."""
    architecture = yaml.safe_load((folder / "model.yaml").read_text())["architecture"]
    describe(folder, architecture=architecture | {"hidden": architecture["hidden"] + 1})
    refused(folder, r"posenet/weights\.safetensors: they do not fit the architecture: (Missing|size|Unexpected)")
    with pytest.raises(CheckpointError) as error:
        load(folder)
    assert "loading state_dict" not in str(error.value)
    assert len(str(error.value)) < len(str(folder)) + 300
    assert str(error.value).endswith(": train again")


def test_layers_of_gigabytes_take_no_memory_before_the_weights_fit_them(folder):
    """Some hundred bytes describe them: 65536 x 65536 numbers are 17 GB."""
    architecture = yaml.safe_load((folder / "model.yaml").read_text())["architecture"]
    describe(folder, architecture=architecture | {"hidden": 65536, "linear_layers": 3})
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + 2**31, hard))
    try:
        refused(folder, "do not fit the architecture: .*(Missing key|size mismatch)")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


ONE_SIDED = np.diag(np.ones(6)) + np.eye(6, k=1)


@pytest.mark.parametrize(
    ("part", "changes", "said"),
    [
        ("architecture", {"backbone": []}, r"no backbone \[\]; torchvision has"),
        ("input_camera", {"params": [1e-320, 30.0, 15.5, 15.5]}, "a camera needs a positive size and focal length"),
        ("calibration", {"exponent": 1e308}, "the covariance is not 6x6 and one, or the exponent 1e\\+308 none of"),
        ("calibration", {"covariance": np.diag([1e308] * 6).tolist()}, "the covariance is not 6x6 and one"),
        ("calibration", {"covariance": ONE_SIDED.tolist()}, "the covariance is not 6x6 and one"),
        ("calibration", {"covariance": (np.eye(6) * 3 - 1).tolist()}, "the covariance is not 6x6 and one"),
    ],
)
def test_a_description_whose_values_mean_nothing(folder, part, changes, said):
    described = yaml.safe_load((folder / "model.yaml").read_text())[part]
    describe(folder, **{part: described | changes})
    refused(folder, said)


@pytest.mark.parametrize("missing", ["architecture", "input_camera", "calibration", "options", "metrics", "sha256"])
def test_a_description_that_lacks_something(folder, missing):
    description = yaml.safe_load((folder / "model.yaml").read_text())
    del description[missing]
    (folder / "model.yaml").write_text(yaml_text(description))
    refused(folder, f"damaged: .*{missing}")


def test_weights_that_are_no_numbers(folder):
    tensors = load_file(folder / "weights.safetensors")
    tensors["head.pose.weight"][0, 0] = float("nan")
    save_file(tensors, folder / "weights.safetensors")
    sign(folder)
    refused(folder, r"head\.pose\.weight holds numbers that are not finite")


@pytest.mark.parametrize(
    "covariance",
    [[[1.0] * 6] * 5, np.full((6, 6), np.nan).tolist(), (-np.eye(6)).tolist(), "six", [["a"] * 6] * 6, [[1.0], [1, 2]]],
)
def test_covariances_that_are_none(folder, covariance):
    describe(folder, calibration={"covariance": covariance, "exponent": 0.0})
    refused(folder, "damaged")


def test_a_picture_that_is_not_the_cameras_is_refused(model):
    with pytest.raises(LearningError, match="does not fit its camera"):
        model.estimate(np.zeros((10, 64, 3), np.uint8), CAMERA)
