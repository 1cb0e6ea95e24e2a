"""Hypotheses over scripted places: which one wins, and when none does."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose
from campose_core.localization.estimators.base import Kind, PoseEstimate
from campose_core.localization.hypotheses import FORGOTTEN_AFTER_IMAGES, Hypotheses


def at(x: float) -> PoseEstimate:
    return PoseEstimate(0, Pose(Rotation.identity(), np.array([x, 0.0, 0.0])), np.eye(6) * 1e-4, 50, Kind.RELOCALIZED)


def near(before: PoseEstimate, after: PoseEstimate) -> bool:
    return abs(before.map_from_cam.translation[0] - after.map_from_cam.translation[0]) < 1.0


def play(script: list[list[float]], confirmations: int = 3) -> list[float | None]:
    """The winner's place after each image, each given as the places it may show."""
    hypotheses = Hypotheses(near, confirmations)
    winners = [hypotheses.add([at(x) for x in places]) for places in script]
    return [None if winner is None else winner.map_from_cam.translation[0] for winner in winners]


def test_one_place_wins_when_enough_images_in_a_row_agree():
    assert play([[0.0], [0.1], [0.2], [0.3]]) == [None, None, 0.2, 0.3]
    assert play([[0.0], [0.1], [], [0.2], [0.3], [0.4]]) == [None] * 5 + [0.4]


def test_two_places_that_look_alike_stay_open_until_one_is_confirmed_alone():
    alike = [[0.0, 10.0]] * 6
    assert play(alike) == [None] * 6
    leaving = play(alike + [[0.0]] * 12)
    first = leaving.index(0.0)
    assert first > 6 + 3  # not at once: the other place was seen as often for six images
    assert all(winner == 0.0 for winner in leaving[first:])


def test_an_image_that_shows_only_one_of_two_places_decides_nothing():
    assert play([[0.0, 10.0], [0.0], [0.0, 10.0], [0.0], [0.0, 10.0], [0.0]]) == [None] * 6


def test_a_single_wild_estimate_neither_wins_nor_delays():
    assert play([[10.0], [0.0], [0.0], [0.0]]) == [None, None, None, 0.0]


def test_a_rival_is_forgotten_in_the_end():
    script = [[0.0, 10.0]] * 2 + [[]] * FORGOTTEN_AFTER_IMAGES + [[0.0]] * 3
    assert play(script)[-1] == 0.0


def why_none(script: list[tuple[str, list[float]]]) -> str:
    """Said after the last image of a script of (camera, places), in which nothing wins."""
    hypotheses = Hypotheses(near, 3)
    assert not any(hypotheses.add([at(x) for x in places], camera) for camera, places in script)
    return hypotheses.why_none


def test_two_cameras_that_confirm_two_places_contradict_each_other() -> None:
    contradiction = "front and rear contradict each other: check base_from_camera"
    assert why_none([("front", [0.0]), ("rear", [10.0])] * 3) == contradiction
    assert why_none([("front", [0.0]), ("rear", [10.0])] * 25 + [("front", [0.0])]) == contradiction


def test_why_nothing_won_is_told_where_no_cameras_contradict_each_other() -> None:
    assert why_none([("front", [0.0]), ("front", [0.0])]) == "2 of 3 agreeing estimates"
    assert why_none([("front", [0.0]), ("rear", [10.0])] * 2) == "2 of 3 agreeing estimates"
    twins = [("front", [0.0, 10.0])] * 6
    assert why_none([*twins, *[("front", [0.0])] * 2]) == "another place was seen as often"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from([0.0, 10.0, 20.0]), unique=True, max_size=3), max_size=25))
def test_a_winner_was_seen_in_the_last_images_in_a_row(script):
    for i, winner in enumerate(play(script)):
        if winner is not None:
            assert all(winner in places for places in script[i - 2 : i + 1])
