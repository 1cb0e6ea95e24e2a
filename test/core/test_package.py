"""The package as ROS sees it: what the launch files name exists, is declared and gets installed. Needs no ROS."""

import os
import re
import runpy
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path
from typing import Any

import pytest
import setuptools
import yaml

from campose_ros.parameters import TABLE, LocalizerParameters, refusal

REPOSITORY = Path(__file__).resolve().parents[2]
LAUNCH_FILES = sorted((REPOSITORY / "launch").glob("*.launch.xml"))
ANY_NODE = {"use_sim_time"}


@pytest.fixture(scope="module")
def setup_arguments() -> dict[str, Any]:
    """What setup.py hands to setuptools."""
    taken: dict[str, Any] = {}
    here, real_setup = Path.cwd(), setuptools.setup
    setuptools.setup = taken.update
    os.chdir(REPOSITORY)
    try:
        runpy.run_path(str(REPOSITORY / "setup.py"))
    finally:
        os.chdir(here)
        setuptools.setup = real_setup
    return taken


def executables(setup_arguments: dict[str, Any]) -> dict[str, str]:
    """Console scripts: name -> module."""
    scripts = (script.split(" = ") for script in setup_arguments["entry_points"]["console_scripts"])
    return {name: target.split(":")[0] for name, target in scripts}


def nodes(path: Path) -> list[ElementTree.Element]:
    return list(ElementTree.parse(path).getroot().iter("node"))


def test_there_are_launch_files() -> None:
    assert {path.name for path in LAUNCH_FILES} >= {"localize.launch.xml", "replay.launch.xml"}


@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.name)
def test_launched_executables_are_installed(path: Path, setup_arguments: dict[str, Any]) -> None:
    for node in nodes(path):
        assert node.get("pkg") == "campose_ros"
        assert node.get("exec") in executables(setup_arguments)


@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.name)
def test_launch_arguments_are_described_and_used(path: Path) -> None:
    root = ElementTree.parse(path).getroot()
    declared = {arg.get("name"): arg for arg in root.findall("arg")}
    assert all(arg.get("description") for arg in declared.values())
    used = set(re.findall(r"\$\(var (\w+)\)", path.read_text()))
    assert used == set(declared)


@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.name)
def test_launch_files_set_declared_parameters(path: Path) -> None:
    for node in nodes(path):
        names = {param.get("name") for param in node.iter("param") if param.get("name")}
        if node.get("exec") == "campose_localizer":
            assert names <= set(TABLE) | ANY_NODE
        else:
            assert not names


def test_launch_defaults_are_the_nodes_own() -> None:
    """Where a launch argument has a default, starting with and without the launch file means the same."""
    root = ElementTree.parse(REPOSITORY / "launch" / "localize.launch.xml").getroot()
    defaults = {arg.get("name"): arg.get("default") for arg in root.findall("arg")}
    node_defaults = LocalizerParameters()
    for param in root.iter("param"):
        name = param.get("name")
        (variable,) = re.findall(r"\$\(var (\w+)\)", param.get("value") or param.get("from") or "")
        if name in TABLE and defaults[variable] is not None:
            expected = getattr(node_defaults, name)
            given = yaml.safe_load(defaults[variable])
            assert given == (list(expected) if isinstance(expected, tuple) else expected)
            assert type(given) is (list if isinstance(expected, tuple) else type(expected))


def test_the_place_of_the_camera_is_a_launch_argument() -> None:
    for path in LAUNCH_FILES:
        declared = {arg.get("name") for arg in ElementTree.parse(path).getroot().findall("arg")}
        assert "base_from_camera" in declared


@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.name)
def test_files_that_launch_files_name_are_installed(path: Path, setup_arguments: dict[str, Any]) -> None:
    installed = {f"{folder}/{Path(file).name}" for folder, files in setup_arguments["data_files"] for file in files}
    assert f"share/campose_ros/launch/{path.name}" in installed
    for name in re.findall(r"\$\(find-pkg-share campose_ros\)/([^\"]+)", path.read_text()):
        assert f"share/campose_ros/{name}" in installed


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


def test_nodes_have_a_stub_where_ros2_run_looks_after_pip(setup_arguments: dict[str, Any]) -> None:
    of_nodes = {name: module for name, module in executables(setup_arguments).items() if name != "campose"}
    stubs = {path.name: path for path in (REPOSITORY / "libexec").iterdir()}
    assert set(stubs) == set(of_nodes)
    for name, path in stubs.items():
        assert os.access(path, os.X_OK)
        assert path.read_text().startswith("#!/usr/bin/env python3\n")
        assert f"from {of_nodes[name]} import main" in path.read_text()


def test_package_xml_and_setup_agree(setup_arguments: dict[str, Any]) -> None:
    package = ElementTree.parse(REPOSITORY / "package.xml").getroot()
    assert package.get("format") == "3"
    for name in ("name", "version", "license"):
        assert package.findtext(name) == setup_arguments[name]
    assert package.findtext("export/build_type") == "ament_python"


def test_the_wheel_holds_share_marker_and_executables(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    source = tmp_path / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    ).stdout.split("\0")
    if not any(tracked):
        pytest.skip("not a git checkout: the files of the package cannot be told from others")
    for name in filter(None, tracked):
        if (REPOSITORY / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((REPOSITORY / name).read_bytes())
            (source / name).chmod((REPOSITORY / name).stat().st_mode)
    done = subprocess.run([*build, str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("campose_ros-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        infos = {info.filename.split(".data/data/")[-1]: info for info in archive.infolist()}
    for name in (
        "share/ament_index/resource_index/packages/campose_ros",
        "share/campose_ros/package.xml",
        *(f"share/campose_ros/launch/{path.name}" for path in LAUNCH_FILES),
        *(f"share/campose_ros/{path.relative_to(REPOSITORY)}" for path in (REPOSITORY / "config").rglob("*.*")),
        "campose_core/py.typed",
        "campose_ros/localizer_node.py",
    ):
        assert name in infos
    for stub in (REPOSITORY / "libexec").iterdir():
        assert infos[f"lib/campose_ros/{stub.name}"].external_attr >> 16 & 0o111
