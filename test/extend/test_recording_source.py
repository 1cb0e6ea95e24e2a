"""The recipe of docs/extend/recording_source.md, through `campose extract`."""

import numpy as np
import pytest
from PIL import Image
from recipes import WAYS, add_by_recipe

from campose_core.scene.scene import Scene


@pytest.mark.parametrize("way", WAYS)
def test_the_smallest_source_is_extracted(way, tmp_path):
    campose = add_by_recipe("recording_source", way, tmp_path / "campose")
    images = np.random.default_rng(0).integers(0, 255, (6, 8, 12, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    np.savez(tmp_path / "walk.npz", stamps_ns=1_000_000_000 + 100_000_000 * np.arange(6), images=images)
    done = campose("extract", tmp_path / "walk.npz", "--scene", tmp_path / "scene", "--fps", "5")
    assert done.returncode == 0, done.stderr
    scene = Scene.open(tmp_path / "scene")
    assert [frame.stamp_ns for frame in scene.frames] == [1_000_000_000, 1_200_000_000, 1_400_000_000]
    with Image.open(scene.frame_path(scene.frames[1])) as file:
        difference = np.asarray(file).astype(int) - images[2]
    assert np.abs(difference).mean() < 12  # as JPEG; another frame, or BGR, is off by 80
    (tmp_path / "not.npz").write_bytes(b"PK nothing")
    refused = campose("extract", tmp_path / "not.npz", "--scene", tmp_path / "scene")
    assert refused.returncode == 1
    assert "not.npz: not a .npz file with stamps_ns and images" in refused.stderr
    assert "a .npz file with stamps_ns and images" in campose("extract", "gone", "--scene", tmp_path / "s").stderr
