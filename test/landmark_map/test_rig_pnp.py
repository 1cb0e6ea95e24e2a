"""Several cameras of one moment placed together, in rooms of landmarks."""

import numpy as np
import pytest
from landmark_rooms import CAMERA, features_seen, looking, room
from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose, pose_error
from campose_core.landmark_map.pnp import MIN_INLIERS, LandmarkMatcher, solve_pnp
from campose_core.landmark_map.rig_pnp import RigView, solve_rig_pnp

# rig_from_cam: two level cameras a quarter turn apart, 0.3 m from each other; the rig is the first camera's frame.
LEFT = Pose(Rotation.from_euler("y", -90, degrees=True), np.array([-0.3, 0.0, 0.1]))
PLACES = (Pose.identity(), LEFT)


def views(seed, few=None):
    """What both cameras see, each of at most `few` landmarks, and the true map_from_rig."""
    landmarks = room(seed)
    match = LandmarkMatcher(landmarks)
    map_from_rig = looking(0.9 * seed, np.array([2.5, 2.2, 1.2]))
    found = []
    for i, place in enumerate(PLACES):
        features = features_seen(landmarks, map_from_rig * place, seed=2 * seed + i)
        seen, shown = match(features)
        chosen = np.random.default_rng(seed).permutation(len(seen))[:few]
        found.append(RigView(features.pixels[seen[chosen]], landmarks.xyz[shown[chosen]], CAMERA, place))
    return found, map_from_rig


@pytest.mark.parametrize("seed", range(5))
def test_two_cameras_that_see_too_little_alone_are_placed_together(seed):
    found, map_from_rig = views(seed, few=14)
    assert all(len(view.pixels) < MIN_INLIERS for view in found)
    assert all(solve_pnp(view.pixels, view.xyz, view.camera) is None for view in found)
    together = solve_rig_pnp(found)
    assert together is not None
    metres, radians = pose_error(together.world_from_rig, map_from_rig)
    assert metres < 0.03
    assert radians < np.radians(0.5)


@pytest.mark.parametrize("seed", range(5))
def test_the_rig_is_placed_among_wrong_matches(seed):
    found, map_from_rig = views(seed)
    generator = np.random.default_rng(seed)
    for view in found:
        wrong = generator.permutation(len(view.pixels))[: int(0.4 * len(view.pixels))]
        view.pixels[wrong] = generator.uniform(0, 480, (len(wrong), 2))
    together = solve_rig_pnp(found)
    assert together is not None
    assert pose_error(together.world_from_rig, map_from_rig)[0] < 0.01
    for view, rows in zip(found, together.inliers, strict=True):
        assert 0.5 * len(view.pixels) < len(rows) <= 0.65 * len(view.pixels)


def test_a_map_far_from_its_origin_has_the_same_poses():
    found, map_from_rig = views(3)
    far = np.array([499_123.4, 5_761_432.1, 87.0])
    there = solve_rig_pnp([view._replace(xyz=view.xyz + far) for view in found])
    assert there is not None
    moved = Pose(there.world_from_rig.rotation, there.world_from_rig.translation - far)
    assert pose_error(moved, map_from_rig)[0] < 0.01


def test_chance_matches_one_spot_or_too_few_have_no_pose():
    found, _ = views(1)
    generator = np.random.default_rng(0)
    chance = [v._replace(pixels=generator.uniform(0, 480, (75, 2)), xyz=v.xyz[:75]) for v in found]
    assert solve_rig_pnp(chance) is None
    assert solve_rig_pnp([view._replace(pixels=view.pixels[:9], xyz=view.xyz[:9]) for view in found]) is None
    assert solve_rig_pnp([]) is None
    near = np.argsort(np.linalg.norm(found[0].pixels - np.median(found[0].pixels, axis=0), axis=1))[:25]
    spot = found[0]._replace(
        pixels=np.median(found[0].pixels, axis=0) + 0.05 * (found[0].pixels[near] - np.median(found[0].pixels, axis=0)),
        xyz=found[0].xyz[near],
    )
    assert solve_rig_pnp([spot]) is None


def test_covariance_is_right_under_monte_carlo():
    """The same matches under fresh pixel noise: the spread of the poses is what the covariance says."""
    found, map_from_rig = views(2, few=40)
    exact = [
        view._replace(pixels=CAMERA.project((map_from_rig * view.rig_from_cam).inverse().transform(view.xyz)))
        for view in found
    ]
    generator = np.random.default_rng(7)
    errors, claimed = [], []
    for _ in range(100):
        noisy = [view._replace(pixels=view.pixels + generator.normal(0, 0.7, view.pixels.shape)) for view in exact]
        together = solve_rig_pnp(noisy)
        assert together is not None
        turn = (together.world_from_rig.rotation * map_from_rig.rotation.inv()).as_rotvec()
        errors.append([*(together.world_from_rig.translation - map_from_rig.translation), *turn])
        claimed.append(together.covariance)
    ratio = np.sqrt(np.var(np.array(errors), axis=0) / np.diag(np.mean(claimed, axis=0)))
    assert ((ratio > 0.7) & (ratio < 1.2)).all(), ratio
