"""What holds a map together: weak links, open loops, thin stretches."""

from dataclasses import replace

import numpy as np
import pytest
from landmark_rooms import KEYFRAMES, building, room
from two_rooms import part_of

from campose_core.doctor.map_links import open_loops, thin_stretches, weak_links
from campose_core.landmark_map.landmarks import Landmarks

ROOMS = [room(1), room(2)]


def together(a: Landmarks, keyframes: range, landmarks: int) -> Landmarks:
    """These keyframes of the first room also see so many landmarks of the second, each of them all."""
    first_of_second = len(ROOMS[0].xyz)
    seen = np.unique(a.observed[a.observed >= first_of_second])[:landmarks]
    rows = np.array(list(keyframes), dtype=np.int32)
    return replace(
        a,
        observed=np.concatenate([a.observed, np.tile(seen, len(rows))]).astype(np.int32),
        observed_by=np.concatenate([a.observed_by, np.repeat(rows, len(seen))]).astype(np.int32),
    )


def times(landmarks: Landmarks, pause_s: float = 100.0) -> dict[str, tuple[str, float]]:
    """Five keyframes a second, and a pause before the second room."""
    return {
        str(name): ("walk", 0.2 * i + (pause_s if i >= KEYFRAMES else 0.0))
        for i, name in enumerate(landmarks.frame_names)
    }


def apart(_a: np.ndarray, _b: np.ndarray) -> bool:
    return False


def test_one_room_has_no_weak_link():
    assert weak_links(ROOMS[0]) == []


def test_two_rooms_that_share_nothing_are_told():
    (link,) = weak_links(building(*ROOMS))
    assert link.landmarks == 0
    assert len(link.part) == KEYFRAMES


def test_two_rooms_hang_on_the_keyframes_that_see_both():
    (link,) = weak_links(together(building(*ROOMS), range(4, 6), 200))
    assert link.landmarks == 200
    assert sorted(link.keyframes) == [4, 5]


def test_two_rooms_may_hang_on_few_landmarks_that_many_keyframes_see():
    (link,) = weak_links(together(building(*ROOMS), range(0, 20), 40))
    assert link.landmarks == 40
    assert link.keyframes == ()
    assert set(range(0, 20)) <= set(link.border)


def test_a_broad_link_is_none():
    assert weak_links(together(building(*ROOMS), range(0, 12), 300)) == []


def test_a_second_pass_that_shares_nothing_is_an_open_loop():
    twice = building(ROOMS[0], ROOMS[0], apart=0.0)
    found = open_loops(twice, times(twice), apart)
    assert len(found) == 1
    rows, others = found[0]
    assert {int(row) // KEYFRAMES for row in rows} != {int(row) // KEYFRAMES for row in others}


def test_a_second_pass_that_sees_the_same_landmarks_closes_the_loop():
    twice = building(ROOMS[0], ROOMS[0], apart=0.0)
    closed = replace(twice, observed=twice.observed % len(ROOMS[0].xyz))
    assert open_loops(closed, times(closed), apart) == []


@pytest.mark.parametrize("why", ["a wall between", "the same pass"])
def test_views_that_are_near_for_another_reason_are_no_loop(why):
    twice = building(ROOMS[0], ROOMS[0], apart=0.0)
    if why == "a wall between":
        assert open_loops(twice, times(twice), lambda a, b: True) == []
    else:
        assert open_loops(twice, times(twice, pause_s=0.0), apart) == []


def test_keyframes_with_few_landmarks_are_a_thin_stretch():
    whole = ROOMS[0]
    few = np.isin(whole.observed_by, range(10, 15)) & (np.arange(len(whole.observed)) % 10 > 0)
    (found,) = thin_stretches(part_of(whole, ~few), times(whole))
    assert found.rows.tolist() == list(range(10, 15))
    assert thin_stretches(whole, times(whole)) == []
