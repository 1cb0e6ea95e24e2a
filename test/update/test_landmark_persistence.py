"""Which landmarks are gone, in rooms without images."""

from dataclasses import replace

import numpy as np
import pytest
from landmark_rooms import CAMERA, SIZE, features_seen, looking, room

from campose_core.features.base import ImageFeatures
from campose_core.geometry import Pose
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.update.landmark_persistence import (
    Looks,
    Observer,
    View,
    from_other_places,
    gone,
    log_likelihood_ratio,
    probability_there,
)

SPOT = np.array([3.0, 5.0, 1.2])  # on a wall of the room; what hangs there is taken down
CUPBOARD_M = 0.7


def poses(count: int = 24) -> list[Pose]:
    """A walk through the middle of the room, looking about."""
    shares = np.linspace(0.0, 1.0, count)
    return [looking(2 * np.pi * s, (0.45 + 0.1 * np.array([np.cos(9 * s), np.sin(9 * s), 0.5])) * SIZE) for s in shares]


def views(landmarks: Landmarks) -> list[View]:
    """What a camera sees on the walk of a room that holds these landmarks."""
    return [View(features_seen(landmarks, pose, seed=i), CAMERA, pose) for i, pose in enumerate(poses())]


def looks_of_mapping(landmarks: Landmarks) -> Looks:
    keyframes = [landmarks.world_from_cam(row) for row in range(len(landmarks.frame_names))]
    seen = [View(features_seen(landmarks, pose, seed=99), CAMERA, pose) for pose in keyframes]
    return Observer(landmarks).looks(seen)


@pytest.fixture(scope="module")
def dense_room() -> Landmarks:
    return room(0, landmarks=4000)


def taken(landmarks: Landmarks) -> np.ndarray:
    """The landmarks of what hangs at SPOT."""
    return np.linalg.norm(landmarks.xyz - SPOT, axis=1) < CUPBOARD_M


def test_an_unchanged_room_keeps_its_landmarks(dense_room):
    later = Observer(dense_room).looks(views(dense_room))
    assert later.looks.sum() > 2 * len(dense_room.xyz)
    assert gone(dense_room, looks_of_mapping(dense_room), later).sum() <= 0.002 * len(dense_room.xyz)


def with_strangers(landmarks: Landmarks, xyz: np.ndarray) -> Landmarks:
    """The room with further landmarks at xyz, as an update would have made them."""
    strangers = room(7, landmarks=len(xyz))
    return replace(
        landmarks,
        xyz=np.concatenate([landmarks.xyz, xyz]),
        rgb=np.concatenate([landmarks.rgb, strangers.rgb]),
        descriptors=np.concatenate([landmarks.descriptors, strangers.descriptors]),
    )


def test_what_was_exchanged_fades_and_the_rest_stays(dense_room):
    """Another image hangs where one was taken down."""
    away = taken(dense_room)
    both = with_strangers(dense_room, dense_room.xyz[away] + [0.02, 0.0, 0.02])
    old = np.arange(len(both.xyz)) < len(away)
    was_there = old & np.append(away, np.zeros(away.sum(), bool))
    later = Observer(both).looks(views(both.without(was_there)))
    mapped = looks_of_mapping(dense_room)
    unknown = np.zeros(away.sum())
    mapped = Looks(np.append(mapped.hits, unknown), np.append(mapped.looks, unknown))
    removed = gone(both, mapped, later)
    looked_at = was_there & (later.looks >= 2)
    assert looked_at.sum() > 40
    assert removed[looked_at].mean() > 0.9
    assert removed[~was_there].mean() < 0.01


def test_what_something_new_hides_is_not_looked_at(dense_room):
    """Nothing of the spot is seen, and what is seen there instead stands in front of it."""
    away = taken(dense_room)
    both = with_strangers(dense_room, 0.5 * dense_room.xyz[away] + 0.5 * 0.45 * SIZE)
    behind = np.append(away, np.zeros(away.sum(), bool))
    hidden = Observer(both).looks(views(both.without(behind))).looks[behind]
    open_ = Observer(dense_room).looks(views(dense_room.without(away))).looks[away]
    assert hidden.sum() < 0.5 * open_.sum()


def test_a_frame_that_recognizes_little_says_little_of_each_landmark(dense_room):
    """In the dark nine of ten features are missing: that is no evidence against nine of ten landmarks."""
    generator = np.random.default_rng(1)
    dark = []
    for view in views(dense_room):
        kept = generator.random(len(view.features.pixels)) < 0.1
        dark.append(view._replace(features=ImageFeatures(view.features.pixels[kept], view.features.descriptors[kept])))
    mapped = looks_of_mapping(dense_room)
    later = Observer(dense_room).looks(dark, mapped.rate)
    assert gone(dense_room, mapped, later).mean() < 0.01


def test_evidence_of_a_landmark_that_is_seldom_seen_even_when_there_weighs_less():
    mapped = Looks(hits=np.array([9.0, 2.0]), looks=np.array([10.0, 10.0]))
    later = Looks(hits=np.zeros(2), looks=np.full(2, 4.0))
    often, seldom = log_likelihood_ratio(mapped, later)
    assert often < seldom < 0.0


def test_a_camera_at_rest_is_one_look(dense_room):
    pose = poses()[0]
    view = View(features_seen(dense_room, pose), CAMERA, pose)
    aside = View(view.features, CAMERA, Pose(pose.rotation, pose.translation + np.array([0.5, 0.0, 0.0])))
    assert from_other_places([view, view, view, aside, aside], depth=3.0) == [view, aside]


def test_looks_add_up_and_a_hit_speaks_for_it(dense_room):
    count = len(dense_room.xyz)
    mapped = Looks(np.full(count, 5.0), np.full(count, 8.0))
    few, more = (Looks(np.zeros(count), np.full(count, n)) for n in (2.0, 5.0))
    seen_once = Looks(np.ones(count), np.full(count, 5.0))
    after_few, after_more, after_hit = (
        probability_there(dense_room, mapped, looks) for looks in (few, more, seen_once)
    )
    assert (after_more < after_few).all()
    assert (after_hit > after_more).all()
