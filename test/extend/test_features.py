"""The recipe of docs/extend/features.md, through `campose map` and `campose localize`."""

from dataclasses import replace

import numpy as np
import pytest
from landmark_rooms import room
from recipes import WAYS_IN_TURN, add_by_recipe

from campose_core.errors import MappingError
from campose_core.landmark_map.arrays import read_arrays
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.trajectory import read_tum


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS_IN_TURN)
def test_the_smallest_features_make_a_map_and_localize_in_it(way, small_world, tmp_path):
    campose, scene = add_by_recipe("features", way, tmp_path / "campose"), tmp_path / "scene"
    for arguments in (
        ("extract", small_world / "mapping.bag", "--scene", scene),
        ("map", scene, "--features", "kaze"),
        ("align", scene, "--reference", small_world / "mapping.tum"),
        ("localize", scene, small_world / "later.bag", "--out", tmp_path / "est.tum"),
    ):
        done = campose(*arguments)
        assert done.returncode == 0, f"{arguments[0]}: {done.stderr}"
    arrays = read_arrays(scene / "sfm" / "landmarks.npz")
    assert (str(arrays["features"]), arrays["descriptors"].shape[1]) == ("kaze", 64)
    truth = dict(read_tum(small_world / "later.tum"))
    found = dict(read_tum(tmp_path / "est.tum"))
    errors = [np.linalg.norm(pose.translation - truth[stamp].translation) for stamp, pose in found.items()]
    assert len(errors) > 0.9 * len(truth)
    assert np.median(errors) < 0.02


def test_a_map_of_features_that_are_not_installed_says_so(tmp_path):
    path = tmp_path / "landmarks.npz"
    replace(room(1), features="kaze").save(path)
    landmarks = Landmarks.load(path)
    with pytest.raises(MappingError, match="no 'kaze' among the features sift"):
        landmarks.extractor()
