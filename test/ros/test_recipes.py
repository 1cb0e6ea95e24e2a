"""The parameter files of the documentation, loaded by the node."""

import re
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")

import rclpy
import yaml
from package_files import REPOSITORY

from campose_ros.localizer_node import LocalizerNode
from campose_ros.overrides import unknown_overrides


def parameter_files() -> dict[str, str]:
    """By page and place on it: blocks that set parameters under any node name."""
    found = {}
    for page in sorted((REPOSITORY / "docs").glob("*.md")):
        blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(), flags=re.DOTALL)
        found |= {f"{page.stem}_{i}": block for i, block in enumerate(blocks) if "/**" in (yaml.safe_load(block) or {})}
    return found


def test_there_are_some_on_both_pages() -> None:
    assert {name.partition("_")[0] for name in parameter_files()} == {"recipes", "ros"}


@pytest.mark.parametrize("name", parameter_files())
def test_the_node_loads_each(ros_environment: dict[str, str], tmp_path: Path, name: str) -> None:
    text = parameter_files()[name]
    (file := tmp_path / "robot.yaml").write_text(text)
    context = rclpy.Context()
    rclpy.init(context=context, args=["--ros-args", "--params-file", str(file), "-p", "autostart:=false"])
    node = LocalizerNode(name, context=context)
    try:
        assert unknown_overrides(node) == []
        for parameter, value in yaml.safe_load(text)["/**"]["ros__parameters"].items():
            taken = node.get_parameter(parameter).value
            assert (list(taken) if isinstance(value, list) else taken) == value
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)
