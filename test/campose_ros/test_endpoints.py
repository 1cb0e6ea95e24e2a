"""How people call a node, and its full name."""

import pytest

from campose_core.errors import UsageError
from campose_ros.endpoints import full_name


@pytest.mark.parametrize(
    ("given", "namespace", "name"),
    [
        ("localizer", "/", "/localizer"),
        ("localizer", "/robot1", "/robot1/localizer"),
        ("robot2/localizer", "/robot1", "/robot1/robot2/localizer"),
        ("/robot2/localizer", "/robot1", "/robot2/localizer"),
        ("/robot1//localizer", "/", "/robot1/localizer"),  # of namespace:=/robot1/ and name:=localizer
        ("robot1/localizer/", "/", "/robot1/localizer"),
    ],
)
def test_of_a_node(given: str, namespace: str, name: str) -> None:
    assert full_name(given, namespace) == name


@pytest.mark.parametrize("given", ["", "/", "my localizer", "robot-1", "1", "/robot1/2nd"])
def test_what_no_node_can_be_called(given: str) -> None:
    with pytest.raises(UsageError, match="the name of a node is made of letters, digits"):
        full_name(given)
