"""The configurations of other packages in config/: their topics and frames are those that the node has."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from campose_ros.parameter_refusal import refusal
from campose_ros.parameters import TABLE, LocalizerParameters

CONFIG = Path(__file__).parents[2] / "config"
CONFIGS = ["nav2_amcl.yaml", "nav2_localizer.yaml", "robot_localization.yaml"]
STATE_SIZE = 15  # of robot_localization: pose, velocity and linear acceleration


def parameters_of(name: str) -> dict[str, dict[str, Any]]:
    """By node; of a node in a node (a costmap) by the last name."""
    tree = yaml.safe_load((CONFIG / name).read_text())
    nodes = {}
    for node, inside in tree.items():
        while "ros__parameters" not in inside:
            ((node, inside),) = inside.items()
        nodes[node] = inside["ros__parameters"]
    return nodes


def localizer_of(name: str) -> LocalizerParameters:
    given = parameters_of(name)["localizer"]
    return LocalizerParameters(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})


@pytest.mark.parametrize("name", CONFIGS)
def test_the_localizer_takes_its_part(name: str) -> None:
    given = parameters_of(name)["localizer"]
    assert set(given) <= set(TABLE)
    assert not [reason for key, value in given.items() if (reason := refusal(key, value))]
    for key, value in given.items():
        assert type(value) is (list if isinstance(TABLE[key].default, tuple) else type(TABLE[key].default))
    localizer_of(name)


@pytest.mark.parametrize("name", CONFIGS)
def test_one_node_broadcasts_map_to_odom(name: str) -> None:
    nodes = parameters_of(name)
    broadcasters = [localizer_of(name).publish_tf, nodes.get("amcl", {}).get("tf_broadcast", False)]
    broadcasters += [nodes[n]["publish_tf"] for n in nodes if nodes[n].get("world_frame") == "map"]
    assert broadcasters.count(True) == 1
    assert not localizer_of(name).publish_tf or localizer_of(name).use_odometry


@pytest.mark.parametrize("name", CONFIGS)
def test_frames_are_those_of_the_localizer(name: str) -> None:
    ours = localizer_of(name)
    frames = {
        "global_frame": ours.map_frame, "global_frame_id": ours.map_frame, "map_frame": ours.map_frame,
        "odom_frame": ours.odom_frame, "odom_frame_id": ours.odom_frame,
        "base_frame_id": ours.base_frame, "base_link_frame": ours.base_frame, "robot_base_frame": ours.base_frame,
    }  # fmt: skip
    used = [(key, value) for node in parameters_of(name).values() for key, value in node.items() if key in frames]
    assert used
    assert all(value == frames[key] for key, value in used)


@pytest.mark.parametrize("name", CONFIGS[:2])
def test_nav2_hears_the_map_and_the_starting_pose_where_they_are_published(name: str) -> None:
    nodes, ours = parameters_of(name), localizer_of(name)
    static_layer = nodes["global_costmap"]["static_layer"]
    # Its default is the topic map of the robot's namespace, whatever the release makes of relative names.
    assert "map_topic" not in static_layer
    assert ours.map_topic == "map"
    assert static_layer["map_subscribe_transient_local"]
    if "amcl" in nodes:
        assert ours.bootstrap_amcl
        assert ours.amcl_initialpose_topic == "initialpose"  # AMCL's, which it has no parameter for
        assert nodes["amcl"]["map_topic"] == ours.map_topic


def test_robot_localization_takes_place_from_us_and_speed_from_the_wheels() -> None:
    nodes, ours = parameters_of("robot_localization.yaml"), localizer_of("robot_localization.yaml")
    pose = ours.pose_with_covariance_topic.replace("~", "/localizer")
    assert nodes["ekf_global"]["pose0"] == pose
    for node in ("ekf_local", "ekf_global"):
        selections = [value for key, value in nodes[node].items() if key.endswith("_config")]
        assert selections
        assert all(len(selection) == STATE_SIZE for selection in selections)
    x_y_yaw = [index for index, used in enumerate(nodes["ekf_global"]["pose0_config"]) if used]
    assert x_y_yaw == [0, 1, 5]
    assert nodes["ekf_local"]["world_frame"] == ours.odom_frame
