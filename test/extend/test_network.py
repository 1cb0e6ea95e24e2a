"""The recipe of docs/extend/network.md, through `campose train` and `campose localize`."""

import json

import pytest
from learnable import make_scene, walk, write_walk_bag
from recipes import WAYS_IN_TURN, add_by_recipe

from campose_core.trajectory import read_tum

pytest.importorskip("torch", reason="pose networks need torch: pip install 'campose_ros[train]'")


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS_IN_TURN)
def test_the_smallest_network_trains_and_localizes(way, tmp_path):
    campose = add_by_recipe("network", way, tmp_path / "campose")
    scene, bag = make_scene(tmp_path / "scene", {"a": 40}), write_walk_bag(tmp_path / "bag", walk(8))
    quick = ("--image-size", 32, "--views", 0, "--epochs", 12, "--anchors", 1)
    done = campose("train", scene.path, "--model", "tiny-one", *quick, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["parameters"] < 2e6
    rows = (scene.path / "models" / "tiny-one" / "metrics.csv").read_text().splitlines()
    losses = [float(row.split(",")[1]) for row in rows[1:]]
    assert losses[-1] < losses[0] - 1.0
    found = campose("localize", scene.path, bag, "--estimator", "tiny-one", "--out", tmp_path / "est.tum")
    assert found.returncode == 0, found.stderr
    assert len(list(read_tum(tmp_path / "est.tum"))) == 8
    refused = campose("train", scene.path, "--model", "tiny-two", "--unlabelled", f"[{bag}]")
    assert refused.returncode == 1
    assert "only mapnet+ learns from unlabelled recordings, not tiny" in refused.stderr
