"""Unseen frames, and what would be seen from a little beside them."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from campose_core.geometry import pose_error  # noqa: E402
from campose_core.learning.material import material_of_splits, ordered_frames  # noqa: E402
from campose_core.learning.nearby_views import BESIDE, VIEWS, with_views  # noqa: E402
from campose_core.pixels.network_input import NetworkInput  # noqa: E402
from campose_core.scene.scene import Scene  # noqa: E402

pytestmark = pytest.mark.slow


def test_frames_come_first_and_views_lie_beside_them(small_scene):
    scene = Scene.open(small_scene)
    frames = ordered_frames(scene, "test")
    network_input = NetworkInput.covering(scene.cameras[frames[0].camera], 64)
    (material,) = material_of_splits(scene, [frames], network_input, with_depth=False)
    state = torch.get_rng_state()
    found = with_views(scene, frames, material, network_input, seed=3)
    again = with_views(scene, frames, material, network_input, seed=3)
    assert torch.equal(state, torch.get_rng_state())
    count = len(frames)
    assert len(found) == len(found.poses) == len(found.images) == (1 + VIEWS) * count
    np.testing.assert_array_equal(found.images, again.images)
    np.testing.assert_array_equal(found.images[:count], material.images)
    off = np.array([pose_error(pose, material.poses[i % count]) for i, pose in enumerate(found.poses)])
    assert off[:count].max() < 1e-5
    assert (off[count:] > 1e-4).all()
    assert off[count:, 0].max() < 2.0 * BESIDE.shift_m * np.sqrt(2.25) + 1e-3
    other = with_views(scene, frames, material, network_input, seed=4)
    assert (other.images[count:] != found.images[count:]).any()
