"""What the launch files hand to the replayer and the viewer is what these take."""

import ast
import re
import xml.etree.ElementTree as ElementTree

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")

from package_files import REPOSITORY

from campose_ros.replay_node import options_of
from campose_ros.viewer_node import PARAMETERS

ANY_NODE = {"use_sim_time"}


@pytest.mark.parametrize("reference", ["", "truth of today.tum"])
def test_the_replayer_understands_its_arguments(reference: str) -> None:
    root = ElementTree.parse(REPOSITORY / "launch" / "replay.launch.xml").getroot()
    given = {arg.get("name", ""): arg.get("default") or "" for arg in root.findall("arg")}
    given |= {"bag": "a bag.mcap", "namespace": "/a", "reference": reference}
    (node,) = [node for node in root.iter("node") if node.get("exec") == "campose_replay"]
    words = [
        re.sub(r"\$\(var (\w+)\)", lambda match: given[match[1]], word)
        for word in re.findall(r"(?:\$\([^)]*\)|\S)+", node.get("args", ""))
    ]
    options = options_of(words)
    assert str(options.bag) == "a bag.mcap"
    assert str(options.out) == given["out"]
    assert options.node == "/a/localizer"
    assert options.reference == reference
    assert options.rate == 1.0


def test_the_viewer_has_the_parameters_that_it_is_given() -> None:
    tree = ast.parse((REPOSITORY / "launch" / "foxglove.launch.py").read_text())
    (viewer,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "viewer"]
    tables = [node for node in ast.walk(viewer) if isinstance(node, ast.Dict)]
    names = {key.value for table in tables for key in table.keys if isinstance(key, ast.Constant)}
    assert {"port", "host", "localizer"} <= names
    assert names <= set(PARAMETERS) | ANY_NODE


def test_the_replayer_refuses_a_name_that_no_node_has(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options_of(["a.mcap", "--out", "out", "--node", "my robot"])
    assert "--node: the name of a node is made of letters" in capsys.readouterr().err
