"""Two processes on one machine share the work of one, and come to the same."""

import csv
import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from learnable import SMALL, make_scene

from campose_core.learning.checkpoint import load
from campose_core.scene.scene import Scene

pytestmark = pytest.mark.slow

MODULE = ("-m", "campose_core.cli.main")


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def torchrun() -> list[str]:
    return ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(free_port()), *MODULE]


def run(start: list[str], scene: Scene, *extra: str) -> subprocess.CompletedProcess:
    arguments = [
        "train", str(scene.path), "--model", "mapnet", "--backbone", SMALL["backbone"], "--grid", "1",
        "--weights", "random", "--hidden", "32", "--components", "16", "--image-size", "32", "--batch-size", "8",
        "--tuple-skip", "2", "--views", "0", "--epochs", "6", "--json", *extra,
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "MASTER_PORT": str(free_port())}
    return subprocess.run([sys.executable, *start, *arguments], env=environment, capture_output=True, text=True)


def history(scene: Scene) -> dict[str, np.ndarray]:
    with open(scene.models_dir / "mapnet" / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    return {column: np.array([float(row[column]) for row in rows]) for column in rows[0]}


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Scene:
    scene = make_scene(tmp_path_factory.mktemp("scenes") / "alone", {"a": 40})
    done = run(list(MODULE), scene)
    assert done.returncode == 0, done.stderr
    return scene


@pytest.mark.parametrize("launched_by", ["devices", pytest.param("torchrun", marks=pytest.mark.long)])
def test_two_processes_come_to_what_one_comes_to(tmp_path, alone, launched_by):
    scene = make_scene(tmp_path / "scene", {"a": 40})
    start, extra = (list(MODULE), ["--devices", "2"]) if launched_by == "devices" else (torchrun(), [])
    done = run(start, scene, *extra)
    assert done.returncode == 0, done.stderr
    # One model is written, and told of once.
    assert [path.name for path in scene.models_dir.iterdir()] == ["mapnet"]
    assert json.loads(done.stdout)["epoch"] == load(scene.models_dir / "mapnet").metrics["epoch"]
    assert done.stderr.count("epoch 6/6") == 1
    assert "campose train:" not in done.stderr
    assert Scene.open(scene.path).is_current("train:mapnet")
    assert not list((scene.path / "cache").glob("train-*"))
    found, expected = history(scene), history(alone)
    for column in ("val_median_m", "val_median_deg", "beta", "gamma", "learning_rate"):
        np.testing.assert_allclose(found[column], expected[column], rtol=1e-3)


@pytest.mark.long
def test_a_fault_in_two_processes_ends_both(tmp_path):
    """And neither waits for the other: one row cannot be shared by two."""
    scene = make_scene(tmp_path / "scene", {"a": 40})
    done = run(list(MODULE), scene, "--devices", "2", "--batch-size", "1")
    assert done.returncode == 1
    assert "batch_size 1 is too small for 2 processes" in done.stderr
    assert not scene.models_dir.exists()
