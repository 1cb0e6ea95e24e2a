"""colcon build on the wheels of PyPI, and the node from what it installed."""

import os
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import Client
from node_process import NodeProcess
from package_files import copy_files, executables

pytestmark = pytest.mark.slow
COLCON = "import sys; from colcon_core.command import main; sys.exit(main())"


Colcon = Callable[..., str]


@pytest.fixture(scope="module")
def colcon(ros_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Colcon:
    """`colcon(workspace, "build")`. It lies in a folder of its own: it wants an old setuptools."""
    folder = tmp_path_factory.mktemp("colcon")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), "colcon-core", "colcon-ros"]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"colcon cannot be installed here: {done.stderr}")
    environment = {**os.environ, "PYTHONPATH": str(folder), "AMENT_PREFIX_PATH": sys.prefix}

    def run(workspace: Path, *arguments: str) -> str:
        command = [sys.executable, "-c", COLCON, "--log-base", "log", *arguments]
        done = subprocess.run(command, cwd=workspace, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def workspace(colcon: Colcon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with this package under src/, built."""
    workspace = tmp_path_factory.mktemp("workspace")
    copy_files(workspace / "src" / "campose")
    colcon(workspace, "build")
    return workspace


def sourced(workspace: Path, *command: str | Path) -> list[str]:
    """The command after `. install/local_setup.sh`."""
    return ["sh", "-c", f"cd {workspace} && . install/local_setup.sh && exec {shlex.join(map(str, command))}"]


def test_ros_finds_the_package_and_its_executables(workspace: Path) -> None:
    where = (
        "import campose_ros, ament_index_python as index; "
        "print(campose_ros.__file__); print(index.get_package_share_directory('campose_ros'))"
    )
    done = subprocess.run(sourced(workspace, sys.executable, "-c", where), capture_output=True, text=True, check=True)
    module, share = map(Path, done.stdout.split())
    installed = workspace / "install" / "campose_ros"
    assert module.is_relative_to(installed)
    assert share == installed / "share" / "campose_ros"
    assert (share / "launch" / "localize.launch.xml").is_file()
    assert (share / "config" / "fastdds_large_shm.xml").is_file()
    assert {path.name for path in (installed / "lib" / "campose_ros").iterdir()} == set(executables())
    for name in ("campose", "campose_replay"):
        command = sourced(workspace, installed / "lib" / "campose_ros" / name, "--help")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"usage: {name}")


def test_colcon_runs_the_tests(workspace: Path, colcon: Colcon) -> None:
    tests = "test/campose_ros/test_launch.py"
    colcon(workspace, "test", "--return-code-on-test-failure", "--pytest-args", tests)
    (suite,) = ElementTree.parse(workspace / "build" / "campose_ros" / "pytest.xml").getroot().iter("testsuite")
    assert int(suite.get("tests", "")) > 10
    assert suite.get("failures") == suite.get("errors") == "0"


def test_the_installed_node_becomes_active(workspace: Path, wall_scene: Path, client: Client) -> None:
    executable = workspace / "install" / "campose_ros" / "lib" / "campose_ros" / "campose_localizer"
    options = ["--ros-args", "-r", "__node:=installed", "-p", f"scene:={wall_scene}"]
    node = NodeProcess(sourced(workspace, executable, *options), workspace / "node.txt")
    try:
        node.wait_for_output("listening to /image")
        client.until(lambda: client.state("installed") == "active", "the node is active")
        assert node.stop() == 0
    finally:
        node.process.kill()
