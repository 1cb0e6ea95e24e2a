"""The package as ROS sees it: parameters, configuration, executables, and what gets installed. Needs no ROS."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import yaml
from package_files import REPOSITORY, copy_files, executables, installed_share, setup_arguments

from campose_ros.parameter_refusal import refusal
from campose_ros.parameters import TABLE, LocalizerParameters


def test_the_configuration_sets_declared_parameters_to_allowed_values_and_their_defaults() -> None:
    configuration = yaml.safe_load((REPOSITORY / "config" / "localizer.yaml").read_text())
    (given,) = [section["ros__parameters"] for section in configuration.values()]
    defaults = LocalizerParameters()
    for name, value in given.items():
        default = getattr(defaults, name)
        assert type(value) is (list if isinstance(default, tuple) else type(default))
        assert refusal(name, value) == ""
        assert value == pytest.approx(list(default) if isinstance(default, tuple) else default, abs=0.01)


def test_every_parameter_is_described_and_its_default_allowed() -> None:
    defaults = LocalizerParameters()
    for name, field in TABLE.items():
        value = getattr(defaults, name)
        assert field.metadata["description"].endswith(".")
        assert refusal(name, value) == ""
        if field.metadata["between"]:
            low, high = field.metadata["between"]
            assert low <= value <= high


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("image_transport", "theora", "must be one of raw, compressed"),
        ("max_speed_mps", float("nan"), "must be a number"),
        ("image_topic", "", "must be the name of a topic"),
        ("image_topic", "camera 1/image", "must be the name of a topic"),
        ("odom_topic", "/odom/", "must be the name of a topic"),
        ("map_frame", "", "must be the name of a frame"),
        ("base_frame", "/base_link", "starts with no slash"),
        ("base_from_camera", [0.0] * 6, "must be x y z qx qy qz qw"),
        ("base_from_camera", [0.0] * 7, "must have length 1, not 0"),
    ],
)
def test_values_that_no_range_can_express_are_refused(name: str, value: Any, reason: str) -> None:
    assert reason in refusal(name, value)


def test_nodes_have_a_stub_where_ros2_run_looks_after_pip() -> None:
    of_nodes = {name: target for name, target in executables().items() if name != "campose"}
    stubs = {path.name: path for path in (REPOSITORY / "libexec").iterdir()}
    assert set(stubs) == set(of_nodes)
    for name, path in stubs.items():
        assert os.access(path, os.X_OK)
        assert path.read_text().startswith("#!/usr/bin/env python3\n")
        module, function = of_nodes[name].split(":")
        assert path.read_text().endswith(f"from {module} import {function}\n\nsys.exit({function}())\n")


def test_package_xml_and_setup_agree() -> None:
    package = ElementTree.parse(REPOSITORY / "package.xml").getroot()
    assert package.get("format") == "3"
    for name in ("name", "version", "license"):
        assert package.findtext(name) == setup_arguments()[name]
    assert package.findtext("export/build_type") == "ament_python"


def test_pip_installs_share_marker_and_executables(tmp_path: Path) -> None:
    copy_files(tmp_path / "source")
    prefix = tmp_path / "prefix"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--prefix", str(prefix)]
    install.append("--ignore-installed")  # pip would uninstall what the environment has
    done = subprocess.run([*install, str(tmp_path / "source")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    launch_and_config = {f"share/campose_ros/{path.relative_to(REPOSITORY)}" for path in installed_by_hand()}
    for name in installed_share() | launch_and_config:
        assert (prefix / name).is_file(), name
    (packages,) = prefix.glob("lib/python*/site-packages")
    assert (packages / "campose_core" / "py.typed").is_file()
    for stub in (prefix / "lib" / "campose_ros").iterdir():
        assert os.access(stub, os.X_OK)
    # As `ros2 run` starts it; of what was installed, not of this repository.
    environment = {
        **os.environ,
        "PYTHONPATH": str(packages),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    demo = [prefix / "lib" / "campose_ros" / "campose_demo", "--help"]
    done = subprocess.run(demo, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: campose_demo")


def installed_by_hand() -> list[Path]:
    """What has to be there even if setup.py forgot it."""
    return [path for folder in ("launch", "config") for path in (REPOSITORY / folder).rglob("*.*") if path.is_file()]


def test_default_topics_follow_the_namespace_of_the_node() -> None:
    defaults = LocalizerParameters()
    topics = {name: getattr(defaults, name) for name in TABLE if name.endswith("_topic")}
    assert topics
    assert not [name for name, topic in topics.items() if topic.startswith("/")]


def test_the_tests_run_beside_launch_testing(tmp_path: Path) -> None:
    """Its hook of before pytest 9 is no hook any more: loaded, it ends every run before the first test."""
    for name in ("launch_testing", "launch_ros"):  # the entry points of launch_testing and launch_testing_ros
        (tmp_path / f"{name}_hooks.py").write_text("def pytest_pycollect_makemodule(path, parent):\n    pass\n")
        info = tmp_path / f"{name}-3.4.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 3.4\n")
        (info / "entry_points.txt").write_text(f"[pytest11]\n{name} = {name}_hooks\n")
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "test/test_text.py"]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
