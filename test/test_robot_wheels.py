"""The extra `robot` installs from wheels on the computers that robots have."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from package_files import setup_arguments

ROOT = Path(__file__).resolve().parents[1]
# manylinux_2_28: Raspberry Pi OS 12, Jetson with JetPack 5 and later, Ubuntu 20.04 and later; what is older fits too.
AARCH64 = ["manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"]


@pytest.mark.slow
def test_wheels_for_aarch64_resolve(tmp_path):
    """For the Python of Ubuntu 24.04. pip resolves as for `pip download`, and leaves out the files."""
    metadata = setup_arguments()
    requirements = [*metadata["install_requires"], *metadata["extras_require"]["robot"]]
    platforms = [word for name in AARCH64 for word in ("--platform", name)]
    where = [
        "--dry-run",
        "--ignore-installed",
        "--target",
        str(tmp_path),
        "--only-binary=:all:",
        "--python-version",
        "3.12",
    ]
    command = [sys.executable, "-m", "pip", "install", *where, *platforms, *requirements]
    environment = {**os.environ, "PIP_RETRIES": "0", "PIP_TIMEOUT": "10"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if re.search("connection|resolve host|name resolution|No module named pip", done.stderr, re.IGNORECASE):
        pytest.skip(f"no package registry here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    installed = done.stdout.splitlines()[-1]
    for package in ("onnxruntime", "opencv-python-headless", "av", "foxglove-sdk", "rosbags"):
        assert f" {package}-" in installed
    assert "pycolmap" not in installed
    assert "torch" not in installed


def test_the_robots_extra_is_within_all_others():
    """A workstation with `map` and `view` lacks nothing that the robot's side asks for by the name of this extra."""
    extras = setup_arguments()["extras_require"]
    assert set(extras["robot"]) <= {*extras["map"], *extras["view"]}
    assert set(extras["robot"]) <= set(extras["all"])
