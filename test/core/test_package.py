"""The package as ROS sees it: parameters, configuration, executables, and what gets installed. Needs no ROS."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from package_files import REPOSITORY, copy_tracked, executables, installed_share, setup_arguments

from campose_ros.parameters import TABLE, LocalizerParameters, refusal


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
        ("image_transport", "theora", "must be one of raw, compressed, got 'theora'"),
        ("max_speed_mps", float("nan"), "must be a number"),
        ("image_topic", "", "must be the name of a topic"),
        ("image_topic", "camera 1/image", "must be the name of a topic"),
        ("odom_topic", "/odom/", "must be the name of a topic"),
        ("map_frame", "", "must be the name of a frame"),
        ("base_frame", "/base_link", "starts with no slash"),
        ("base_from_camera", [0.0] * 6, "must be x y z qx qy qz qw"),
        ("base_from_camera", [0.0] * 7, "must not be zero"),
    ],
)
def test_values_that_no_range_can_express_are_refused(name: str, value: Any, reason: str) -> None:
    assert reason in refusal(name, value)


def test_nodes_have_a_stub_where_ros2_run_looks_after_pip() -> None:
    of_nodes = {name: module for name, module in executables().items() if name != "campose"}
    stubs = {path.name: path for path in (REPOSITORY / "libexec").iterdir()}
    assert set(stubs) == set(of_nodes)
    for name, path in stubs.items():
        assert os.access(path, os.X_OK)
        assert path.read_text().startswith("#!/usr/bin/env python3\n")
        assert f"from {of_nodes[name]} import main" in path.read_text()


def test_package_xml_and_setup_agree() -> None:
    package = ElementTree.parse(REPOSITORY / "package.xml").getroot()
    assert package.get("format") == "3"
    for name in ("name", "version", "license"):
        assert package.findtext(name) == setup_arguments()[name]
    assert package.findtext("export/build_type") == "ament_python"


def test_the_wheel_holds_share_marker_and_executables(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    source = tmp_path / "source"
    copy_tracked(source)
    done = subprocess.run([*build, str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("campose_ros-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        infos = {info.filename.split(".data/data/")[-1]: info for info in archive.infolist()}
    for name in (
        *installed_share(),
        "campose_core/py.typed",
        "campose_ros/localizer_node.py",
    ):
        assert name in infos
    for stub in (REPOSITORY / "libexec").iterdir():
        assert infos[f"lib/campose_ros/{stub.name}"].external_attr >> 16 & 0o111
