"""ROS tests: real nodes in their own processes, talked to over DDS on this machine alone."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from node_process import NodeProcess, StartNode
from without_mapper import environment_without_mapper


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in Path(item.path).parents:
            item.add_marker(pytest.mark.ros)


@pytest.fixture(scope="session")
def ros_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A domain of our own; children inherit it."""
    os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ["ROS_LOG_DIR"] = str(tmp_path_factory.mktemp("ros_log"))
    return dict(os.environ)


@pytest.fixture(scope="module")
def start_node(ros_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartNode]:
    """Start `python -m campose_ros.localizer_node` with a node name and parameters; ended after the module.

    As on a robot: pycolmap and torch cannot be imported.
    """
    started: list[NodeProcess] = []

    def start(name: str, *arguments: str, **parameters: Any) -> NodeProcess:
        values = [f"{key}:={_yaml(value)}" for key, value in parameters.items()]
        given = [word for value in values for word in ("-p", value)]
        python = ["env", f"PYTHONPATH={environment_without_mapper()['PYTHONPATH']}", sys.executable]
        command = [*python, "-m", "campose_ros.localizer_node", "--ros-args", "-r", f"__node:={name}", *given]
        node = NodeProcess([*command, *arguments], tmp_path_factory.mktemp("node") / "output.txt")
        started.append(node)
        return node

    yield start
    for node in started:
        if node.process.poll() is None:
            node.process.kill()
            node.process.wait()


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.fixture(scope="session")
def wall_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import wall

    return wall.build_scene(tmp_path_factory.mktemp("scenes") / "wall").path


@pytest.fixture(scope="module")
def client(ros_environment: dict[str, str]) -> Iterator[Any]:
    """The other side of the wire: a node in this process."""
    import rclpy
    from client import Client

    context = rclpy.Context()
    rclpy.init(context=context)
    client = Client(context)
    yield client
    client.close()
    rclpy.shutdown(context=context)
