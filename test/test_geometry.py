import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from strategies import poses, rotations, similarities, vectors

from campose_core.errors import GeometryError
from campose_core.geometry import (
    Pose,
    Similarity,
    covariance_at_lever,
    lasting_quat,
    pose_error,
    products,
    rotation_from_quat_xyzw,
    umeyama,
)


def assert_same_pose(a: Pose, b: Pose, scale: float = 1.0) -> None:
    distance, angle = pose_error(a, b)
    assert distance < 1e-8 * max(1.0, scale)
    assert angle < 1e-6


@given(poses, poses, vectors)
def test_product_of_poses_maps_points_one_after_the_other(a_from_b, b_from_c, point):
    np.testing.assert_allclose(
        (a_from_b * b_from_c).transform(point), a_from_b.transform(b_from_c.transform(point)), atol=1e-9
    )


@given(st.lists(st.tuples(rotations, rotations), min_size=1, max_size=20))
def test_products_of_many_rotations_are_scipys_to_the_last_bit(pairs):
    left, right = (Rotation.concatenate(side) for side in zip(*pairs, strict=True))
    np.testing.assert_array_equal(products(left, right).as_quat(), (left * right).as_quat())


@given(poses)
def test_a_pose_times_its_inverse_is_the_identity(pose):
    assert_same_pose(pose * pose.inverse(), Pose.identity(), 100)
    assert_same_pose(pose.inverse() * pose, Pose.identity(), 100)


@given(poses)
def test_quaternion_and_matrix_round_trips(pose):
    assert_same_pose(Pose.from_quat_xyzw(pose.quat_xyzw, pose.translation), pose)
    assert_same_pose(Pose.from_quat_xyzw(-pose.quat_xyzw, pose.translation), pose)
    assert_same_pose(Pose.from_matrix(pose.matrix()), pose)


def test_quaternions_are_xyzw():
    quarter_turn_about_z = Pose.from_quat_xyzw([0, 0, np.sqrt(0.5), np.sqrt(0.5)], [0, 0, 0])
    np.testing.assert_allclose(quarter_turn_about_z.transform([1, 0, 0]), [0, 1, 0], atol=1e-12)
    assert quarter_turn_about_z.yaw() == pytest.approx(np.pi / 2)


@given(similarities, similarities, vectors)
def test_similarities_compose_and_invert(a_from_b, b_from_c, point):
    np.testing.assert_allclose(
        (a_from_b * b_from_c).transform(point), a_from_b.transform(b_from_c.transform(point)), rtol=1e-9, atol=1e-6
    )
    np.testing.assert_allclose(a_from_b.inverse().transform(a_from_b.transform(point)), point, atol=1e-6)


@given(similarities, poses, vectors)
def test_a_similarity_moves_a_camera_with_the_points_it_sees(map_from_sfm, sfm_from_cam, point_cam):
    """Directions seen by the camera stay, distances grow by the scale."""
    map_from_cam = map_from_sfm.transform_pose(sfm_from_cam)
    point_map = map_from_sfm.transform(sfm_from_cam.transform(point_cam))
    np.testing.assert_allclose(
        map_from_cam.inverse().transform(point_map), map_from_sfm.scale * point_cam, rtol=1e-6, atol=1e-6
    )


@given(similarities, st.lists(vectors, min_size=4, max_size=20))
def test_umeyama_recovers_a_known_similarity(a_from_b, points):
    points_b = np.array(points)
    spread = np.linalg.svd(points_b - points_b.mean(0), compute_uv=False)
    if spread[1] < max(1.0, 0.02 * spread[0]):  # (nearly) on a line: refused or ill-conditioned, tested below
        return
    found = umeyama(points_b, a_from_b.transform(points_b))
    assert found.scale == pytest.approx(a_from_b.scale, rel=1e-6)
    np.testing.assert_allclose(found.transform(points_b), a_from_b.transform(points_b), rtol=1e-6, atol=1e-5)


def test_umeyama_never_returns_a_mirror_image():
    points = np.random.default_rng(0).normal(size=(10, 3))
    found = umeyama(points, points * [1, 1, -1])
    assert np.linalg.det(found.rotation.as_matrix()) == pytest.approx(1.0)


@pytest.mark.parametrize("count", [2, 3, 10])
def test_umeyama_refuses_points_on_a_line(count):
    points = np.outer(np.arange(count), [1.0, 2.0, 3.0])
    with pytest.raises(GeometryError, match=r"one line|three or more"):
        umeyama(points, points)


def test_covariance_at_a_lever_matches_simulation():
    """A small turn about z moves a point one metre ahead sideways."""
    generator = np.random.default_rng(0)
    root = generator.normal(size=(6, 6)) * 0.01
    covariance, lever = root @ root.T, np.array([1.0, -0.5, 0.3])
    samples = generator.multivariate_normal(np.zeros(6), covariance, size=20_000)
    moved = samples[:, :3] + Rotation.from_rotvec(samples[:, 3:]).apply(lever) - lever
    measured = np.cov(np.hstack([moved, samples[:, 3:]]).T)
    np.testing.assert_allclose(covariance_at_lever(covariance, lever), measured, atol=0.05 * covariance.max())


@pytest.mark.parametrize("translation", [[0, 0], [0, 0, np.nan], [[0, 0, 0]], [np.inf, 0, 0]])
def test_a_pose_refuses_a_bad_translation(translation):
    with pytest.raises(GeometryError, match="3 finite numbers"):
        Pose(Rotation.identity(), translation)


@pytest.mark.parametrize("quat", [[0, 0, 0, 0], [np.nan, 0, 0, 1], [0, 0, 1]])
def test_a_bad_quaternion_is_refused(quat):
    with pytest.raises(GeometryError, match="quaternion"):
        rotation_from_quat_xyzw(quat)


@pytest.mark.parametrize("matrix", [np.zeros((4, 4)), np.diag([1, 1, -1, 1]), np.eye(3), 2 * np.eye(4)])
def test_a_matrix_that_is_no_pose_is_refused(matrix):
    with pytest.raises(GeometryError):
        Pose.from_matrix(matrix)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_a_similarity_needs_a_positive_scale(scale):
    with pytest.raises(GeometryError, match="needs a scale"):
        Similarity(scale, Rotation.identity(), np.zeros(3))


def test_poses_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        Pose.identity().translation[0] = 1.0


def test_a_lasting_quaternion_is_read_back_to_the_last_bit():
    """To normalise one more time changes the last bits of a third of all, and of a hundredth again and again."""
    for rotation in Rotation.random(2000, rng=np.random.default_rng(0)):
        quat = lasting_quat(rotation)
        np.testing.assert_allclose(quat, rotation.as_quat(canonical=True), rtol=0, atol=1e-15)
        assert np.array_equal(lasting_quat(rotation_from_quat_xyzw(quat)), quat)
        assert np.array_equal(rotation_from_quat_xyzw(quat).as_quat(canonical=True), quat)
