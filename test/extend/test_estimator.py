"""The recipe of docs/extend/estimator.md, through `campose localize`."""

import numpy as np
import pytest
from recipes import WAYS, add_by_recipe

from campose_core.scene.scene import Scene
from campose_core.trajectory import read_tum


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_the_smallest_estimator_localizes(way, small_scene, small_world, tmp_path):
    campose = add_by_recipe("estimator", way, tmp_path / "campose")
    query, out = small_world / "later.bag", tmp_path / "est.tum"
    done = campose("localize", small_scene, query, "--estimator", "thumbnail", "--out", out)
    assert done.returncode == 0, done.stderr
    mapped = np.array([frame.map_from_cam.translation for frame in Scene.open(small_scene).posed_frames()])
    truth, errors = dict(read_tum(small_world / "later.tum")), []
    for stamp_ns, pose in read_tum(out):
        assert np.linalg.norm(mapped - pose.translation, axis=1).min() < 1e-6
        errors.append(np.linalg.norm(pose.translation - truth[stamp_ns].translation))
    by_chance = np.linalg.norm(mapped - mapped.mean(axis=0), axis=1)
    assert np.median(errors) < 0.5 * np.median(by_chance)
    refused = campose("localize", small_scene, query, "--estimator", "thumbnial", "--out", out)
    assert refused.returncode == 1
    assert "offers structure, retrieval, thumbnail; did you mean 'thumbnail'?" in refused.stderr
