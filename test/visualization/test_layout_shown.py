"""Everything that the layout shows, as a WebSocket client gets it: from a replayed bag, and from a scene."""

import json
from pathlib import Path

import pytest
from viewing import Viewer, campose_view, layout_topics

from campose_core.cli.main import main
from campose_core.visualization.topics import TYPES

pytestmark = pytest.mark.slow
LAYOUT = Path(__file__).resolve().parents[2] / "config" / "foxglove_layout.json"


def test_every_topic_of_the_layout_reaches_a_client(small_scene, small_world, tmp_path):
    topics = layout_topics(json.loads(LAYOUT.read_text()))
    bag, truth = str(small_world / "later.bag"), str(small_world / "later.tum")
    told = ["--reference", truth, "--base-frame", "base_link", "--odom", "/odom"]
    assert main(["replay", bag, "--scene", str(small_scene), "--out", str(tmp_path), *told]) == 0
    with campose_view(str(tmp_path / "bag"), "--port", "0") as (_, address), Viewer(address) as viewer:
        viewer.await_topics(topics)
        seen = viewer.await_messages(*topics, timeout=30)
        assert {topic: viewer.channels[topic]["schemaName"] for topic in topics} == {t: TYPES[t] for t in topics}
    assert set(seen) == topics
    assert all(messages for messages in seen.values())
