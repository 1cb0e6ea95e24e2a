import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from viewing import at_message_path, layout_topics, panel_names

from campose_core.bag.cdr import Cdr
from campose_core.geometry import Pose
from campose_core.localization.estimators.base import Kind
from campose_core.localization.result import LocalizationResult, Status
from campose_core.visualization.layout import how_to_look, layout_path
from campose_core.visualization.localization_status import localization_status
from campose_core.visualization.topics import ERROR, STATUS, TYPES

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def layout():
    return json.loads((REPOSITORY / "config" / "foxglove_layout.json").read_text())


def test_it_names_only_topics_that_exist_and_all_of_them(layout):
    # Transforms are drawn by the 3D panel without being named.
    assert layout_topics(layout) == set(TYPES) - {"/tf", "/tf_static"}


def test_what_is_plotted_is_a_number_and_what_is_a_state_is_a_text(layout):
    ros, pose = Cdr().messages, Pose(Rotation.identity(), np.zeros(3))
    result = LocalizationResult(5, Status.TRACKING, pose, pose, pose, np.eye(6), 0.02, False, 120, Kind.TRACKED, 0.03)
    messages = {
        STATUS: [localization_status(ros, "localizer", result, 0.04)],
        ERROR: [ros.error(5, name, 0.1, 0.02) for name in ("raw", "snapped")],
    }
    plotted = [path["value"] for panel in layout["configById"].values() for path in panel.get("paths", [])]
    assert len(plotted) >= 8
    for path in plotted:
        topic = path.split(".")[0]
        (value,) = [value for message in messages[topic] for value in at_message_path(path, message)]
        named_state = path.split('"')[-2] in ("state", "kind", "off_map")
        assert value if named_state else math.isfinite(float(value))


def test_what_is_not_known_of_an_image_is_not_plotted():
    message = localization_status(
        Cdr().messages, "localizer", LocalizationResult(5, Status.LOST, reason="no pose"), 0.04
    )
    assert at_message_path('/localizer/status.status[0].values[:]{key=="snap_distance_m"}.value', message) == []


def test_it_is_the_format_that_the_app_imports(layout):
    assert set(layout) == {"configById", "globalVariables", "userNodes", "playbackConfig", "layout"}
    placed = list(panel_names(layout["layout"]))
    for panel in layout["configById"].values():
        for tab in panel.get("tabs", []):
            placed += panel_names(tab["layout"])
    assert sorted(placed) == sorted(layout["configById"])
    kinds = {"3D", "Tab", "Image", "Plot", "StateTransitions", "RawMessages", "DiagnosticSummary"}
    assert {panel.partition("!")[0] for panel in placed} == kinds | {"DiagnosticStatusPanel"}


def test_the_three_ways_of_looking_at_a_pose_are_panels(layout):
    """Numbers, raw on the map, snapped on the map."""
    panels = layout["configById"]
    assert panels["RawMessages!pose"]["topicPath"].startswith("/localizer/pose")
    for name, shown, other in (("raw", "pose_raw", "pose"), ("snapped", "pose", "pose_raw")):
        topics = panels[f"3D!{name}"]["topics"]
        assert topics["/map"]["visible"]
        assert topics["/localizer/walkable"]["visible"]
        assert topics[f"/localizer/{shown}"]["visible"]
        assert f"/localizer/{other}" not in topics


def test_people_are_told_where_it_is():
    assert layout_path() == REPOSITORY / "config" / "foxglove_layout.json"
    assert str(layout_path()) in how_to_look("Open connection, ws://127.0.0.1:8765")[1]
