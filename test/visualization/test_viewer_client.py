"""What the server sends and a file holds, read with the viewers' own packages."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from viewing import campose_view, small_scene, viewers_client, walk

from campose_core.bag.file import open_bag
from campose_core.scene.scene import Scene
from campose_core.visualization.mcap import write_source
from campose_core.visualization.scene_view import SceneView
from campose_core.visualization.topics import IMAGE, LATCHED, POSE, TF, TYPES


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return small_scene(tmp_path_factory.mktemp("viewed") / "scene", frames=100)


@pytest.fixture(scope="module")
def address(scene: Scene) -> Iterator[str]:
    with campose_view(str(scene.path), "--port", "0") as (_, address):
        yield address


def test_a_panel_that_comes_late_and_one_that_comes_again_see_what_is_latched(scene: Scene, address: str) -> None:
    latched = sorted(LATCHED & set(SceneView(scene).topics))
    assert len(latched) == 5
    seen = viewers_client("connect.mjs", address, POSE, *latched)
    floor = SceneView(scene).walkable.floor
    for time in ("late", "again"):
        assert set(seen[time]) == set(latched)
        assert seen[time]["/map"]["data"] == floor.occupancy.ravel().tolist()
        assert (seen[time]["/map"]["info"]["width"], seen[time]["/map"]["info"]["height"]) == floor.shape[::-1]
        assert seen[time]["/localizer/landmarks"]["width"] == 50


def test_a_file_is_read_and_every_message_has_its_place_in_the_tree_of_frames(scene: Scene, tmp_path: Path) -> None:
    write_source(tmp_path / "scene.mcap", SceneView(scene))
    with_frame = [topic for topic, kind in TYPES.items() if "diagnostic" not in kind]
    found = viewers_client("recording.mjs", str(tmp_path / "scene.mcap"), *with_frame)
    assert {topic: one["schema"] for topic, one in found.items()} == {topic: TYPES[topic] for topic in found}
    with open_bag(tmp_path / "scene.mcap") as bag:
        assert {topic: len(one["messages"]) for topic, one in found.items()} == {t.name: t.messages for t in bag.topics}
    assert len(found[IMAGE]["messages"]) == len(scene.frames)
    links = {
        (link["header"]["frame_id"], link["child_frame_id"])
        for _, message in found[TF]["messages"]
        for link in message["transforms"]
    }
    named = {
        message["header"]["frame_id"] for topic in found if topic != TF and topic in with_frame
        for _, message in found[topic]["messages"]
    }  # fmt: skip
    assert named - {"map"} == {child for _, child in links}
    (first, pose), *_ = found[POSE]["messages"]
    expected = walk([0])[0].translation
    np.testing.assert_allclose([pose["pose"]["position"][axis] for axis in "xyz"], expected)
    assert first == pytest.approx(scene.frames[0].stamp_ns * 1e-9)
