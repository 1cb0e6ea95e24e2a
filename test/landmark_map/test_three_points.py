"""P3P: the true pose is among those of any three points that determine one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from campose_core.landmark_map.three_points import poses_of_three


def triples(seed: int, count: int, far: float = 0.0) -> tuple[Rotation, np.ndarray, np.ndarray, np.ndarray]:
    """cam_from_world, unit bearings (K, 3, 3), and the points (K, 3, 3) they show, `far` from the origin."""
    generator = np.random.default_rng(seed)
    rotation, translation = Rotation.random(None, generator), generator.normal(0, 3, 3)
    directions = generator.normal(0, 1, (count, 3, 3))
    bearings = directions / np.linalg.norm(directions, axis=2, keepdims=True)
    in_cam = bearings * generator.uniform(0.5, 8, (count, 3, 1))
    xyz = (in_cam - translation) @ rotation.as_matrix() + far
    return rotation, translation - rotation.apply([far] * 3), bearings, xyz


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 1e5]))
def test_the_true_pose_is_among_those_of_each_triple(seed, far):
    """Of rays in all directions, as a body with cameras all round has them."""
    rotation, translation, bearings, xyz = triples(seed, 50, far)
    rotations, translations, triple = poses_of_three(bearings, xyz)
    turned = np.abs(rotations - rotation.as_matrix()).max(axis=(1, 2))
    moved = np.abs(rotations @ xyz[0, 0] + translations - rotation.apply(xyz[0, 0]) - translation).max(axis=1)
    assert (np.bincount(triple, minlength=50) <= 4).all()
    right = np.unique(triple[(turned < 1e-4) & (moved < 1e-3)])
    assert len(right) >= 49  # a triple seen from near its dangerous cylinder loses half of the digits
    np.testing.assert_allclose(rotations @ rotations.transpose(0, 2, 1), np.broadcast_to(np.eye(3), rotations.shape),
                               atol=1e-9)  # fmt: skip


def test_what_determines_no_pose_gives_none_and_hides_no_other():
    """Twice the same landmark, three on one line, three in one place; between them a triple that is good."""
    rotation, _, bearings, xyz = triples(0, 4)
    xyz[0, 1], bearings[0, 1] = xyz[0, 0], bearings[0, 0]
    xyz[1] = np.outer([1.0, 2.0, 4.0], [0.3, 0.2, 1.0])
    xyz[2] = xyz[2, 0]
    rotations, _, triple = poses_of_three(bearings, xyz)
    assert set(triple) == {3}
    assert np.abs(rotations - rotation.as_matrix()).max(axis=(1, 2)).min() < 1e-6
    for nothing in (poses_of_three(bearings[:3], xyz[:3]), poses_of_three(bearings[:0], xyz[:0])):
        assert [len(part) for part in nothing] == [0, 0, 0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.permutations(range(3)), st.integers(6, 10))
def test_two_landmarks_as_good_as_in_one_place_hide_no_other(seed, order, digits):
    """One thing that was triangulated twice, both of which match one feature."""
    rotation, _, bearings, xyz = triples(seed, 20)
    apart = 10.0**-digits
    xyz[1:] = (xyz[1:, :1] + np.array([0.0, 1.0, apart])[:, None] * (xyz[1:] - xyz[1:, :1]))[:, order]
    bearings[1:] = bearings[1:, [0, 1, 0]][:, order]
    rotations, _, triple = poses_of_three(bearings, xyz)
    assert np.abs(rotations[triple == 0] - rotation.as_matrix()).max(axis=(1, 2)).min() < 1e-4
    assert np.isfinite(rotations).all()
