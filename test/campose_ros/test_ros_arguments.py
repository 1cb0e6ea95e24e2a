"""What is wrong on a node's command line is told before ROS reads it, by name, value and remedy."""

from pathlib import Path

import pytest

from campose_core.errors import UsageError
from campose_ros.ros_arguments import check_arguments, wants_help

CONFIG = Path(__file__).parents[2] / "config"


def refusal(*arguments: str) -> str:
    with pytest.raises(UsageError) as refused:
        check_arguments(arguments)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    "rule",
    [
        "scene:=/a b",
        "base_from_camera:=[0, 0, 0, 0, 0, 0, 1]",
        "x:=[0.0, 1.0]",
        "cameras:=['front', 'rear']",
        "y:=true",
        "day:=2001-99-99",  # a text, for ROS as well
    ],
)
def test_what_ros_reads_is_not_refused(rule: str) -> None:
    check_arguments(["--ros-args", "-p", rule, "-r", "image:=/cam", "--log-level", "debug"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["scene:=/s"], "'scene:=/s' is no option: parameters are given as --ros-args -p NAME:=VALUE"),
        (["--ros-args", "-p", "scene=/s"], "-p NAME:=VALUE, got -p 'scene=/s'"),
        (["--ros-args", "-p"], "-p NAME:=VALUE, got -p ''"),
        (["--ros-args", "-p", "x:=[1"], "the value of x is no YAML: '[1'"),
        (["--ros-args", "--param", "base_from_camera:=[0, 0.5]"], "base_from_camera must be a list of one type"),
        (["--ros-args", "--params-file", "/none.yaml"], "'/none.yaml': there is no such file"),
        (["--ros-args", "-r", "a:=b", "--", "--fast"], "'--fast' is no option"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_write(arguments: list[str], said: str) -> None:
    assert said in refusal(*arguments)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/**:\n  ros__parameters:\n    scene: [a\n    b: 1\n", "line 4: it is no YAML"),
        ("\t- x", "line 1: it is no YAML"),
        ("scene: /s\n", "has no NODE: ros__parameters: section"),
        ("", "has no NODE: ros__parameters: section"),
        ("/**:\n  ros__parameters: [1]\n", "must hold NAME: VALUE lines"),
        (
            "localizer:\n  ros__parameters:\n    front:\n      base_from_camera: [0, 0.5]\n",
            "front.base_from_camera must",
        ),
        ("\x00\x01", "it is no YAML"),
        ("/**:\n  ros__parameters:\n    a: &x [1]\n    b: *x\n", "line 4: the alias *x is not followed"),
        ("[" * 1000, "nested more than 32 deep"),
    ],
)
def test_a_broken_parameter_file_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "robot.yaml"
    file.write_text(text)
    told = refusal("--ros-args", "--params-file", str(file))
    assert said in told
    assert str(file) in told


def test_a_file_of_bytes_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "robot.yaml"
    file.write_bytes(b"\xff\xfe\x80")
    assert "cannot be read as text" in refusal("--ros-args", "--params-file", str(file))


@pytest.mark.parametrize("path", sorted(CONFIG.glob("*.yaml")), ids=lambda path: path.name)
def test_the_files_of_this_package_are_taken(path: Path) -> None:
    check_arguments(["--ros-args", "--params-file", str(path)])


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [(["--help"], True), (["-h", "--ros-args"], True), (["--ros-args", "-p", "a:=--help"], False), ([], False)],
)
def test_help_is_asked_for_before_the_ros_arguments(arguments: list[str], wanted: bool) -> None:
    assert wants_help(arguments) == wanted
