"""What the robot runs, where pycolmap and torch cannot be imported."""

import json
import signal
import subprocess
import sys

import pytest
from without_mapper import environment_without_mapper

from campose_core.evaluation.estimates import read_estimates

CAMPOSE = [sys.executable, "-m", "campose_core.cli.main"]


def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [*CAMPOSE, *map(str, arguments)]
    return subprocess.run(command, env=environment_without_mapper(), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("package", ["pycolmap", "torch"])
def test_they_are_missing_here(package):
    code = f"import {package}"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment_without_mapper(), capture_output=True, text=True
    )
    assert "ModuleNotFoundError" in done.stderr


def test_who_maps_there_is_told_what_to_install(tmp_path):
    done = run("build", tmp_path, "--scene", tmp_path / "scene")
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_recording_is_localized_replayed_and_shown(small_scene, small_world, tmp_path):
    later = small_world / "later.bag"
    done = run("localize", small_scene, later, "--out", tmp_path / "later.tum", "--json")
    assert done.returncode == 0, done.stderr
    assert len(read_estimates(tmp_path / "later.tum").trajectory) > 0.9 * len(
        read_estimates(tmp_path / "later.tum").outcomes
    )
    done = run("replay", later, "--scene", small_scene, "--out", tmp_path / "replayed", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answered"] > 10
    command = [*CAMPOSE, "view", str(small_scene), "--port", "0"]
    with subprocess.Popen(
        command, env=environment_without_mapper(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as viewer:
        assert viewer.stdout is not None
        assert any("ws://127.0.0.1:" in line for line in viewer.stdout)
        viewer.send_signal(signal.SIGINT)
        assert viewer.wait(20) == 0
