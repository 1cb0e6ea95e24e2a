import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.geometry import Pose, pose_error
from campose_core.landmark_map.pnp import MIN_INLIERS, refine_pnp, solve_pnp
from campose_core.statistics import checked_covariance

CAMERA = Camera("OPENCV", 640, 480, (500.0, 510.0, 322.3, 238.1, -0.1, 0.02, 0.001, -0.002))


def view(seed: int, points: int, noise_px: float) -> tuple[Pose, np.ndarray, np.ndarray]:
    """A world_from_cam, and points (N, 3) of the world with their pixels (N, 2)."""
    generator = np.random.default_rng(seed)
    world_from_cam = Pose(Rotation.random(None, generator), generator.normal(0, 3, 3))
    rays = generator.uniform([-0.5, -0.4], [0.5, 0.4], (points, 2))
    depth = generator.uniform(1, 6, points)
    points_cam = np.column_stack([rays * depth[:, None], depth])
    pixels = CAMERA.project(points_cam) + generator.normal(0, noise_px, (points, 2))
    return world_from_cam, world_from_cam.transform(points_cam), pixels


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.0, 0.4))
def test_the_pose_is_found_among_wrong_matches(seed, share_wrong):
    truth, xyz, pixels = view(seed, 150, noise_px=0.0)
    wrong = np.random.default_rng(seed).permutation(150)[: int(150 * share_wrong)]
    pixels[wrong] = np.random.default_rng(seed + 1).uniform(0, 480, (len(wrong), 2))
    found = solve_pnp(pixels, xyz, CAMERA)
    assert found is not None
    assert max(pose_error(found.world_from_cam, truth)) < 1e-3
    assert len(found.inliers) >= 150 - len(wrong)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.0, 0.3))
def test_a_pose_near_by_is_refined_among_wrong_matches(seed, share_wrong):
    truth, xyz, pixels = view(seed, 250, noise_px=0.0)
    generator = np.random.default_rng(seed)
    wrong = generator.permutation(250)[: int(250 * share_wrong)]
    pixels[wrong] += generator.normal(0, 40, (len(wrong), 2))
    near = Pose(Rotation.from_rotvec(generator.normal(0, 0.02, 3)) * truth.rotation, truth.translation + 0.02)
    found = refine_pnp(pixels, xyz, CAMERA, near)
    assert found is not None
    assert max(pose_error(found.world_from_cam, truth)) < 1e-2
    assert len(found.inliers) >= 0.9 * (250 - len(wrong))


@pytest.mark.parametrize("far_m", [(499_123.4, 5_761_432.1, 87.0), (-2_400.0, 0.0, 0.0)])
def test_a_map_far_from_its_origin_has_the_same_poses(far_m):
    """A map placed by UTM coordinates: millions of metres and millimetres in one number."""
    truth, xyz, pixels = view(5, 150, noise_px=0.5)
    there = Pose(truth.rotation, truth.translation + far_m)
    solved, refined = solve_pnp(pixels, xyz + far_m, CAMERA), refine_pnp(pixels, xyz + far_m, CAMERA, there)
    here = solve_pnp(pixels, xyz, CAMERA)
    assert here is not None
    for found in (solved, refined):
        assert found is not None
        moved = Pose(found.world_from_cam.rotation, found.world_from_cam.translation - far_m)
        assert max(pose_error(moved, here.world_from_cam)) < 1e-4
        np.testing.assert_allclose(np.diag(found.covariance), np.diag(here.covariance), rtol=0.01)
        checked_covariance(found.covariance)


@pytest.mark.parametrize("count", [0, 1, 3, MIN_INLIERS - 1])
def test_too_few_matches_are_not_refined(count):
    truth, xyz, pixels = view(0, 30, 0.0)
    assert refine_pnp(pixels[:count], xyz[:count], CAMERA, truth) is None


def test_chance_matches_have_no_pose():
    """150 random pixels and points: RANSAC always finds a few that agree, never enough."""
    for seed in range(5):
        _, xyz, _ = view(seed, 150, 0.0)
        assert solve_pnp(np.random.default_rng(seed).uniform(0, 480, (150, 2)), xyz, CAMERA) is None


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_one_spot_or_one_line_of_the_image_is_no_place(seed):
    """Exact matches on a poster across the hall, or along one edge: a pose, but one that nothing else confirms."""
    _, xyz, pixels = view(seed, 5000, 0.0)
    spot = np.linalg.norm(pixels - np.median(pixels, axis=0), axis=1) < 30
    line = np.abs(pixels[:, 1] - np.median(pixels[:, 1])) < 8
    for few in (spot, line):
        assert np.sum(few) >= MIN_INLIERS
        assert solve_pnp(pixels[few], xyz[few], CAMERA) is None


@pytest.mark.parametrize("count", [0, 1, 3, MIN_INLIERS - 1])
def test_too_few_matches_have_no_pose(count):
    _, xyz, pixels = view(0, count, 0.0) if count else (None, np.zeros((0, 3)), np.zeros((0, 2)))
    assert solve_pnp(pixels, xyz, CAMERA) is None


def test_covariance_is_right_under_monte_carlo():
    """The same view under fresh pixel noise: the spread of the poses is what the covariance says.

    It says up to a fifth too much: the refinement's robust loss counts the farther pixels for less.
    """
    generator = np.random.default_rng(7)
    truth, xyz, exact = view(3, 60, 0.0)
    errors, claimed = [], []
    for _ in range(300):
        found = solve_pnp(exact + generator.normal(0, 0.7, exact.shape), xyz, CAMERA)
        assert found is not None
        turn = (found.world_from_cam.rotation * truth.rotation.inv()).as_rotvec()
        errors.append([*(found.world_from_cam.translation - truth.translation), *turn])
        claimed.append(found.covariance)
    measured = np.cov(np.array(errors).T)
    ratio = np.sqrt(np.diag(measured) / np.diag(np.mean(claimed, axis=0)))
    assert ((ratio > 0.8) & (ratio < 1.1)).all(), ratio
    # Whole ellipsoids, not only axes: the mean squared Mahalanobis distance in six dimensions is six.
    distances = [e @ np.linalg.solve(c, e) for e, c in zip(np.array(errors), claimed, strict=True)]
    assert 4.0 < np.mean(distances) < 6.5
