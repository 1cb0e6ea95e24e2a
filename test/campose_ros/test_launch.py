"""The launch files against the node: arguments are described and used, parameters exist, files get installed."""

import ast
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml
from package_files import REPOSITORY, executables, installed_share, launch_arguments, python_launch_arguments

from campose_ros.parameters import TABLE, LocalizerParameters

XML = sorted((REPOSITORY / "launch").glob("*.launch.xml"))
PYTHON = sorted((REPOSITORY / "launch").glob("*.launch.py"))
LOCALIZE, REPLAY = (REPOSITORY / "launch" / f"{name}.launch.xml" for name in ("localize", "replay"))
ANY_NODE = {"use_sim_time"}
every_xml = pytest.mark.parametrize("path", XML, ids=lambda path: path.name)
every_file = pytest.mark.parametrize("path", [*XML, *PYTHON], ids=lambda path: path.name)


def declared(path: Path) -> dict[str, ElementTree.Element]:
    return {arg.get("name", ""): arg for arg in ElementTree.parse(path).getroot().findall("arg")}


def nodes(path: Path) -> list[ElementTree.Element]:
    return list(ElementTree.parse(path).getroot().iter("node"))


def localizer_parameters() -> dict[str, str]:
    """Parameters that localize.launch.xml sets -> the argument each comes from."""
    named = [param for param in ElementTree.parse(LOCALIZE).getroot().iter("param") if param.get("name")]
    return {param.get("name", ""): re.findall(r"\$\(var (\w+)\)", param.get("value", ""))[0] for param in named}


def test_a_node_that_dies_of_what_it_is_told_is_not_started_again_at_once() -> None:
    (node,) = nodes(LOCALIZE)
    assert float(node.get("respawn_delay", "0")) >= 1.0


def test_there_are_launch_files() -> None:
    names = {path.name for path in [*XML, *PYTHON]}
    assert names == {"localize.launch.xml", "replay.launch.xml", "demo.launch.xml", "foxglove.launch.py"}


@every_file
def test_executables_that_are_launched_exist(path: Path) -> None:
    for name in re.findall(r"campose_[a-z]+", path.read_text()):
        assert name == "campose_ros" or name in executables()


@every_xml
def test_arguments_are_described_and_used(path: Path) -> None:
    for name, arg in declared(path).items():
        assert arg.get("description", "").endswith("."), name
    assert set(re.findall(r"\$\(var (\w+)\)", path.read_text())) == set(declared(path))


@every_xml
def test_the_command_in_the_comment_names_arguments_that_exist(path: Path) -> None:
    (command,) = re.findall(r"ros2 launch campose_ros (.*?) -->", path.read_text())
    file, *arguments = command.split()
    assert file == path.name
    assert {argument.split(":=")[0] for argument in arguments} <= launch_arguments(file)


@every_xml
def test_parameters_that_are_set_exist(path: Path) -> None:
    for node in nodes(path):
        assert node.get("pkg") == "campose_ros"
        names = {param.get("name") for param in node.iter("param") if param.get("name")}
        if node.get("exec") == "campose_localizer":
            assert names <= set(TABLE) | ANY_NODE
        else:
            assert not names


def test_defaults_are_the_nodes_own() -> None:
    """Where a launch argument has a default, starting with and without the launch file means the same."""
    node_defaults = LocalizerParameters()
    for parameter, argument in localizer_parameters().items():
        default = declared(LOCALIZE)[argument].get("default")
        if parameter in TABLE and default is not None:
            expected = getattr(node_defaults, parameter)
            given = yaml.safe_load(default)
            assert given == (list(expected) if isinstance(expected, tuple) else expected)
            assert type(given) is (list if isinstance(expected, tuple) else type(expected))


def test_the_parameter_file_wins_and_the_one_that_is_installed_overrides_no_argument() -> None:
    node = nodes(LOCALIZE)[0]
    assert [param.get("from") for param in node.iter("param")][-1] == "$(var config)"
    (section,) = yaml.safe_load((REPOSITORY / "config" / "localizer.yaml").read_text()).values()
    assert not set(section["ros__parameters"]) & set(localizer_parameters())


def test_replay_hands_on_what_it_takes_from_localize() -> None:
    root = ElementTree.parse(REPLAY).getroot()
    (include,) = root.findall("include")
    handed_on = {arg.get("name"): arg.get("value") for arg in include.findall("arg")}
    shared = set(declared(REPLAY)) & set(declared(LOCALIZE))
    assert handed_on == {name: f"$(var {name})" for name in shared}


@every_file
def test_files_that_launch_files_name_are_installed(path: Path) -> None:
    assert f"share/campose_ros/launch/{path.name}" in installed_share()
    for name in re.findall(r"\$\(find-pkg-share campose_ros\)/([^\"]+)", path.read_text()):
        assert f"share/campose_ros/{name}" in installed_share()


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: path.name)
def test_a_launch_file_in_python_describes_and_uses_its_arguments(path: Path) -> None:
    arguments = python_launch_arguments(path)
    assert all(description.endswith(".") for _, description in arguments.values())
    functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    assert "generate_launch_description" in {function.name for function in functions}
    body = "".join(ast.unparse(function) for function in functions)
    assert {name for name in arguments if f"'{name}'" in body} == set(arguments)
