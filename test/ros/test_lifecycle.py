"""A node that is configured, activated, deactivated and cleaned up over and over, and transitions that fail."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import Client
from diagnostic_msgs.msg import DiagnosticStatus
from node_process import NodeProcess, StartNode
from process_resources import Held, held_by
from rclpy.node import NodeNameNonExistentError
from wall import build_scene

from campose_core.floor import FREE, FloorMap
from campose_core.walkable import save_walkable

CYCLE = ("configure", "activate", "deactivate", "cleanup")
WARM = 20
FLOOR_CELLS = 400
# What one cycle would leave if it kept its scene: the occupancy, and the map that snaps, of FLOOR_CELLS^2 cells.
SCENE_MB = 10 * FLOOR_CELLS**2 / 2**20


def endpoints(client: Client, node: str) -> set[tuple[str, str]]:
    """Topics that the node publishes and those that it subscribes to; none while DDS has not discovered the node."""
    ask = client.node
    try:
        published = ask.get_publisher_names_and_types_by_node(node, "/")
        subscribed = ask.get_subscriber_names_and_types_by_node(node, "/")
    except NodeNameNonExistentError:
        return set()
    return {("out", topic) for topic, _ in published} | {("in", topic) for topic, _ in subscribed}


def unconfigured_endpoints(client: Client, node: str) -> set[tuple[str, str]]:
    """Once all of a node that is not configured are known: DDS discovers them one by one."""
    always = {("out", topic) for topic in (f"/{node}/transition_event", "/diagnostics", "/parameter_events", "/rosout")}
    return client.until(lambda: (found := endpoints(client, node)) >= always and found, "its endpoints are known")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.parametrize("cycles", [60, pytest.param(200, marks=pytest.mark.long)])
def test_many_lives_leave_nothing_behind(start_node: StartNode, client: Client, tmp_path: Path, cycles: int) -> None:
    scene = build_scene(tmp_path / "scene")
    cells = np.full((FLOOR_CELLS, FLOOR_CELLS), FREE, np.int8)
    save_walkable(scene.path / "floor", FloorMap(cells, 0.05, (0.0, 0.0, 0.0)))
    name = f"churn_{cycles}"
    node = start_node(name, scene=scene.path, autostart=False, image_topic="/churn_cam")
    client.until(lambda: client.state(name) == "unconfigured", "it is there")
    before = unconfigured_endpoints(client, name)

    def live(times: int) -> Held:
        for _ in range(times):
            for transition in CYCLE:
                assert client.change(name, transition), node.output()[-2000:]
        return held_by(node.process.pid)

    warm = live(WARM)
    after = live(cycles - WARM)
    assert after.threads == warm.threads
    assert after.files == warm.files
    assert after.memory_mb - warm.memory_mb < 0.2 * SCENE_MB * (cycles - WARM)
    client.until(lambda: endpoints(client, name) == before, "its endpoints are those of before")


@pytest.fixture(scope="module")
def fallible(start_node: StartNode, wall_scene: Path) -> NodeProcess:
    return start_node("fallible", scene=wall_scene, autostart=False, estimator="retrieval")


# Which transitions each state has, and one of them that leads on.
FITTING = {"unconfigured": {1, 5}, "inactive": {2, 3, 6}, "active": {4, 7}, "finalized": set[int]()}
LEADS_ON = {"unconfigured": 1, "inactive": 3, "active": 7}


def test_a_transition_that_does_not_fit_is_refused_in_every_state(
    start_node: StartNode, client: Client, wall_scene: Path
) -> None:
    node = start_node("misfit", scene=wall_scene, autostart=False, image_topic="/misfit_cam")
    for state, fitting in FITTING.items():
        assert client.state("misfit") == state
        for transition_id in set(range(256)) - fitting:
            assert not client.ask_transition("misfit", transition_id), (state, transition_id)
        for label in ("transition_success", "create", "no such\x1b[2J"):
            assert not client.ask_transition("misfit", min(fitting, default=0), label), (state, label)
        assert client.state("misfit") == state
        assert "\x1b" not in node.output()
        if state == "inactive":
            said = "there is no transition configure from inactive; there are cleanup, activate, shutdown"
            assert said in node.output()
        if state in LEADS_ON:
            assert client.ask_transition("misfit", LEADS_ON[state])


# A name that each part of the parameter's check lets pass, and that DDS refuses.
TOO_LONG = "/" + "long/" * 60 + "topic"


@pytest.mark.parametrize(
    ("parameter", "good", "fails", "state"),
    [
        ("initialpose_topic", "initialpose", "activate", "inactive"),
        ("camera_info_topic", "camera_info", "activate", "inactive"),
        ("map_topic", "map", "configure", "unconfigured"),
    ],
)
def test_a_transition_that_fails_says_why_leaves_nothing_and_can_be_made_good(
    fallible: NodeProcess, client: Client, parameter: str, good: str, fails: str, state: str
) -> None:
    assert client.state("fallible") == "unconfigured"
    unconfigured = unconfigured_endpoints(client, "fallible")
    assert client.set_parameter("fallible", parameter, TOO_LONG) == ""
    if fails == "activate":
        assert client.change("fallible", "configure")
    assert not client.change("fallible", fails)
    assert client.state("fallible") == state
    status = client.diagnosis("fallible", lambda s: s.level == DiagnosticStatus.ERROR, "the failure")
    assert status.message.startswith(f"{fails} failed: ")
    assert status.message in fallible.output()
    if fails == "activate":
        client.until(
            lambda: not any(way == "in" and topic.endswith("image") for way, topic in endpoints(client, "fallible")),
            "it listens to no images",
        )
        assert client.change("fallible", "cleanup")
    client.until(lambda: endpoints(client, "fallible") == unconfigured, "nothing is left")
    assert client.set_parameter("fallible", parameter, good) == ""
    for transition in CYCLE:
        assert client.change("fallible", transition), transition
