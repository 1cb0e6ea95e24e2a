import json
import math
import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from viewing import at_message_path, layout_topics, panel_names, small_scene

from campose_core.bag.cdr import Cdr
from campose_core.floorplan.scene_floor import walkable_of
from campose_core.geometry import Pose
from campose_core.localization.estimators.base import Kind
from campose_core.localization.result import LocalizationResult, Status
from campose_core.visualization.layout import how_to_look, layout_path, write_layout
from campose_core.visualization.localization_status import localization_status
from campose_core.visualization.topics import ERROR, LATCHED, STATUS, TYPES
from campose_core.visualization.trail import Trail
from campose_core.visualization.walked_path import WalkedPath

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def layout():
    return json.loads((REPOSITORY / "config" / "foxglove_layout.json").read_text())


def test_it_names_only_topics_that_exist_and_all_of_them(layout):
    # Transforms are drawn by the 3D panel without being named.
    assert layout_topics(layout) == set(TYPES) - {"/tf", "/tf_static"}


def test_the_documented_replacement_names_the_topics_of_a_robot_in_a_namespace(layout):
    (command,) = re.findall(r"^sed -E .* > robot1_layout.json$", (REPOSITORY / "docs/foxglove.md").read_text(), re.M)
    *program, _, _ = shlex.split(command)
    moved = json.loads(subprocess.run(program, cwd=REPOSITORY, capture_output=True, check=True).stdout)
    shown = {topic for topic in layout_topics(moved) if not topic.startswith(("/robot1/", "/reference/"))}
    assert shown == {topic for topic in layout_topics(layout) if topic in ("/diagnostics", "/error")}
    assert {"/robot1/map", "/robot1/localizer/pose", "/robot1/camera/image_raw"} <= layout_topics(moved)


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


def test_what_a_panel_in_a_tab_shows_is_kept_by_one_that_is_always_there(layout):
    """Both viewers forget a topic's last message when its last panel goes, and ask the server for nothing when another
    comes at once (MessagePipeline/store.ts): behind a tab, what is latched would never be shown."""
    panels = layout["configById"]
    behind = {name for tab in panels.values() for one in tab.get("tabs", []) for name in panel_names(one["layout"])}
    shown = {name: {t for t, how in panels[name].get("topics", {}).items() if how["visible"]} for name in panels}
    always = set().union(*(shown[name] for name in panel_names(layout["layout"])))
    assert behind
    assert not behind & set(panel_names(layout["layout"]))
    assert set().union(*(shown[name] for name in behind)) & LATCHED <= always


def test_panels_have_their_titles_in_the_keys_of_both_viewers(layout):
    """PANEL_TITLE_CONFIG_KEY is foxglovePanelTitle in Foxglove, lichtblickPanelTitle in Lichtblick."""
    titled = [panel for name, panel in layout["configById"].items() if not name.startswith("Tab!")]
    assert titled
    assert all(panel["foxglovePanelTitle"] == panel["lichtblickPanelTitle"] != "" for panel in titled)


@pytest.mark.parametrize("has_floor", [True, False])
def test_a_layout_for_a_scene_looks_at_all_of_it(tmp_path, layout, has_floor):
    scene = small_scene(tmp_path / "scene")
    walkable = walkable_of(scene) if has_floor else None
    written = json.loads(write_layout(tmp_path / "layout.json", scene, walkable).read_text())
    if has_floor:
        places = walkable.floor.centre_of(np.argwhere(walkable.walkable))
    else:
        places = np.array([frame.map_from_cam.translation[:2] for frame in scene.posed_frames()])
    for name, panel in written["configById"].items():
        camera = panel.pop("cameraState", None)
        unchanged = layout["configById"][name]
        if not name.startswith("3D!"):
            continue
        half_m = camera["distance"] * math.tan(math.radians(camera["fovy"] / 2))
        assert (np.abs(places - camera["targetOffset"][:2]) <= half_m).all()
        assert half_m < 2 * max(1.0, np.ptp(places, axis=0).max())
        assert panel == {key: value for key, value in unchanged.items() if key != "cameraState"}


@pytest.mark.parametrize("line", ["path", "trail"])
def test_no_line_leads_back_when_a_bag_starts_over(line):
    ros = Cdr().messages
    drawn = WalkedPath(ros, "map") if line == "path" else Trail(ros, "map")
    for stamp_ns, x in [(10, 0.0), (20, 1.0), (30, 2.0), (10, 0.0), (20, 1.0)]:
        pose = Pose(Rotation.identity(), np.array([x, 0.0, 0.0]))
        drawn.add(LocalizationResult(stamp_ns, Status.TRACKING, pose, pose, pose, np.eye(6)), 100, 0.05)
    message = drawn.message()
    xs = [p.pose.position.x for p in message.poses] if line == "path" else [p.x for p in message.points]
    assert xs == [0.0, 1.0]


def test_people_are_told_where_it_is():
    assert layout_path() == REPOSITORY / "config" / "foxglove_layout.json"
    assert str(layout_path()) in how_to_look("Open connection, ws://127.0.0.1:8765")[1]
