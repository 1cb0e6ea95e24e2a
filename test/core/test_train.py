import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from learnable import QUICK, make_scene
from PIL import Image
from safetensors.torch import load_file

from campose_core.cli.main import main
from campose_core.errors import LearningError, SceneError
from campose_core.geometry import pose_error
from campose_core.learning.checkpoint import load
from campose_core.learning.train import train
from campose_core.mapping.split import SplitOptions, split
from campose_core.scene import Scene

# Trains in a tenth of resnet18's time, and has batch normalisation too.
SMALL = "shufflenet_v2_x0_5"


@pytest.fixture
def scene(tmp_path):
    return make_scene(tmp_path / "scene", {"a": 40})


def train_on_command_line(scene, *extra):
    return [
        "train", str(scene.path), "--model", "posenet", "--backbone", SMALL, "--weights", "random",
        "--hidden", "64", "--image-size", "32", "--batch-size", "16", "--views", "0", *extra,
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["posenet", "mapnet"])
def test_a_network_learns_a_tiny_recording_by_heart(tmp_path, kind):
    scene = make_scene(tmp_path / "scene", {"a": 24, "b": 12}, SplitOptions(scheme="source", val_sources=("b",)))
    options = replace(QUICK, kind=kind, epochs=80, hidden=256)
    # Judged on what it was trained on: val holds the training poses again.
    copies = tuple(replace(f, split="val" if f.source == "b" else "train") for f in scene.frames)
    model = load(train(replace(scene, frames=copies), kind, options).models_dir / kind)
    errors = []
    for frame in scene.posed_frames("train"):
        image = np.asarray(Image.open(scene.frame_path(frame)).convert("RGB"))
        errors.append(pose_error(model.pose(image, scene.cameras["camera"]), frame.map_from_cam))
    position, angle = np.median(errors, axis=0)
    assert position < 0.1
    assert np.degrees(angle) < 3.0


def test_the_best_epoch_is_kept_and_recorded(scene):
    scene = train(scene, "posenet", replace(QUICK, backbone=SMALL, epochs=8, frozen=False))
    folder = scene.models_dir / "posenet"
    with open(folder / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == list(range(1, 9))
    scores = [float(r["val_median_m"]) + np.radians(float(r["val_median_deg"])) for r in rows]
    description = yaml.safe_load((folder / "model.yaml").read_text())
    assert description["metrics"]["epoch"] == 1 + int(np.argmin(scores))
    # The stored weights are those of that epoch: they reproduce its validation figure.
    model, errors = load(folder), []
    for frame in scene.posed_frames("val"):
        image = np.asarray(Image.open(scene.frame_path(frame)).convert("RGB"))
        errors.append(pose_error(model.pose(image, scene.cameras["camera"]), frame.map_from_cam))
    assert abs(np.median([e[0] for e in errors]) - description["metrics"]["val_median_m"]) < 1e-3
    assert description["metrics"]["val_frames"] == len(errors)
    assert np.linalg.eigvalsh(model.covariance).min() >= 0
    assert not list((scene.path / "cache").glob("train-*"))


def test_training_is_skipped_when_done_and_redone_when_something_changed(scene):
    scene = train(scene, "posenet", QUICK)
    weights = scene.models_dir / "posenet" / "weights.safetensors"
    first = weights.stat().st_mtime_ns
    scene = train(Scene.open(scene.path), "posenet", QUICK)
    assert weights.stat().st_mtime_ns == first
    scene = train(scene, "posenet", replace(QUICK, epochs=2))
    second = weights.stat().st_mtime_ns
    assert second != first
    scene = split(scene, SplitOptions(scheme="interleaved"))
    train(scene, "posenet", replace(QUICK, epochs=2))
    assert weights.stat().st_mtime_ns != second


@pytest.mark.slow
@pytest.mark.parametrize("frozen", ["true", "false"])
def test_killed_and_resumed_equals_uninterrupted(tmp_path, frozen):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        epochs = 12 if frozen == "false" else 200
        extra = ("--frozen", frozen, "--views", "1", "--dropout", "0.3", "--epochs", str(epochs))
        whole = make_scene(tmp_path / "whole", {"a": 40})
        assert main(train_on_command_line(whole, *extra)) == 0
        expected = load_file(whole.models_dir / "posenet" / "weights.safetensors")

        killed = make_scene(tmp_path / "killed", {"a": 40})
        state = killed.path / "cache" / "train-posenet.pt"
        command = [sys.executable, "-m", "campose_core.cli.main", *train_on_command_line(killed, *extra)]
        process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)
        while not state.is_file() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not (killed.models_dir / "posenet").exists()
        assert 1 <= torch.load(state, weights_only=True)["epoch"] < epochs

        assert main(train_on_command_line(killed, *extra)) == 0
        found = load_file(killed.models_dir / "posenet" / "weights.safetensors")
    finally:
        torch.set_num_threads(threads)
    assert expected.keys() == found.keys()
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())


