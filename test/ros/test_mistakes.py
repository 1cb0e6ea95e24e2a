"""Mistakes that a person makes when a node is started: each is heard."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")

import rclpy
from client import Client
from diagnostic_msgs.msg import DiagnosticStatus
from node_process import StartNode

from campose_ros.parameters import TABLE
from campose_ros.ros_arguments import unheard_files


@pytest.mark.parametrize("module", ["localizer_node", "viewer_node", "replay_node", "demo", "build_tf2_msgs"])
def test_every_executable_tells_how_it_is_used(ros_environment: dict[str, str], module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"campose_ros.{module}", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")
    if module == "localizer_node":
        assert all(f"\n  {name} (default " in done.stdout for name in TABLE)
        assert "initial_pose.yaw" in done.stdout


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"lost_after_s": "soon"}, "lost_after_s must be a number, got 'soon'"),
        ({"confirmations": 2.5}, "confirmations must be a whole number, got 2.5"),
        ({"max_speed_mps": -1}, "max_speed_mps must be 0.01 to 100, got -1"),
        ({"base_from_camera": "[0, 0]"}, "base_from_camera must be x y z qx qy qz qw"),
        (
            {"base_from_camera": "here"},
            "base_from_camera must be a list of numbers, as [0.2, 0.0, 0.5, 0.0, 0.0, 0.0, 1.0], got",
        ),
        ({"front.rectified": 3}, "front.rectified must be true or false, got 3"),
    ],
)
def test_a_value_that_does_not_fit_ends_it_in_one_line(
    start_node: StartNode, parameters: dict[str, Any], said: str
) -> None:
    node = start_node("misfit", **parameters)
    assert node.process.wait(30) == 1
    assert said in node.output()
    assert len(node.output().strip().splitlines()) == 1


def test_a_missing_parameter_file_ends_it(start_node: StartNode, tmp_path: Path) -> None:
    node = start_node("fileless", "--params-file", str(tmp_path / "robot.yaml"))
    assert node.process.wait(30) == 2
    assert "there is no such file" in node.output()
    assert "Traceback" not in node.output()


@pytest.mark.parametrize(
    ("section", "is_heard"),
    [
        ("/**", True), ("/robot1/localizer", True), ("robot1/localizer", True), ("/*/localizer", True),
        ("/**/localizer", True), ("localizer", False), ("/robot1/amcl", False), ("/*", False),
        ("/robot1/local", False),
    ],
)  # fmt: skip
def test_a_parameter_file_of_another_node_is_told(client: Client, tmp_path: Path, section: str, is_heard: bool) -> None:
    file = tmp_path / "robot.yaml"
    file.write_text(f"{section}:\n  ros__parameters:\n    max_rate_hz: 5.0\n")
    arguments = ["campose_localizer", "--ros-args", "--params-file", str(file)]
    node = rclpy.create_node(
        "localizer", namespace="robot1", context=client.node.context, cli_args=arguments[1:],
        use_global_arguments=False, automatically_declare_parameters_from_overrides=True,
    )  # fmt: skip
    assert node.has_parameter("max_rate_hz") is is_heard  # ROS itself
    told = unheard_files(arguments, node.get_fully_qualified_name())
    node.destroy_node()
    assert (told == []) is is_heard
    if told:
        assert f"nothing of the parameter file {file} is used: its sections are of /{section.strip('/')}, " in told[0]


def test_sections_in_namespaces_are_joined(tmp_path: Path) -> None:
    file = tmp_path / "robot.yaml"
    file.write_text(
        "robot1:\n  localizer:\n    ros__parameters: {max_rate_hz: 5.0}\namcl:\n  ros__parameters: {a: 1}\n"
    )
    assert unheard_files(["--params-file", str(file)], "/robot1/localizer") == []
    (told,) = unheard_files(["--params-file", str(file)], "/robot2/localizer")
    assert "its sections are of /robot1/localizer, /amcl, and this node is /robot2/localizer" in told


def test_a_node_whose_file_names_another_says_so(start_node: StartNode, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "robot.yaml"
    file.write_text("localizer:\n  ros__parameters:\n    max_rate_hz: 5.0\n")
    node = start_node("renamed", "--params-file", str(file), autostart=False)
    node.wait_for_output(f"nothing of the parameter file {file} is used")
    status = client.diagnosis("renamed", lambda s: s.name == "renamed: setup", "its setup")
    assert status.level == DiagnosticStatus.WARN
    assert node.stop() == 0


def test_unknown_names_are_told_and_whole_numbers_fit(start_node: StartNode, client: Client) -> None:
    node = start_node(
        "typing", autostart=False, max_sped_mps=1.0, max_speed_mps=2, base_from_camera="[0, 0, 1, 0, 0, 0, 1]",
        **{"rear.image_topic": "/rear"},
    )  # fmt: skip
    node.wait_for_output("do you mean max_speed_mps?")
    status = client.diagnosis("typing", lambda s: s.name == "typing: setup", "its setup")
    assert status.level == DiagnosticStatus.WARN
    assert "there is no parameter max_sped_mps: do you mean max_speed_mps?" in status.message
    assert "rear.image_topic is not used: 'rear' is not in the parameter `cameras`" in status.message
    # A second node of this name, which is told of by both.
    twin = start_node("typing", autostart=False)
    node.wait_for_output("another node is called /typing as well")
    for _ in range(2):
        client.diagnosis("typing", lambda s: "another node is called /typing as well" in s.message, "two of a name")
    assert twin.stop() == 0
    assert node.stop() == 0
