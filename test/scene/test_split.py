import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campose_core.camera import Camera
from campose_core.cli.main import main
from campose_core.errors import SceneError
from campose_core.geometry import Pose
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.scene.split import SplitOptions, counts, split

CAMERA = Camera("PINHOLE", 8, 6, (5, 5, 4, 3))


def scene_with(path, sizes, unposed=()):
    frames = tuple(
        SceneFrame(f"{s}/{i}.jpg", s, i, "c", "", None if i in unposed else Pose.identity())
        for s, size in sizes.items()
        for i in range(size)
    )
    return Scene(path, "scene", {"c": CAMERA}, {}, frames=frames)


@settings(max_examples=30, deadline=None)
@given(size=st.integers(10, 700), val=st.floats(0.05, 0.4), test=st.floats(0, 0.4))
def test_contiguous_keeps_the_fractions_and_cuts_seldom(tmp_path_factory, size, val, test):
    scene = split(scene_with(tmp_path_factory.mktemp("scene"), {"a": size}), SplitOptions(val=val, test=test))
    labels = [frame.split for frame in scene.frames]
    parts = max(1, round(size / 60))
    assert abs(labels.count("val") - val * size) <= parts + 1
    assert abs(labels.count("test") - test * size) <= parts + 1
    assert sum(a != b for a, b in pairwise(labels)) <= 4 * parts


def test_rows_in_any_order_give_the_same_split(tmp_path):
    scene = scene_with(tmp_path / "a", {"a": 100, "b": 60})
    order = np.random.default_rng(0).permutation(len(scene.frames))
    shuffled = replace(scene, path=tmp_path / "b", frames=tuple(scene.frames[i] for i in order))
    expected = {frame.name: frame.split for frame in split(scene).frames}
    assert {frame.name: frame.split for frame in split(shuffled).frames} == expected


def test_interleaved_is_the_index_modulo_three_among_posed_frames(tmp_path):
    scene = split(scene_with(tmp_path / "a", {"a": 8}, unposed={2}), SplitOptions(scheme="interleaved"))
    assert [f.split for f in scene.frames] == ["train", "val", "", "test", "train", "val", "test", "train"]


def test_sources_are_kept_whole_and_strangers_refused(tmp_path):
    scene = scene_with(tmp_path / "a", {"a": 5, "b": 4, "c": 3})
    by_source = split(scene, SplitOptions(scheme="source", val_sources=("b",), test_sources=("c",)))
    assert {(f.source, f.split) for f in by_source.frames} == {("a", "train"), ("b", "val"), ("c", "test")}
    with pytest.raises(SceneError, match=r"'nowhere'.*recordings: a, b, c"):
        split(scene, SplitOptions(scheme="source", val_sources=("nowhere",)))


def test_a_done_split_is_kept_and_another_scheme_redone(tmp_path):
    scene = split(scene_with(tmp_path / "a", {"a": 20}))
    written = (scene.path / "frames.csv").stat().st_mtime_ns
    split(Scene.open(scene.path))
    assert (scene.path / "frames.csv").stat().st_mtime_ns == written
    redone = split(Scene.open(scene.path), SplitOptions(scheme="interleaved"))
    assert counts(redone) == {"train": 7, "val": 7, "test": 6} == counts(Scene.open(scene.path))


def test_what_cannot_be_split_is_refused(tmp_path):
    with pytest.raises(SceneError, match="campose map"):
        split(scene_with(tmp_path / "a", {"a": 3}, unposed={0, 1, 2}))
    with pytest.raises(SceneError, match=r"val=0\.6, test=0\.5"):
        split(scene_with(tmp_path / "b", {"a": 3}), SplitOptions(val=0.6, test=0.5))
    with pytest.raises(SceneError, match="val=nan"):
        split(scene_with(tmp_path / "b", {"a": 3}), SplitOptions(val=float("nan")))


def test_command_line(tmp_path, capsys):
    scene_with(tmp_path / "a", {"a": 20}).save()
    assert main(["split", str(tmp_path / "a"), "--test", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"train": 16, "val": 4, "test": 0}
    with pytest.raises(SystemExit) as error:
        main(["split", str(tmp_path / "a"), "--scheme", "random"])
    assert error.value.code == 2
