import json
from pathlib import Path

import pytest
from viewing import layout_texts, layout_topics

from campose_core.visualization.channels import JSON_SCHEMAS, TOPICS
from campose_core.visualization.layout import how_to_look, layout_path

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def layout():
    return json.loads((REPOSITORY / "config" / "foxglove_layout.json").read_text())


def test_it_names_only_topics_that_exist_and_all_of_them(layout):
    # Transforms and the calibration's frame are drawn by the 3D panel without being named.
    assert layout_topics(layout) == set(TOPICS) - {"/tf"}


def test_plotted_fields_exist(layout):
    plotted = [text for text in layout_texts(layout["configById"]) if text.startswith("/") and "." in text]
    assert len(plotted) >= 5
    for text in plotted:
        topic, _, name = text.partition(".")
        assert name in JSON_SCHEMAS[TOPICS[topic]]["properties"]


def test_it_is_the_format_that_the_app_imports(layout):
    assert set(layout) == {"configById", "globalVariables", "userNodes", "playbackConfig", "layout"}
    placed = []

    def walk(node):
        if isinstance(node, str):
            placed.append(node)
            return
        assert set(node) == {"direction", "first", "second", "splitPercentage"}
        assert node["direction"] in ("row", "column")
        assert 0 < node["splitPercentage"] < 100
        walk(node["first"])
        walk(node["second"])

    walk(layout["layout"])
    assert sorted(placed) == sorted(layout["configById"])
    panels = {"3D", "Image", "Plot", "StateTransitions", "RawMessages", "RosOut"}
    assert {panel.partition("!")[0] for panel in placed} == panels


def test_people_are_told_where_it_is():
    assert layout_path() == REPOSITORY / "config" / "foxglove_layout.json"
    assert str(layout_path()) in how_to_look("Open connection, ws://127.0.0.1:8765")
