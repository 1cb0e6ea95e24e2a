"""Everything that the layout shows, as viewers get it: over a WebSocket, and from the file of a replay."""

import json
from pathlib import Path

import pytest
from viewing import Viewer, campose_view, layout_topics, viewers_client

from campose_core.cli.main import main
from campose_core.visualization.topics import CAMERA_INFO, DIAGNOSTICS, IMAGE, MATCHES, TF, TF_STATIC, TYPES

pytestmark = pytest.mark.slow
LAYOUT = Path(__file__).resolve().parents[2] / "config" / "foxglove_layout.json"


@pytest.fixture(scope="module")
def bag(small_scene: Path, small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a replay wrote."""
    out = tmp_path_factory.mktemp("replayed")
    told = ["--reference", str(small_world / "later.tum"), "--base-frame", "base_link", "--odom", "/odom"]
    assert main(["replay", str(small_world / "later.bag"), "--scene", str(small_scene), "--out", str(out), *told]) == 0
    return out / "bag"


def test_every_topic_of_the_layout_reaches_a_client(bag: Path) -> None:
    topics = layout_topics(json.loads(LAYOUT.read_text()))
    with campose_view(str(bag), "--port", "0") as (_, address), Viewer(address) as viewer:
        viewer.await_topics(topics)
        seen = viewer.await_messages(*topics, timeout=30)
        assert {topic: viewer.channels[topic]["schemaName"] for topic in topics} == {t: TYPES[t] for t in topics}
    assert set(seen) == topics
    assert all(messages for messages in seen.values())


def test_the_viewers_read_the_file_and_find_the_images_in_the_tree_of_frames(bag: Path) -> None:
    with_images = (IMAGE, MATCHES, CAMERA_INFO)
    found = viewers_client("recording.mjs", str(bag / "bag.mcap"), TF, TF_STATIC, *with_images)
    assert found[DIAGNOSTICS]["messages"]
    moving_and_static = [message for topic in (TF, TF_STATIC) for _, message in found[topic]["messages"]]
    links = [link for message in moving_and_static for link in message["transforms"]]
    parents = {link["child_frame_id"]: link["header"]["frame_id"] for link in links}
    for frame in {message["header"]["frame_id"] for topic in with_images for _, message in found[topic]["messages"]}:
        while frame != "map":
            assert frame in parents, f"nothing says where {frame} is"
            frame = parents[frame]