def test_a_damaged_or_foreign_state_is_not_gone_on_with(scene, capsys):
    state = scene.path / "cache" / "train-posenet.pt"
    state.parent.mkdir()
    state.write_bytes(b"half a file")
    scene = train(scene, "posenet", QUICK)
    assert "is damaged: training from the start" in capsys.readouterr().err
    torch.save({"digest": "another"}, state)
    train(scene, "posenet", replace(QUICK, seed=1))
    assert "other frames or options" in capsys.readouterr().err


def test_a_loss_that_is_no_number_stops_and_names_the_frames(scene):
    with pytest.raises(LearningError, match=r"epoch \d+.*a/00\d\d\.jpg.*learning_rate|predicts no number"):
        train(scene, "posenet", replace(QUICK, learning_rate=1e30, epochs=20))
    assert not scene.models_dir.exists()
    assert not Scene.open(scene.path).is_done("train:posenet", QUICK.to_dict())


def test_what_cannot_be_trained_on_is_refused_with_one_line(tmp_path, scene):
    cases = [
        (replace(scene, frames=tuple(replace(f, split="") for f in scene.frames)), QUICK, "not split"),
        (replace(scene, frames=tuple(replace(f, split="train") for f in scene.frames)), QUICK, "val split"),
        (replace(scene, frames=(scene.frames[0], replace(scene.frames[1], split="val"))), QUICK, "at least two frames"),
        (scene, replace(QUICK, kind="mapnet", tuple_skip=30), "recording a has 28 .*tuple spans 61"),
        (scene, replace(QUICK, weights=str(tmp_path / "none.pth")), "none.pth: cannot be read"),
        (scene, replace(QUICK, backbone="resnet19"), "no backbone 'resnet19'"),
    ]
    for changed, options, reason in cases:
        with pytest.raises(LearningError, match=reason) as error:
            train(changed, "model", options)
        assert "\n" not in str(error.value)
    with pytest.raises(LearningError, match="name of a model"):
        train(scene, "../model", QUICK)
    assert not scene.models_dir.exists()


def test_a_label_that_is_no_number_is_refused_when_the_scene_is_opened(scene):
    path = scene.path / "frames.csv"
    lines = path.read_text().splitlines()
    fields = lines[3].split(",")
    path.write_text("\n".join([*lines[:3], ",".join([*fields[:5], "nan", *fields[6:]]), *lines[4:]]))
    with pytest.raises(SceneError, match=r"frames\.csv:4"):
        Scene.open(scene.path)


def test_time_limit_ends_training_with_a_usable_model(scene):
    scene = train(scene, "posenet", replace(QUICK, epochs=1000, max_minutes=0.001))
    assert 1 <= load(scene.models_dir / "posenet").metrics["epoch"] < 1000


def test_command_line_takes_a_preset_and_refuses_strange_keys(tmp_path, scene, capsys):
    preset = tmp_path / "quick.yaml"
    preset.write_text("kind: posenet\nepochs: 2\nfrozen: true\n")
    assert main(train_on_command_line(scene, "--config", str(preset), "--json")) == 0
    metrics = json.loads(capsys.readouterr().out)
    assert metrics["epoch"] in (1, 2)
    assert metrics["train_frames"] == 28
    preset.write_text("epochz: 2\n")
    for wrong in (["--config", str(preset)], ["--epochs", "two"], ["--kind", "nerf"], ["--config", "absent.yaml"]):
        with pytest.raises(SystemExit) as error:
            main(train_on_command_line(scene, *wrong))
        assert error.value.code == 2
    assert "epochz" in capsys.readouterr().err
    assert main(["train", str(scene.path), "--model", "mine"]) == 2
    assert "--kind" in capsys.readouterr().err


@pytest.mark.parametrize("preset", ["posenet", "mapnet", "demo"])
def test_presets_are_valid(preset, request):
    from jsonargparse import ArgumentParser

    from campose_core.cli.train import add_arguments

    parser = ArgumentParser()
    add_arguments(parser)
    path = request.config.rootpath / "config" / "train" / f"{preset}.yaml"
    options = parser.parse_args(["scene", "--model", preset, "--config", str(path)])
    assert all(options[key] == value for key, value in yaml.safe_load(path.read_text()).items())
