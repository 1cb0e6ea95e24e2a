import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from landmark_rooms import KEYFRAMES, building, looking, room
from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose
from campose_core.landmark_map.covisibility import MIN_SHARED, Keyframes
from campose_core.landmark_map.landmarks import Landmarks


@pytest.fixture(scope="module")
def rooms() -> Landmarks:
    return building(room(0), room(1))


def views(landmarks: Landmarks) -> list[set[int]]:
    return [set(landmarks.observed[landmarks.observed_by == k].tolist()) for k in range(len(landmarks.frame_names))]


@settings(max_examples=30)
@given(st.lists(st.integers(0, 2 * KEYFRAMES - 1), max_size=6), st.integers(0, 1000))
def test_landmarks_seen_by_keyframes_whatever_the_order_of_observations(rooms, chosen, seed):
    order = np.random.default_rng(seed).permutation(len(rooms.observed))
    shuffled = Landmarks(**{**vars(rooms), "observed": rooms.observed[order], "observed_by": rooms.observed_by[order]})
    expected = sorted(set().union(*(views(rooms)[k] for k in chosen)))
    assert Keyframes(shuffled).seen_by(chosen).tolist() == expected


def test_covisible_keyframes_are_those_that_share_most(rooms):
    keyframes, seen = Keyframes(rooms), views(rooms)
    for k in range(0, len(keyframes), 7):
        shared = np.array([len(seen[k] & other) for other in seen])
        shared[k] = 0
        found = keyframes.covisible(k)
        assert set(found) == set(np.flatnonzero(shared >= MIN_SHARED))
        assert (np.diff(shared[found]) <= 0).all()
        assert keyframes.covisible(k, 3).tolist() == found[:3].tolist()
        # The other room has nothing in common with this one.
        assert (found // KEYFRAMES == k // KEYFRAMES).all()


def test_a_keyframe_without_landmarks_sees_nothing_and_shares_nothing(rooms):
    seen = rooms.observed_by != 5
    blind = Landmarks(**{**vars(rooms), "observed": rooms.observed[seen], "observed_by": rooms.observed_by[seen]})
    keyframes = Keyframes(blind)
    assert len(keyframes.seen_by([5])) == 0
    assert len(keyframes.covisible(5)) == 0


@settings(max_examples=30)
@given(st.integers(0, 2 * KEYFRAMES - 1))
def test_a_keyframe_is_nearest_to_its_own_pose(rooms, k):
    near = Keyframes(rooms).near(rooms.world_from_cam(k), 5)
    assert len(near) == 5
    positions = rooms.frame_positions[near] - rooms.frame_positions[k]
    turned = (rooms.world_from_cam(k).rotation.inv() * Rotation.from_quat(rooms.frame_quats_xyzw[near])).magnitude()
    assert near[0] == k
    assert np.linalg.norm(positions, axis=1).max() < 3.0
    assert turned.max() < np.radians(61)


def test_nothing_is_near_a_pose_elsewhere_or_one_that_looks_at_the_ceiling(rooms):
    keyframes = Keyframes(rooms)
    assert len(keyframes.near(looking(0.3, np.array([200.0, 2.0, 1.2])), 5)) == 0
    assert len(keyframes.near(Pose(Rotation.identity(), rooms.frame_positions[0]), 5)) == 0


def test_near_gives_no_more_than_there_are(rooms):
    keyframes = Keyframes(rooms)
    assert 0 < len(keyframes.near(rooms.world_from_cam(0), 10_000)) < len(keyframes)
